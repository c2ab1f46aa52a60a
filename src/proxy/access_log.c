#include "access_log.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "batch.h"
#include "io/mailbox.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

// A lane hands its lines over when it holds this much, or after this long.
#define LANE_BYTES 32768
#define LANE_MS    200

enum log_message_kind { LOG_LINES, LOG_SWITCH, LOG_STOP };
struct log_message {
    struct message message;
    struct strbuf lines; // LOG_LINES
    unsigned count;
    int fd; // LOG_SWITCH
};

struct access_log {
    struct mailbox mailbox; // to the writer
    pthread_t thread;
    bool running;
    char *path;
    atomic_bool on;
    atomic_size_t queued; // bytes on their way to the writer
    atomic_ullong dropped;
    // the writer's
    int fd;
    size_t piece; // bytes of one write, which it takes without waiting when it polls writable
    bool stuck;   // it took nothing for PATIENCE_MS: lines are lost without waiting again
    bool torn;    // the last line has no end
    bool losing;  // … and it was said
};

struct log_lane {
    struct access_log *log;
    struct batch batch; // of lines
};

// ---- the writer

// Who reads a pipe may be slow, but not for ever: the daemon is to end, and to switch to another file.
#define PATIENCE_MS 1000

static bool wait_for_room(struct access_log *log) {
    struct pollfd room = {.fd = log->fd, .events = POLLOUT};
    int n;
    do
        n = poll(&room, 1, log->stuck ? 0 : PATIENCE_MS);
    while (n < 0 && errno == EINTR);
    log->stuck = n <= 0;
    return !log->stuck;
}

// Returns how much was written; errno says why it was not all.
static size_t write_all(struct access_log *log, const char *at, size_t len) {
    size_t done = 0;
    while (log->fd >= 0 && done < len) {
        size_t piece = len - done < log->piece ? len - done : log->piece;
        errno = EAGAIN;
        ssize_t n = wait_for_room(log) ? write(log->fd, at + done, piece) : -1;
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            break;
    }
    return done;
}

// Told once, and again when it is over.
static void note(struct access_log *log, bool written) {
    if (!written && !log->losing && log->fd >= 0)
        log_warn("access log lines are lost", "error=\"%s\"",
                 log->stuck ? "nobody reads them" : strerror(errno));
    if (written && log->losing)
        log_info("the access log is written again", "lost=%llu",
                 (unsigned long long)atomic_load(&log->dropped));
    log->losing = !written;
}

// A full disk or a broken pipe loses lines, counted, never requests.
static void write_lines(struct access_log *log, const struct log_message *message) {
    size_t done = 0;
    if (!log->torn || write_all(log, "\n", 1) == 1) {
        log->torn = false;
        done = write_all(log, message->lines.at, message->lines.len);
        log->torn = done > 0 && message->lines.at[done - 1] != '\n';
    }
    bool written = done == message->lines.len;
    if (!written)
        atomic_fetch_add(&log->dropped, message->count);
    note(log, written);
    atomic_fetch_sub(&log->queued, message->lines.len);
}

static void take_file(struct access_log *log, int fd) {
    struct stat info;
    log->fd = fd;
    log->piece = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? SIZE_MAX : PIPE_BUF;
    log->stuck = log->torn = false;
}

static bool handle(struct access_log *log, struct log_message *message) {
    bool go_on = message->message.kind != LOG_STOP;
    if (message->message.kind == LOG_LINES) {
        write_lines(log, message);
    } else if (message->message.kind == LOG_SWITCH) {
        if (log->fd >= 0)
            close(log->fd);
        take_file(log, message->fd);
    }
    strbuf_free(&message->lines);
    mem_free(message);
    return go_on;
}

static void *run(void *context) {
    struct access_log *log = context;
    bool go_on = true;
    prctl(PR_SET_NAME, "access-log");
    while (go_on) {
        struct pollfd wait = {.fd = log->mailbox.wake_fd, .events = POLLIN};
        poll(&wait, 1, -1);
        struct message *message = mailbox_take(&log->mailbox);
        while (message) {
            struct message *next = message->next;
            go_on = handle(log, (struct log_message *)message) && go_on;
            message = next;
        }
    }
    if (log->fd >= 0)
        close(log->fd);
    return NULL;
}

static struct log_message *message_new(enum log_message_kind kind) {
    struct log_message *message = mem_zero(1, sizeof *message);
    message->message.kind = (int)kind;
    message->fd = -1;
    return message;
}

// ---- control thread

struct access_log *access_log_new(void) {
    struct access_log *log = mem_zero(1, sizeof *log);
    struct error error;
    must(mailbox_open(&log->mailbox, &error));
    log->fd = -1;
    return log;
}

int access_log_open(const char *path, struct error *error) {
    if (!path)
        return -1;
    int fd = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd >= 0)
        return fd;
    error_set(error, "cannot open the access log %s: %s", path, strerror(errno));
    return -2;
}

static bool start(struct access_log *log, struct error *error) {
    if (log->running)
        return true;
    int code = pthread_create(&log->thread, NULL, run, log);
    if (code != 0)
        return error_set(error, "cannot start the access log's thread: %s", strerror(code));
    log->running = true;
    return true;
}

bool access_log_switch(struct access_log *log, const char *path, int fd, struct error *error) {
    if (fd >= 0 && !start(log, error)) {
        close(fd);
        return false;
    }
    if (log->path != path) {
        mem_free(log->path);
        log->path = mem_copy_string(path);
    }
    if (log->running) {
        struct log_message *message = message_new(LOG_SWITCH);
        message->fd = fd;
        mailbox_post(&log->mailbox, &message->message);
    }
    atomic_store(&log->on, fd >= 0);
    return true;
}

const char *access_log_path(const struct access_log *log) {
    return log->path;
}

void access_log_reopen(struct access_log *log) {
    struct error error;
    if (!log->path)
        return;
    int fd = access_log_open(log->path, &error);
    if (fd < 0 || !access_log_switch(log, log->path, fd, &error))
        log_error("access log not reopened, the old file is written on", "error=\"%s\"", error.text);
    else
        log_info("access log reopened", "path=%s", log->path);
}

void access_log_free(struct access_log *log) {
    if (log->running) {
        mailbox_post(&log->mailbox, &message_new(LOG_STOP)->message);
        pthread_join(log->thread, NULL);
    }
    struct message *message = mailbox_take(&log->mailbox); // lines that came after the writer had ended
    while (message) {
        struct message *next = message->next;
        handle(log, (struct log_message *)message);
        message = next;
    }
    mailbox_close(&log->mailbox);
    mem_free(log->path);
    mem_free(log);
}

uint64_t access_log_dropped(const struct access_log *log) {
    return atomic_load(&log->dropped);
}

// ---- workers

static void hand_over(struct batch *batch) {
    struct log_lane *lane = list_entry(batch, struct log_lane, batch);
    struct access_log *log = lane->log;
    if (atomic_load(&log->queued) > LOG_BACKLOG) {
        atomic_fetch_add(&log->dropped, batch->count);
        strbuf_clear(&batch->text);
        return;
    }
    struct log_message *message = message_new(LOG_LINES);
    message->count = batch->count;
    message->lines = batch_take(batch);
    atomic_fetch_add(&log->queued, message->lines.len);
    mailbox_post(&log->mailbox, &message->message);
}

struct log_lane *log_lane_new(struct access_log *log, struct event_base *base) {
    struct log_lane *lane = mem_zero(1, sizeof *lane);
    lane->log = log;
    batch_init(&lane->batch, base, LANE_BYTES, LANE_MS, hand_over);
    return lane;
}

void log_lane_free(struct log_lane *lane) {
    batch_end(&lane->batch);
    mem_free(lane);
}

bool log_lane_on(const struct log_lane *lane) {
    return atomic_load_explicit(&lane->log->on, memory_order_relaxed);
}

struct strbuf *log_lane_line(struct log_lane *lane) {
    return batch_open(&lane->batch);
}

void log_lane_done(struct log_lane *lane) {
    batch_done(&lane->batch);
}
