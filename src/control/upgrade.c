#include "upgrade.h"

#include "admin.h"
#include "base/log.h"
#include "bequest.h"
#include "channel.h"
#include "launch.h"
#include "membership.h"
#include "predecessor.h"
#include "reload.h"
#include "rollouts.h"
#include "service.h"
#include "task_journal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_LOOKS   40
#define LAST_LOOK_MS 5
#define TASKS_BYTES  (16 << 10) // of one message: escaped it is longer

enum upgrade_state {
    UPGRADE_NONE,
    UPGRADE_WAITING,  // for a reload to end
    UPGRADE_STARTING, // the new binary has the sockets
    UPGRADE_HANDED,   // … and state_dir
    UPGRADE_LEFT      // … and serves
};
struct upgrade {
    struct control *control;
    struct launch launch;
    enum upgrade_state state;
    struct channel *channel; // from STARTING on
    pid_t child;
    bool closed; // by the child
    struct event *late;
    void (*leave)(void *context);
    void *leave_context;
    uint64_t successes, failures;
};

static void move(struct upgrade *upgrade, enum upgrade_state to) {
    enum upgrade_state from = upgrade->state;
    must(to == UPGRADE_NONE || to == from + 1);
    must(from != UPGRADE_LEFT);
    upgrade->state = to;
}

static void say(struct upgrade *upgrade, struct strbuf *text, const int *fds, size_t count) {
    if (!channel_send(upgrade->channel, strbuf_as_slice(text), fds, count))
        log_error("the new binary is not told everything", "bytes=%zu", text->len);
    strbuf_free(text);
}

static void say_kind(struct upgrade *upgrade, enum bequest_kind kind) {
    struct strbuf text = {0};
    bequest_write(kind, &text);
    say(upgrade, &text, NULL, 0);
}

// ---- it goes wrong

// One that has let go of the channel is about to end: how it does so says more than our signal. 0: not yet.
static pid_t await_child(pid_t pid, int *status) {
    pid_t done = 0;
    for (int i = 0; i < LAST_LOOKS && done == 0; i++) {
        done = waitpid(pid, status, WNOHANG);
        if (done == 0)
            poll(NULL, 0, LAST_LOOK_MS);
    }
    return done;
}

// The journal's lock is free only when that process is gone.
static void end_child(struct upgrade *upgrade, char how[32]) {
    int status = 0;
    bool ended = upgrade->closed && await_child(upgrade->child, &status) == upgrade->child;
    if (!ended && kill(upgrade->child, SIGKILL) != 0)
        log_error("the new binary cannot be ended", "pid=%d error=\"%s\"", (int)upgrade->child,
                  strerror(errno));
    while (!ended && waitpid(upgrade->child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status))
        snprintf(how, 32, "exit %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        snprintf(how, 32, "signal %d", WTERMSIG(status));
    else
        snprintf(how, 32, "unknown");
    upgrade->child = -1;
}

static void take_back(struct upgrade *upgrade) {
    struct control *control = upgrade->control;
    task_journal_take_back(control->tasks);
    control->handed_over = false;
    rollouts_thaw(control->rollouts);
    admin_pause(control->admin, false);
}

static void give_up(struct upgrade *upgrade, const char *why) {
    char how[32];
    bool handed = upgrade->state == UPGRADE_HANDED;
    event_del(upgrade->late);
    channel_free(upgrade->channel);
    upgrade->channel = NULL;
    pid_t pid = upgrade->child;
    end_child(upgrade, how);
    if (handed)
        take_back(upgrade);
    move(upgrade, UPGRADE_NONE);
    upgrade->failures++;
    log_error("upgrade failed, this binary goes on", "reason=\"%s\" pid=%d ended=\"%s\"", why, (int)pid, how);
    service_ready("serving; the last upgrade failed, the log says why");
    reloader_let_go(upgrade->control->reloader);
}

static void on_late(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    give_up(context, "the new binary does not serve in time (upgrade_timeout)");
}

static void on_ended(void *context) {
    struct upgrade *upgrade = context;
    upgrade->closed = true;
    if (upgrade->state == UPGRADE_LEFT)
        log_error("the new binary has ended while this one finishes its requests", "pid=%d",
                  (int)upgrade->child);
    else
        give_up(upgrade, "the new binary has ended before it served");
}

// ---- what it asks

static void tell_tasks(struct slice lines, void *context) {
    while (lines.len) {
        size_t len = lines.len;
        if (len > TASKS_BYTES) {
            const char *end = memrchr(lines.at, '\n', TASKS_BYTES);
            len = end ? (size_t)(end - lines.at) + 1 : len;
        }
        struct strbuf text = {0};
        bequest_write_tasks(slice_make(lines.at, len), &text);
        say(context, &text, NULL, 0);
        lines = slice_from(lines, len);
    }
}

static void tell_endpoints(struct upgrade *upgrade) {
    const struct directory *directory = upgrade->control->directory;
    for (size_t i = 0; i < directory_count(directory); i++) {
        const struct pool *pool = directory_pool(directory, i);
        for (size_t k = 0; k < pool->endpoint_count; k++) {
            struct strbuf text = {0};
            if (bequest_write_endpoint(pool->endpoints[k], &text))
                say(upgrade, &text, NULL, 0);
        }
    }
}

static void tell_weights(struct upgrade *upgrade) {
    const struct publisher *publisher = upgrade->control->publisher;
    const struct plan *plan = publisher_plan(publisher);
    for (size_t i = 0; i < plan->config->route_count; i++) {
        struct strbuf text = {0};
        if (!publisher_by_command(publisher, i))
            continue;
        bequest_write_weights(&plan->config->routes[i], live_split(&plan->routes[i].live)->weight, &text);
        say(upgrade, &text, NULL, 0);
    }
}

// From here on nothing that could be changed is changed here; who calls the admin address waits in its queue
// for whoever has it next.
static void hand_over(struct upgrade *upgrade) {
    struct control *control = upgrade->control;
    struct error error;
    if (!rollouts_freeze(control->rollouts, &error)) {
        give_up(upgrade, error.text);
        return;
    }
    admin_pause(control->admin, true);
    control->handed_over = true;
    task_journal_pass(control->tasks, tell_tasks, upgrade);
    tell_endpoints(upgrade);
    tell_weights(upgrade);
    say_kind(upgrade, BEQUEST_YOURS);
    move(upgrade, UPGRADE_HANDED);
}

static bool is_taken(const char *configured, void *context) {
    return !bequest_left(context, configured);
}

static void leave(struct upgrade *upgrade, json_t *ready) {
    struct control *control = upgrade->control;
    struct lent_listener admin;
    event_del(upgrade->late);
    move(upgrade, UPGRADE_LEFT);
    upgrade->successes++;
    log_info("the new binary serves, this one finishes its requests", "pid=%d", (int)upgrade->child);
    data_plane_leave(control->plane, is_taken, ready);
    admin_lend(control->admin, &admin);
    admin_leave(control->admin, is_taken(admin.configured, ready));
    membership_hurry(control->membership); // the new one is a member itself
    service_main(upgrade->child);
    say_kind(upgrade, BEQUEST_MAIN);
    if (reloader_refuse(control->reloader, "a new binary has taken over meanwhile, and loads the file anew"))
        say_kind(upgrade, BEQUEST_RELOAD);
    upgrade->leave(upgrade->leave_context);
}

static void log_mistakes(const json_t *root) {
    const json_t *mistakes = json_object_get(root, "mistakes");
    for (size_t i = 0; i < json_array_size(mistakes); i++)
        log_error("configuration refused", "mistake=\"%s\"", json_string_value(json_array_get(mistakes, i)));
}

static void on_heard(const struct channel_mail *mail, void *context) {
    struct upgrade *upgrade = context;
    enum bequest_kind kind;
    json_t *root = bequest_parse(mail->text, &kind);
    for (size_t i = 0; i < mail->fd_count; i++)
        close(mail->fds[i]); // none is expected
    if (kind == BEQUEST_TAKE && upgrade->state == UPGRADE_STARTING) {
        hand_over(upgrade);
    } else if (kind == BEQUEST_READY && upgrade->state == UPGRADE_HANDED) {
        leave(upgrade, root);
    } else if (kind == BEQUEST_FAILED) {
        log_mistakes(root); // its end follows
    }
    json_decref(root);
}

// ---- the start

static void pass_listener(struct upgrade *upgrade, enum bequest_kind kind,
                          const struct lent_listener *listener) {
    for (size_t at = 0; at < listener->count; at += CHANNEL_FDS) {
        size_t count = listener->count - at < CHANNEL_FDS ? listener->count - at : CHANNEL_FDS;
        struct strbuf text = {0};
        bequest_write_listener(kind, listener, &text);
        say(upgrade, &text, listener->fds + at, count);
    }
}

static void greet(struct upgrade *upgrade) {
    const struct control *control = upgrade->control;
    struct strbuf text = {0};
    struct lent_listener listener;
    struct bequest_hello hello = {
        .version = control->options->version,
        .config_path = upgrade->launch.config_path,
        .upgrades = upgrade->successes,
        .failures = upgrade->failures,
    };
    tls_tickets_export(control->tickets, hello.tickets);
    bequest_write_hello(&hello, &text);
    channel_send(upgrade->channel, strbuf_as_slice(&text), NULL, 0);
    explicit_bzero(text.at, text.len);
    explicit_bzero(&hello, sizeof hello);
    strbuf_free(&text);
    for (size_t i = 0; i < data_plane_listener_count(control->plane); i++) {
        data_plane_lend(control->plane, i, &listener);
        pass_listener(upgrade, BEQUEST_LISTENER, &listener);
    }
    admin_lend(control->admin, &listener);
    pass_listener(upgrade, BEQUEST_ADMIN, &listener);
    say_kind(upgrade, BEQUEST_END);
}

static void refuse(struct upgrade *upgrade, const char *why) {
    move(upgrade, UPGRADE_NONE);
    upgrade->failures++;
    log_error("upgrade failed, this binary goes on", "reason=\"%s\"", why);
    service_ready("serving; the last upgrade failed, the log says why");
    reloader_let_go(upgrade->control->reloader);
}

static void start(void *context) {
    struct upgrade *upgrade = context;
    struct control *control = upgrade->control;
    struct error error;
    int pair[2];
    if (!channel_pair(pair)) {
        refuse(upgrade, strerror(errno));
        return;
    }
    service_reloading();
    upgrade->child = launch_again(&upgrade->launch, pair[1], &error);
    close(pair[1]);
    if (upgrade->child < 0) {
        close(pair[0]);
        refuse(upgrade, error.text);
        return;
    }
    move(upgrade, UPGRADE_STARTING);
    upgrade->closed = false;
    log_info("a new binary is starting", "program=%s pid=%d", upgrade->launch.program, (int)upgrade->child);
    upgrade->channel = channel_new(control->base, pair[0], on_heard, on_ended, upgrade);
    int64_t most = control->config->upgrade_timeout;
    struct timeval after = {.tv_sec = (time_t)(most / 1000), .tv_usec = (suseconds_t)(most % 1000 * 1000)};
    must(event_add(upgrade->late, &after) == 0);
    greet(upgrade);
}

void upgrade_begin(struct upgrade *upgrade) {
    if (upgrade->control->draining) {
        log_warn("no upgrade while stopping", "");
        return;
    }
    if (upgrade->state != UPGRADE_NONE) {
        log_warn("an upgrade is under way already", "pid=%d", (int)upgrade->child);
        return;
    }
    move(upgrade, UPGRADE_WAITING);
    reloader_hold(upgrade->control->reloader, start, upgrade);
}

void upgrade_cancel(struct upgrade *upgrade) {
    if (upgrade->state == UPGRADE_WAITING)
        refuse(upgrade, "the daemon is told to stop");
    else if (upgrade->state == UPGRADE_STARTING || upgrade->state == UPGRADE_HANDED)
        give_up(upgrade, "the daemon is told to stop");
}

// ---- life

struct upgrade *upgrade_new(struct control *control, void (*leave_now)(void *context), void *context) {
    struct upgrade *upgrade = mem_zero(1, sizeof *upgrade);
    upgrade->control = control;
    upgrade->leave = leave_now;
    upgrade->leave_context = context;
    upgrade->child = -1;
    upgrade->successes = predecessor_upgrades(control->predecessor, true);
    upgrade->failures = predecessor_upgrades(control->predecessor, false);
    launch_read(&upgrade->launch, control->options->config_path);
    upgrade->late = evtimer_new(control->base, on_late, upgrade);
    must(upgrade->late != NULL);
    return upgrade;
}

void upgrade_free(struct upgrade *upgrade) {
    if (!upgrade)
        return;
    upgrade_cancel(upgrade);
    event_free(upgrade->late);
    channel_free(upgrade->channel);
    launch_free(&upgrade->launch);
    mem_free(upgrade);
}

bool upgrade_left(const struct upgrade *upgrade) {
    return upgrade->state == UPGRADE_LEFT;
}

uint64_t upgrade_count(const struct upgrade *upgrade, bool success) {
    if (!upgrade)
        return 0;
    return success ? upgrade->successes : upgrade->failures;
}
