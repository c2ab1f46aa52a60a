#include "task_journal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/exposition.h"
#include "traffic/pointer.h"
#include "traffic/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// The file is written anew when it is as large, and has grown to four times what it was then.
#define COMPACT_FROM (1024 * 1024)

struct task_journal {
    char *path, *fresh_path;
    int fd; // -1: none: tasks are known only while the daemon runs
    bool opened, failing;
    off_t size, compact_at;
    struct tasks **tables;
    size_t count, room;
    void (*tell)(struct slice lines, void *context); // NULL: the file is ours
    void *tell_context;
};

static char *join(const char *folder, const char *name) {
    struct strbuf path = {0};
    strbuf_format(&path, "%s/%s", folder, name);
    char *copy = mem_copy_string(strbuf_text(&path));
    strbuf_free(&path);
    return copy;
}

struct task_journal *task_journal_new(const char *state_dir) {
    struct task_journal *journal = mem_zero(1, sizeof *journal);
    journal->path = join(state_dir, "tasks.jsonl");
    journal->fresh_path = join(state_dir, "tasks.new");
    journal->fd = -1;
    return journal;
}

void task_journal_free(struct task_journal *journal) {
    if (!journal)
        return;
    task_journal_write(journal);
    task_journal_tick(journal);
    for (size_t i = 0; i < journal->count; i++)
        tasks_free(journal->tables[i]);
    if (journal->fd >= 0)
        close(journal->fd);
    mem_free(journal->tables);
    mem_free(journal->path);
    mem_free(journal->fresh_path);
    mem_free(journal);
}

static struct tasks *find(const struct task_journal *journal, const char *route) {
    for (size_t i = 0; i < journal->count; i++)
        if (strcmp(tasks_route(journal->tables[i]), route) == 0)
            return journal->tables[i];
    return NULL;
}

static struct tasks *table_of(struct task_journal *journal, const char *route) {
    struct tasks *found = find(journal, route);
    if (found)
        return found;
    if (journal->count == journal->room) {
        journal->room = journal->room ? 2 * journal->room : 8;
        journal->tables = mem_resize(journal->tables, journal->room * sizeof *journal->tables);
    }
    return journal->tables[journal->count++] = tasks_new(route);
}

// ---- reading

#define LATEST_MS 9007199254740992.0 // 2^53: up to there JSON's numbers are whole

static bool read_line(struct task_journal *journal, struct slice line, struct arena *arena) {
    struct document *document = document_parse(line);
    if (!document)
        return false;
    struct slice route = document_scalar(document, "/route", arena),
                 id = document_scalar(document, "/id", arena),
                 variant = document_scalar(document, "/variant", arena),
                 endpoint = document_scalar(document, "/endpoint", arena);
    double used_ms;
    bool whole = route.len && id.len && variant.len && endpoint.len &&
                 document_number(document, "/used_ms", &used_ms) && used_ms > 0 && used_ms <= LATEST_MS;
    if (whole) {
        struct task_home home = {arena_string(arena, variant), arena_string(arena, endpoint)};
        tasks_learn(table_of(journal, arena_string(arena, route)), id, &home, (uint64_t)used_ms);
    }
    document_free(document);
    arena_reset(arena);
    return whole;
}

static void replay(struct task_journal *journal) {
    struct strbuf text = {0}, forgotten = {0};
    struct arena arena;
    size_t lines = 0, broken = 0;
    arena_init(&arena, 4096);
    if (!file_read_all(journal->fd, &text, SIZE_MAX))
        log_warn("tasks cannot be read to the end", "file=%s error=\"%s\"", journal->path, strerror(errno));
    journal->size = (off_t)text.len;
    for (struct slice rest = strbuf_as_slice(&text); rest.at && rest.len;) {
        struct slice line = slice_cut(&rest, '\n');
        lines += line.len > 0;
        broken += line.len && !read_line(journal, line, &arena);
    }
    for (size_t i = 0; i < journal->count; i++) // they are written down already
        tasks_fresh(journal->tables[i], &forgotten);
    if (lines)
        log_info("tasks read", "file=%s lines=%zu broken=%zu", journal->path, lines, broken);
    // What a torn line is followed by must not become part of it.
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a slice with a length has bytes
    if (text.len && text.at[text.len - 1] != '\n' && write(journal->fd, "\n", 1) == 1)
        journal->size++;
    arena_free(&arena);
    strbuf_free(&text);
    strbuf_free(&forgotten);
}

// Whether the file is one, and nobody else's; errno says why not. (Two daemons that append to it would each
// replace it by what they know alone.)
static bool fit(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    errno = EINVAL; // a device in its place may have no end
    return S_ISREG(status.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void open_file(struct task_journal *journal) {
    journal->opened = true;
    journal->fd = open(journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (journal->fd < 0 || !fit(journal->fd)) {
        log_warn("tasks will not survive a restart", "file=%s error=\"%s\"", journal->path,
                 errno == EWOULDBLOCK ? "another sluice uses it" : strerror(errno));
        if (journal->fd >= 0)
            close(journal->fd);
        journal->fd = -1;
        return;
    }
    replay(journal);
    journal->compact_at = COMPACT_FROM;
}

// ---- writing

// Told once, and again when it is over.
static void note(struct task_journal *journal, bool written) {
    if (!written && !journal->failing)
        log_warn("tasks cannot be written", "file=%s error=\"%s\"", journal->path, strerror(errno));
    if (written && journal->failing)
        log_info("tasks can be written again", "file=%s", journal->path);
    journal->failing = !written;
}

// All that is known, in place of all that ever was.
static bool write_anew(struct task_journal *journal) {
    struct strbuf text = {0};
    for (size_t i = 0; i < journal->count; i++)
        tasks_all(journal->tables[i], &text);
    int fd = open(journal->fresh_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
    bool written = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
                   file_write_all(fd, strbuf_as_slice(&text)) && fdatasync(fd) == 0 &&
                   rename(journal->fresh_path, journal->path) == 0;
    if (written) {
        close(journal->fd);
        journal->fd = fd;
        journal->size = (off_t)text.len;
    } else if (fd >= 0) {
        int code = errno;
        close(fd);
        unlink(journal->fresh_path); // half a file only takes what room there is
        errno = code;
    }
    journal->compact_at = 4 * journal->size > COMPACT_FROM ? 4 * journal->size : COMPACT_FROM;
    strbuf_free(&text);
    return written;
}

void task_journal_write(struct task_journal *journal) {
    struct strbuf text = {0};
    for (size_t i = 0; i < journal->count; i++)
        tasks_fresh(journal->tables[i], &text);
    // After a failure what is new is in the tables all the same, and the next file has it: a full disk must
    // not be offered everything once more with each task.
    if (journal->tell && text.len)
        journal->tell(strbuf_as_slice(&text), journal->tell_context);
    if (journal->fd >= 0 && text.len && !journal->failing) {
        bool appended = file_write_all(journal->fd, strbuf_as_slice(&text));
        journal->size += (off_t)text.len;
        note(journal, appended && (journal->size < journal->compact_at || write_anew(journal)));
    }
    strbuf_free(&text);
}

// ---- another process

void task_journal_pass(struct task_journal *journal, void (*tell)(struct slice lines, void *context),
                       void *context) {
    task_journal_write(journal);
    task_journal_tick(journal);
    if (journal->fd >= 0)
        close(journal->fd);
    journal->fd = -1;
    journal->failing = false;
    journal->tell = tell;
    journal->tell_context = context;
}

void task_journal_take_back(struct task_journal *journal) {
    journal->tell = NULL;
    if (!journal->opened)
        return;
    open_file(journal);
    if (journal->fd >= 0) // what was told meanwhile is in no file
        note(journal, write_anew(journal));
}

void task_journal_learn(struct task_journal *journal, struct slice lines) {
    struct arena arena;
    size_t broken = 0;
    arena_init(&arena, 4096);
    while (lines.at && lines.len) {
        struct slice line = slice_cut(&lines, '\n');
        broken += line.len && !read_line(journal, line, &arena);
    }
    arena_free(&arena);
    if (broken)
        log_warn("tasks of another process cannot be read", "lines=%zu", broken);
    task_journal_write(journal);
}

void task_journal_tick(struct task_journal *journal) {
    if (journal->failing)
        note(journal, write_anew(journal));
}

// ---- the configuration

void task_journal_equip(struct task_journal *journal, struct plan *plan) {
    for (size_t i = 0; i < plan->config->route_count; i++) {
        const struct route_config *route = &plan->config->routes[i];
        if (!route->affinity)
            continue;
        if (!journal->opened)
            open_file(journal);
        plan->routes[i].tasks = table_of(journal, route->name);
    }
}

void task_journal_adopt(struct task_journal *journal, const struct config *config) {
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];
        if (route->affinity)
            tasks_limit(table_of(journal, route->name), (size_t)route->affinity->size, route->affinity->ttl);
    }
}

uint64_t task_journal_known(struct task_journal *journal, const char *route) {
    struct tasks *tasks = find(journal, route);
    struct tasks_figures figures = {0, 0, 0};
    if (tasks)
        tasks_read(tasks, &figures);
    return figures.known;
}

void task_journal_metrics(struct task_journal *journal, const struct config *config, struct exposition *out) {
    exposition_family(out, FAMILY_TASKS);
    for (size_t i = 0; i < config->route_count; i++) {
        struct label label = {"route", config->routes[i].name};
        if (config->routes[i].affinity)
            exposition_u64(out, FAMILY_TASKS, &label, 1, task_journal_known(journal, label.value));
    }
    exposition_family(out, FAMILY_TASK_REQUESTS);
    for (size_t i = 0; i < config->route_count; i++) {
        struct tasks_figures figures;
        if (!config->routes[i].affinity)
            continue;
        tasks_read(table_of(journal, config->routes[i].name), &figures);
        struct label labels[] = {{"route", config->routes[i].name}, {"result", "found"}};
        exposition_u64(out, FAMILY_TASK_REQUESTS, labels, 2, figures.found);
        labels[1].value = "gone";
        exposition_u64(out, FAMILY_TASK_REQUESTS, labels, 2, figures.gone);
    }
}
