#include "access_log.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/mailbox.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

// A lane hands its lines over when it holds this much, or after this long.
#define LANE_BYTES 32768
#define LANE_MS    200
#define LANE_SPARE 4096 // room for the line that fills it, as a rule

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
    int fd; // the writer's
};

struct log_lane {
    struct access_log *log;
    struct event timer;
    struct strbuf lines;
    unsigned count;
};

// ---- the writer

// A full disk or a broken pipe loses lines, counted, never requests.
static void write_lines(struct access_log *log, const struct log_message *message) {
    size_t done = 0;
    while (log->fd >= 0 && done < message->lines.len) {
        ssize_t n = write(log->fd, message->lines.at + done, message->lines.len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            break;
    }
    if (done < message->lines.len)
        atomic_fetch_add(&log->dropped, message->count);
    atomic_fetch_sub(&log->queued, message->lines.len);
}

static bool handle(struct access_log *log, struct log_message *message) {
    bool go_on = message->message.kind != LOG_STOP;
    if (message->message.kind == LOG_LINES) {
        write_lines(log, message);
    } else if (message->message.kind == LOG_SWITCH) {
        if (log->fd >= 0)
            close(log->fd);
        log->fd = message->fd;
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

static void hand_over(struct log_lane *lane) {
    struct access_log *log = lane->log;
    if (lane->lines.len == 0)
        return;
    if (atomic_load(&log->queued) > LOG_BACKLOG) {
        atomic_fetch_add(&log->dropped, lane->count);
        strbuf_clear(&lane->lines);
    } else {
        struct log_message *message = message_new(LOG_LINES);
        message->lines = lane->lines;
        message->count = lane->count;
        lane->lines = (struct strbuf){0};
        atomic_fetch_add(&log->queued, message->lines.len);
        mailbox_post(&log->mailbox, &message->message);
    }
    lane->count = 0;
}

static void lane_due(int fd, short what, void *context) {
    (void)fd;
    (void)what;
    hand_over(context);
}

struct log_lane *log_lane_new(struct access_log *log, struct event_base *base) {
    struct log_lane *lane = mem_zero(1, sizeof *lane);
    lane->log = log;
    event_assign(&lane->timer, base, -1, 0, lane_due, lane);
    return lane;
}

void log_lane_free(struct log_lane *lane) {
    hand_over(lane);
    event_del(&lane->timer);
    strbuf_free(&lane->lines);
    mem_free(lane);
}

bool log_lane_on(const struct log_lane *lane) {
    return atomic_load_explicit(&lane->log->on, memory_order_relaxed);
}

struct strbuf *log_lane_line(struct log_lane *lane) {
    if (lane->lines.len == 0) {
        struct timeval wait = {.tv_usec = LANE_MS * 1000};
        event_add(&lane->timer, &wait);
        strbuf_reserve(&lane->lines, LANE_BYTES + LANE_SPARE);
    }
    return &lane->lines;
}

void log_lane_done(struct log_lane *lane) {
    lane->count++;
    if (lane->lines.len < LANE_BYTES)
        return;
    event_del(&lane->timer);
    hand_over(lane);
}
