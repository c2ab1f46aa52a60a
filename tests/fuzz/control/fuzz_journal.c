// journal: the files of a state_dir as a crash may have left them. The input: decisions.1.jsonl, a GS byte,
// decisions.jsonl. Every whole line of both is there, in order, and nothing else; half a line at the end is
// gone; what is decided then stands behind them, and is there after the next start; a state that was saved is
// there byte for byte.
#include "../../../src/control/journal.h"
#include "../fuzz.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define GS '\x1d'

static char folder[64];

static void remove_folder(void) {
    static const char *const names[] = {"lock", "decisions.jsonl", "decisions.1.jsonl", "rollouts/chat.json",
                                        "rollouts/chat.new"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/rollouts", folder);
    rmdir(path);
    rmdir(folder);
}

// In memory where that is possible: a start waits for the disk.
static void make_folder(void) {
    char path[128];
    snprintf(folder, sizeof folder, "%s/sluice-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/rollouts", folder);
    must(mkdir(path, 0700) == 0);
    atexit(remove_folder);
}

static void put(const char *name, struct slice bytes) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && file_write_all(fd, bytes));
    close(fd);
}

static void get(const char *name, struct strbuf *out) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && file_read_all(fd, out, 1 << 24));
    close(fd);
}

static bool wanted(struct slice line, void *context) {
    (void)context;
    return line.at[0] != '#';
}

static void visit(struct slice line, void *context) {
    struct strbuf *out = context;
    strbuf_slice(out, line);
    strbuf_char(out, '\n');
}

// The wanted lines that have an end.
static void whole_lines(struct slice text, struct strbuf *out) {
    while (text.len) {
        size_t end = slice_find(text, '\n');
        if (end && end < text.len && text.at[0] != '#')
            strbuf_append(out, text.at, end + 1);
        text = slice_from(text, end + 1);
    }
}

// The last `count` of them.
static struct slice last_lines(struct slice lines, unsigned count) {
    size_t from = lines.len;
    if (!lines.len)
        return SLICE("");
    while (from > 0 && (lines.at[from - 1] != '\n' || count-- > 0))
        from--;
    return slice_from(lines, from);
}

static void compare(struct journal *journal, struct slice expected, unsigned last) {
    struct strbuf read = {0};
    journal_read(journal, last, wanted, visit, &read);
    must(slice_equal(strbuf_as_slice(&read), last_lines(expected, last)));
    strbuf_free(&read);
}

static void check_decisions(struct slice before, struct slice now, unsigned last) {
    struct strbuf expected = {0}, left = {0};
    struct error error;
    put("decisions.1.jsonl", before);
    put("decisions.jsonl", now);
    whole_lines(before, &expected);
    whole_lines(now, &expected);
    struct journal *journal = journal_open(folder, &error);
    must(journal);
    compare(journal, strbuf_as_slice(&expected), last);
    get("decisions.jsonl", &left);
    must(left.len <= now.len && (!left.len || left.at[left.len - 1] == '\n'));
    must(left.len == 0 || memcmp(left.at, now.at, left.len) == 0);
    must(journal_decide(journal, SLICE("{\"number\":1}"), &error));
    strbuf_literal(&expected, "{\"number\":1}\n");
    compare(journal, strbuf_as_slice(&expected), last);
    journal_close(journal);
    journal = journal_open(folder, &error);
    must(journal);
    compare(journal, strbuf_as_slice(&expected), last);
    journal_close(journal);
    strbuf_free(&expected);
    strbuf_free(&left);
}

static void check_state(struct slice state) {
    struct strbuf loaded = {0};
    struct error error;
    put("rollouts/chat.new", slice_make(state.at, state.len / 2)); // a crash while it was written
    put("rollouts/chat.json", SLICE("before"));
    struct journal *journal = journal_open(folder, &error);
    must(journal && journal_load(journal, "chat", &loaded, &error) == JOURNAL_FOUND);
    must(slice_equal(strbuf_as_slice(&loaded), SLICE("before")));
    must(journal_save(journal, "chat", state, &error));
    strbuf_clear(&loaded);
    must(journal_load(journal, "chat", &loaded, &error) == JOURNAL_FOUND);
    must(slice_equal(strbuf_as_slice(&loaded), state));
    journal_close(journal);
    strbuf_free(&loaded);
}

static void path_of(const char *name, char path[128]) {
    snprintf(path, 128, "%s/%s", folder, name);
}

// Somebody else has it; a folder stands where a file is meant, and a file where a folder is: said, and
// nothing is lost.
static void check_obstacles(struct slice state) {
    char path[128], away[128];
    struct strbuf loaded = {0};
    struct error error = {""};
    struct journal *journal = journal_open(folder, &error);
    must(journal && !journal_open(folder, &error) && error.text[0]);
    must(journal_save(journal, "a/b", state, &error));
    must(journal_load(journal, "none", &loaded, &error) == JOURNAL_NOTHING);
    path_of("rollouts", path);
    path_of("away", away);
    must(rename(path, away) == 0);
    put("rollouts", SLICE(""));
    must(!journal_save(journal, "a/b", SLICE("x"), &error));
    must(unlink(path) == 0 && journal_save(journal, "a/b", SLICE("x"), &error));
    path_of("rollouts/a%2Fb.json", path);
    must(unlink(path) == 0 && mkdir(path, 0700) == 0);
    must(journal_load(journal, "a/b", &loaded, &error) == JOURNAL_UNREADABLE);
    must(!journal_save(journal, "a/b", SLICE("x"), &error));
    must(rmdir(path) == 0);
    path_of("rollouts", path);
    must(rmdir(path) == 0 && rename(away, path) == 0);
    journal_close(journal);
    journal = journal_open(folder, &error);
    must(journal && journal_load(journal, "a/b", &loaded, &error) == JOURNAL_FOUND);
    must(slice_equal(strbuf_as_slice(&loaded), state));
    journal_close(journal);
    path_of("rollouts/a%2Fb.json", path);
    must(unlink(path) == 0);
    path_of("decisions.jsonl", path);
    must(unlink(path) == 0 && mkdir(path, 0700) == 0);
    must(!journal_open(folder, &error) && strstr(error.text, path));
    must(rmdir(path) == 0);
    strbuf_free(&loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = slice_make((const char *)data, size), before = bytes;
    uint64_t random = fuzz_hash(bytes);
    if (!folder[0])
        make_folder();
    if (!size)
        bytes = before = SLICE("");
    before.len = slice_find(bytes, GS);
    check_decisions(before, slice_from(bytes, before.len + 1), random % 3 ? 1000 : (unsigned)(random % 7));
    if (random % 8 == 0)
        check_state(bytes);
    if (random % 8 == 1)
        check_obstacles(bytes);
    return 0;
}
