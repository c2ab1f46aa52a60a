// The journal on a real disk: whole or not at all, whatever ends the writer.
#include "../../../src/control/journal.h"
#include "base/mem.h"
#include "base/random.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/sluice-journal-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct journal *opened(void) {
    struct error error = {{0}};
    struct journal *journal = journal_open(folder, &error);
    if (!journal)
        fail_msg("%s", error.text);
    return journal;
}

static bool every(struct slice line, void *context) {
    (void)line, (void)context;
    return true;
}

struct lines {
    char text[8192];
};

static void collect(struct slice line, void *context) {
    struct lines *lines = context;
    size_t used = strlen(lines->text);
    snprintf(lines->text + used, sizeof lines->text - used, "%.*s;", (int)line.len, line.at);
}

static void first_letters(struct slice line, void *context) {
    struct lines *lines = context;
    size_t used = strlen(lines->text);
    snprintf(lines->text + used, sizeof lines->text - used, "%c", line.at[0]);
}

static const char *read_lines(struct journal *journal, unsigned last) {
    static struct lines lines;
    lines.text[0] = '\0';
    journal_read(journal, last, every, collect, &lines);
    return lines.text;
}

static void append(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void states_are_kept_by_route(void **state) {
    (void)state;
    struct error error;
    struct strbuf text = {0};
    struct journal *journal = opened();
    assert_int_equal(journal_load(journal, "chat", &text, &error), JOURNAL_NOTHING);
    assert_true(journal_save(journal, "chat", SLICE("one"), &error));
    assert_true(journal_save(journal, "../../etc/x y", SLICE("two"), &error)); // no name leaves the folder
    assert_true(journal_save(journal, "chat", SLICE("three"), &error));
    journal_close(journal);
    journal = opened();
    assert_int_equal(journal_load(journal, "chat", &text, &error), JOURNAL_FOUND);
    assert_true(slice_equal(strbuf_as_slice(&text), SLICE("three")));
    strbuf_clear(&text);
    assert_int_equal(journal_load(journal, "../../etc/x y", &text, &error), JOURNAL_FOUND);
    assert_true(slice_equal(strbuf_as_slice(&text), SLICE("two")));
    strbuf_free(&text);
    journal_close(journal);
}

static void decisions_come_back_in_order(void **state) {
    (void)state;
    struct error error;
    struct journal *journal = opened();
    for (int i = 0; i < 5; i++) {
        char line[32];
        snprintf(line, sizeof line, "d%d", i);
        assert_true(journal_decide(journal, slice_of(line), &error));
    }
    assert_string_equal(read_lines(journal, 2), "d3;d4;");
    assert_string_equal(read_lines(journal, 100), "d0;d1;d2;d3;d4;");
    assert_string_equal(read_lines(journal, 0), "");
    journal_close(journal);
}

// A line that a crash has torn is no decision, and the next one does not grow on it.
static void a_torn_line_is_cut_off(void **state) {
    (void)state;
    struct error error;
    journal_close(opened());
    append("decisions.jsonl", "whole\nhalf of a li");
    struct journal *journal = opened();
    assert_string_equal(read_lines(journal, 9), "whole;");
    assert_true(journal_decide(journal, SLICE("next"), &error));
    assert_string_equal(read_lines(journal, 9), "whole;next;");
    journal_close(journal);
}

// Nor in the file before, whose last line must not run into the first of this one.
static void a_torn_line_before_is_none(void **state) {
    (void)state;
    struct error error;
    journal_close(opened());
    append("decisions.1.jsonl", "first\nhalf of a li");
    struct journal *journal = opened();
    assert_string_equal(read_lines(journal, 9), "first;");
    assert_true(journal_decide(journal, SLICE("next"), &error));
    assert_string_equal(read_lines(journal, 9), "first;next;");
    journal_close(journal);
}

// A disk that takes half a line and does not give it back (this program's ftruncate goes before the
// library's).
static bool truncation_fails;

int ftruncate(int fd, off_t length) {
    if (truncation_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, length);
}

// A torn line that cannot even be taken back is a line of its own, and the next decision is whole.
static void a_line_that_stays_torn_swallows_nothing(void **state) {
    (void)state;
    struct error error;
    struct rlimit before, small = {10, 10};
    struct journal *journal = opened();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_true(journal_decide(journal, SLICE("first"), &error));
    truncation_fails = true;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0); // room for four bytes more
    assert_false(journal_decide(journal, SLICE("half a line"), &error));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(error.text, "nor take back half a line"));
    assert_true(journal_decide(journal, SLICE("second"), &error));
    truncation_fails = false;
    assert_true(journal_decide(journal, SLICE("third"), &error));
    assert_string_equal(read_lines(journal, 9), "first;half;second;third;");
    journal_close(journal);
    signal(SIGXFSZ, handler);
}

static bool of_fours(struct slice line, void *context) {
    (void)context;
    return line.at[0] % 4 == 0;
}

// Past 16 MiB the file becomes the one before, whose lines are read first; the one before that is gone.
static void a_full_file_is_followed_by_another(void **state) {
    (void)state;
    enum { LONG = 1 << 20 };
    struct error error;
    struct journal *journal = opened();
    char *line = mem_alloc(LONG);
    memset(line, 'x', LONG);
    for (int i = 0; i < 33; i++) { // 16 + 16 + 1
        line[0] = (char)('A' + i);
        assert_true(journal_decide(journal, slice_make(line, LONG - 1), &error));
    }
    mem_free(line);
    static struct lines lines;
    lines.text[0] = '\0';
    journal_read(journal, 33, of_fours, first_letters, &lines);
    assert_string_equal(lines.text, "TX\\`"); // of Q to ` in the one before, and a
    static const struct {
        const char *name;
        off_t size;
    } files[] = {{"decisions.jsonl", LONG}, {"decisions.1.jsonl", 16 * LONG}};
    for (size_t i = 0; i < 2; i++) {
        char path[128];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, files[i].size);
    }
    journal_close(journal);
}

// The line that is looked for may be longer than what is read at once.
static void a_long_torn_line_is_cut_off(void **state) {
    (void)state;
    char torn[9001];
    memset(torn, 'y', sizeof torn - 1);
    torn[sizeof torn - 1] = '\0';
    journal_close(opened());
    append("decisions.jsonl", torn); // no whole line at all
    struct journal *journal = opened();
    assert_string_equal(read_lines(journal, 9), "");
    journal_close(journal);
    append("decisions.jsonl", "whole\n");
    append("decisions.jsonl", torn);
    journal = opened();
    assert_string_equal(read_lines(journal, 9), "whole;");
    journal_close(journal);
}

// Whatever stands where a state should be is told, and is no state.
static void what_cannot_be_read_is_said(void **state) {
    (void)state;
    struct error error;
    struct strbuf text = {0};
    char path[128];
    struct journal *journal = opened();
    snprintf(path, sizeof path, "%s/rollouts/chat.json", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(journal_load(journal, "chat", &text, &error), JOURNAL_UNREADABLE);
    assert_non_null(strstr(error.text, "rollouts/chat.json: Is a directory"));
    assert_false(journal_save(journal, "chat", SLICE("x"), &error));
    assert_non_null(strstr(error.text, "cannot save the state of route chat"));
    snprintf(path, sizeof path, "%s/rollouts/chat.new", folder);
    assert_int_equal(access(path, F_OK), -1); // nothing is left of the attempt
    strbuf_free(&text);
    journal_close(journal);
    static const char *const blocked[] = {"lock", "rollouts", "decisions.jsonl"};
    for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++) {
        char state_dir[128], inside[160];
        snprintf(state_dir, sizeof state_dir, "%s/of-%zu", folder, i);
        snprintf(inside, sizeof inside, "%s/%s", state_dir, blocked[i]);
        assert_int_equal(mkdir(state_dir, 0700), 0);
        assert_int_equal(i == 1 ? mknod(inside, S_IFREG | 0600, 0) : mkdir(inside, 0700), 0);
        assert_null(journal_open(state_dir, &error));
        assert_non_null(strstr(error.text, inside));
    }
}

static void one_daemon_has_it(void **state) {
    (void)state;
    struct error error;
    struct journal *journal = opened();
    assert_null(journal_open(folder, &error));
    assert_non_null(strstr(error.text, "another sluice"));
    journal_close(journal);
    journal_close(opened());
}

static void it_goes_to_another_process_and_back(void **state) {
    (void)state;
    struct error error;
    struct journal *first = opened();
    assert_true(journal_save(first, "handed", SLICE("{\"a\":1}"), &error));
    journal_release(first);
    assert_false(journal_save(first, "handed", SLICE("{\"a\":2}"), &error));
    assert_non_null(strstr(error.text, "handed over"));
    assert_false(journal_decide(first, SLICE("{}"), &error));
    struct journal *second = opened();
    assert_false(journal_retake(first, &error));
    assert_true(journal_save(second, "handed", SLICE("{\"a\":3}"), &error));
    assert_true(journal_decide(second, SLICE("{\"of\":\"the second\"}"), &error));
    journal_close(second);
    assert_true(journal_retake(first, &error));
    struct strbuf state_text = {0};
    assert_int_equal(journal_load(first, "handed", &state_text, &error), JOURNAL_FOUND);
    assert_string_equal(strbuf_text(&state_text), "{\"a\":3}");
    assert_true(journal_decide(first, SLICE("{\"of\":\"the first\"}"), &error));
    strbuf_free(&state_text);
    journal_close(first);
}

static void what_cannot_be_written_is_said(void **state) {
    (void)state;
    struct error error;
    struct journal *journal = opened();
    char path[128];
    snprintf(path, sizeof path, "%s/rollouts", folder);
    assert_true(journal_save(journal, "chat", SLICE("before"), &error));
    char away[140];
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    append("rollouts", ""); // a file where the folder was
    assert_false(journal_save(journal, "chat", SLICE("x"), &error));
    assert_int_equal(unlink(path), 0);
    assert_true(journal_save(journal, "chat", SLICE("after"), &error)); // the folder is made again
    journal_close(journal);
    append("file", "");
    snprintf(path, sizeof path, "%s/file", folder);
    assert_null(journal_open(path, &error));
    assert_non_null(strstr(error.text, path));
}

static _Noreturn void write_until_killed(void) {
    struct error error;
    struct journal *journal = journal_open(folder, &error);
    struct strbuf text = {0};
    for (unsigned long long i = 1;; i++) {
        strbuf_clear(&text);
        strbuf_format(&text, "%llu", i);
        for (unsigned k = 0; k < i % 700; k++)
            strbuf_format(&text, " %llu", i);
        if (!journal || !journal_save(journal, "chat", strbuf_as_slice(&text), &error) ||
            !journal_decide(journal, strbuf_as_slice(&text), &error))
            _exit(1);
    }
}

// Every word of a text that write_until_killed wrote is the same number.
static unsigned long long number_of(struct slice text) {
    unsigned long long first = 0;
    unsigned words = 0;
    while (text.at) {
        struct slice word = slice_cut(&text, ' ');
        char digits[32] = {0};
        assert_true(word.len > 0 && word.len < sizeof digits);
        memcpy(digits, word.at, word.len);
        unsigned long long number = strtoull(digits, NULL, 10);
        if (words++ == 0)
            first = number;
        assert_true(number == first);
    }
    assert_int_equal(words, first % 700 + 1); // nothing is missing
    return first;
}

static unsigned long long last_number;

static void check_line(struct slice line, void *context) {
    (void)context;
    last_number = number_of(line);
}

// kill -9 at 200 random moments: the state is one that was written, whole, and never an older one than a
// decision says.
static void kill_at_any_moment(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 7);
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            write_until_killed();
        usleep((useconds_t)random_below(&random, 6000));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        struct error error;
        struct strbuf text = {0};
        struct journal *journal = opened();
        enum journal_found found = journal_load(journal, "chat", &text, &error);
        last_number = 0;
        journal_read(journal, 1, every, check_line, NULL);
        if (found == JOURNAL_FOUND) {
            unsigned long long saved = number_of(strbuf_as_slice(&text));
            assert_true(saved == last_number || saved == last_number + 1 || saved == 1);
        } else {
            assert_int_equal(found, JOURNAL_NOTHING);
            assert_true(last_number == 0);
        }
        strbuf_free(&text);
        journal_close(journal);
    }
}

int test_journal(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(states_are_kept_by_route, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(decisions_come_back_in_order, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_torn_line_is_cut_off, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_torn_line_before_is_none, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_line_that_stays_torn_swallows_nothing, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_full_file_is_followed_by_another, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_long_torn_line_is_cut_off, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_said, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(one_daemon_has_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(it_goes_to_another_process_and_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_said, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(kill_at_any_moment, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
