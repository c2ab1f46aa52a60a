#include "journal.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DECISIONS_BYTES (16 * 1024 * 1024) // of one file of decisions
#define STATE_BYTES     (4 * 1024 * 1024)  // more is no state of ours

struct journal {
    char *folder, *states, *decisions, *decisions_before;
    int lock, states_fd, decisions_fd;
    bool torn; // half a line stands at the end of the decisions and could not be taken back
    off_t decisions_bytes;
};

static char *path_of(const char *folder, const char *name) {
    struct strbuf path = {0};
    strbuf_format(&path, "%s/%s", folder, name);
    char *copy = mem_copy_string(strbuf_text(&path));
    strbuf_free(&path);
    return copy;
}

// ---- open

static bool make_folder(const char *path, struct error *error) {
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return true;
    error_set(error, "cannot make %s: %s", path, strerror(errno));
    return false;
}

static bool take_lock(struct journal *journal, struct error *error) {
    char *path = path_of(journal->folder, "lock");
    journal->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    bool taken = journal->lock >= 0 && flock(journal->lock, LOCK_EX | LOCK_NB) == 0;
    if (!taken && journal->lock >= 0 && errno == EWOULDBLOCK)
        error_set(error, "another sluice runs on %s; every daemon needs a state_dir of its own",
                  journal->folder);
    else if (!taken)
        error_set(error, "cannot lock %s: %s", path, strerror(errno));
    mem_free(path);
    return taken;
}

// Where the last whole line ends.
static bool find_end(int fd, off_t size, off_t *end) {
    char piece[4096];
    for (off_t at = size; at > 0;) {
        size_t want = at < (off_t)sizeof piece ? (size_t)at : sizeof piece;
        ssize_t n = pread(fd, piece, want, at - (off_t)want);
        if (n != (ssize_t)want)
            return false;
        const char *found = memrchr(piece, '\n', want);
        if (found) {
            *end = at - (off_t)want + (found - piece) + 1;
            return true;
        }
        at -= (off_t)want;
    }
    *end = 0;
    return true;
}

static bool open_decisions(struct journal *journal, struct error *error) {
    struct stat info;
    off_t end;
    journal->decisions_fd = open(journal->decisions, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    bool ready = journal->decisions_fd >= 0 && fstat(journal->decisions_fd, &info) == 0 &&
                 find_end(journal->decisions_fd, info.st_size, &end) &&
                 (end == info.st_size || ftruncate(journal->decisions_fd, end) == 0);
    if (!ready)
        error_set(error, "cannot open %s: %s", journal->decisions, strerror(errno));
    else
        journal->decisions_bytes = end;
    journal->torn = false;
    return ready;
}

static bool open_states(struct journal *journal, struct error *error) {
    journal->states_fd = open(journal->states, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->states_fd >= 0 && faccessat(journal->states_fd, ".", W_OK | X_OK, 0) == 0)
        return true;
    error_set(error, "cannot write to %s: %s", journal->states, strerror(errno));
    return false;
}

struct journal *journal_open(const char *state_dir, struct error *error) {
    struct journal *journal = mem_zero(1, sizeof *journal);
    journal->folder = mem_copy_string(state_dir);
    journal->states = path_of(state_dir, "rollouts");
    journal->decisions = path_of(state_dir, "decisions.jsonl");
    journal->decisions_before = path_of(state_dir, "decisions.1.jsonl");
    journal->lock = journal->states_fd = journal->decisions_fd = -1;
    if (make_folder(state_dir, error) && take_lock(journal, error) && make_folder(journal->states, error) &&
        open_states(journal, error) && open_decisions(journal, error))
        return journal;
    journal_close(journal);
    return NULL;
}

static void close_if_open(int fd) {
    if (fd >= 0)
        close(fd);
}

void journal_close(struct journal *journal) {
    if (!journal)
        return;
    close_if_open(journal->decisions_fd);
    close_if_open(journal->states_fd);
    close_if_open(journal->lock);
    mem_free(journal->folder);
    mem_free(journal->states);
    mem_free(journal->decisions);
    mem_free(journal->decisions_before);
    mem_free(journal);
}

void journal_release(struct journal *journal) {
    close_if_open(journal->decisions_fd);
    close_if_open(journal->lock);
    journal->decisions_fd = journal->lock = -1;
}

bool journal_retake(struct journal *journal, struct error *error) {
    if (take_lock(journal, error) && open_decisions(journal, error))
        return true;
    journal_release(journal);
    return false;
}

static bool ours(const struct journal *journal, struct error *error) {
    return journal->lock >= 0 || error_set(error, "%s was handed over to another process", journal->folder);
}

// ---- decisions

static void rotate(struct journal *journal) {
    struct error ignored;
    if (journal->decisions_bytes < DECISIONS_BYTES ||
        rename(journal->decisions, journal->decisions_before) != 0)
        return;
    int before = journal->decisions_fd;
    if (open_decisions(journal, &ignored))
        close(before);
    else
        journal->decisions_fd = before; // goes on in the old one
}

// The line did not get there whole, and must not be the beginning of the next one.
static void take_back(struct journal *journal, struct error *error) {
    error_set(error, "cannot write to %s: %s", journal->decisions, strerror(errno));
    journal->torn = ftruncate(journal->decisions_fd, journal->decisions_bytes) != 0;
    if (journal->torn)
        error_set(error, "cannot write to %s, nor take back half a line: %s", journal->decisions,
                  strerror(errno));
}

bool journal_decide(struct journal *journal, struct slice line, struct error *error) {
    if (!ours(journal, error))
        return false;
    rotate(journal);
    struct strbuf whole = {0};
    strbuf_string(&whole, journal->torn ? "\n" : "");
    strbuf_slice(&whole, line);
    strbuf_char(&whole, '\n');
    bool written = file_write_all(journal->decisions_fd, strbuf_as_slice(&whole)) &&
                   fdatasync(journal->decisions_fd) == 0;
    struct stat info;
    if (!written)
        take_back(journal, error);
    else if (fstat(journal->decisions_fd, &info) == 0)
        journal->decisions_bytes = info.st_size;
    journal->torn = journal->torn && !written;
    strbuf_free(&whole);
    return written;
}

static void read_file(const char *path, struct strbuf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    size_t before = out->len;
    if (!file_read_all(fd, out, 4 * (size_t)DECISIONS_BYTES))
        out->len = before;
    while (out->len > before && out->at[out->len - 1] != '\n') // half a line is no decision
        out->len--;
    close(fd);
}

void journal_read(struct journal *journal, unsigned last, bool (*wanted)(struct slice line, void *context),
                  void (*visit)(struct slice line, void *context), void *context) {
    struct strbuf text = {0};
    read_file(journal->decisions_before, &text);
    read_file(journal->decisions, &text);
    struct slice *lines = mem_zero(last + 1, sizeof *lines);
    size_t count = 0;
    struct slice rest = strbuf_as_slice(&text);
    while (rest.len && last) { // a ring of the newest
        struct slice line = slice_cut(&rest, '\n');
        if (line.len && wanted(line, context))
            lines[count++ % last] = line;
    }
    size_t first = count > last ? count - last : 0;
    for (size_t i = first; i < count; i++)
        visit(lines[i % last], context);
    mem_free(lines);
    strbuf_free(&text);
}

// ---- states

// Letters, digits, `-` and `_` as they are: no name of a route can leave the folder.
static void file_name(const char *route, char *name, size_t size, const char *extension) {
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (const char *at = route; *at && used + 16 < size; at++) {
        unsigned char c = (unsigned char)*at;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '_') {
            name[used++] = (char)c;
        } else {
            name[used++] = '%';
            name[used++] = digits[c >> 4];
            name[used++] = digits[c & 15];
        }
    }
    memcpy(name + used, extension, strlen(extension) + 1);
}

// Somebody may have taken the folder away, or put another in its place.
static bool in_place(const struct journal *journal) {
    struct stat held, named;
    return fstat(journal->states_fd, &held) == 0 && stat(journal->states, &named) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static bool reopen_states(struct journal *journal, struct error *error) {
    int before = journal->states_fd;
    if (make_folder(journal->states, error) && open_states(journal, error)) {
        close(before);
        return true;
    }
    close_if_open(journal->states_fd == before ? -1 : journal->states_fd);
    journal->states_fd = before;
    return false;
}

bool journal_save(struct journal *journal, const char *route, struct slice state, struct error *error) {
    char name[NAME_MAX + 1], fresh[NAME_MAX + 1];
    file_name(route, name, sizeof name, ".json");
    file_name(route, fresh, sizeof fresh, ".new");
    if (!ours(journal, error) || (!in_place(journal) && !reopen_states(journal, error)))
        return false;
    int fd = openat(journal->states_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool saved = fd >= 0 && file_write_all(fd, state) && fsync(fd) == 0;
    if (fd >= 0)
        saved = close(fd) == 0 && saved;
    saved = saved && renameat(journal->states_fd, fresh, journal->states_fd, name) == 0 &&
            fsync(journal->states_fd) == 0;
    if (saved)
        return true;
    error_set(error, "cannot save the state of route %s in %s: %s", route, journal->states, strerror(errno));
    unlinkat(journal->states_fd, fresh, 0);
    return false;
}

enum journal_found journal_load(struct journal *journal, const char *route, struct strbuf *state,
                                struct error *error) {
    char name[NAME_MAX + 1];
    file_name(route, name, sizeof name, ".json");
    int fd = openat(journal->states_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return JOURNAL_NOTHING;
    bool read = fd >= 0 && file_read_all(fd, state, STATE_BYTES);
    if (!read)
        error_set(error, "cannot read %s/%s: %s", journal->states, name, strerror(errno));
    if (fd >= 0)
        close(fd);
    return read ? JOURNAL_FOUND : JOURNAL_UNREADABLE;
}
