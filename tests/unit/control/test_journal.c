// The journal on a real disk: whole or not at all, whatever ends the writer.
#include "../../../src/control/journal.h"
#include "base/random.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static void one_daemon_has_it(void **state) {
    (void)state;
    struct error error;
    struct journal *journal = opened();
    assert_null(journal_open(folder, &error));
    assert_non_null(strstr(error.text, "another sluice"));
    journal_close(journal);
    journal_close(opened());
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
        cmocka_unit_test_setup_teardown(one_daemon_has_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_said, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(kill_at_any_moment, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
