#include "control/daemon.h"

#include "admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "control.h"
#include "events.h"
#include "id_key.h"
#include "process.h"
#include "reload.h"
#include "rollouts.h"
#include "scores.h"
#include "seen.h"
#include "status_json.h"
#include "task_journal.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIGNALS             6
#define FEEDBACK_REMEMBERED 100000 // ids; a score posted again within so many is not counted twice
#define FAREWELL_NS         (UINT64_C(2) * NS_PER_S) // at most, for what nobody has been told yet
#define SCORE_NAMES         1000                     // of sluice_score that are told apart
#define EVENTS_INTERVAL_MS  1000

struct daemon { // what only the process's life needs; the parts are in control
    struct control control;
    struct event *signals[SIGNALS];
    struct event *tick, *grace;
    int exit_code;
};

enum readiness control_readiness(const struct control *control) {
    if (control->draining)
        return READY_NOT_DRAINING;
    if (!control->config || control->adoption.reached == 0)
        return READY_NOT_STARTED;
    for (size_t i = 0; i < directory_count(control->directory); i++) {
        const struct pool *pool = directory_pool(control->directory, i);
        for (size_t k = 0; k < pool->endpoint_count; k++)
            if (endpoint_ready(pool->endpoints[k]))
                return READY;
    }
    return READY_NOT_ENDPOINTS;
}

// ---- what the data plane tells

static void on_failing(struct endpoint *endpoint, void *context) {
    ejector_failing(((struct daemon *)context)->control.ejector, endpoint);
}

static void on_adopted(uint64_t number, uint64_t at_ns, void *context) {
    struct control *control = &((struct daemon *)context)->control;
    publisher_adopted(control->publisher, number, at_ns);
    adoption_note(&control->adoption, number);
}

static void on_learned(void *context) {
    struct daemon *daemon = context;
    task_journal_write(daemon->control.tasks);
}

static void on_drained(void *context) {
    struct daemon *daemon = context;
    log_info("drained", "connections=%llu",
             (unsigned long long)data_plane_connections(daemon->control.plane));
    event_base_loopbreak(daemon->control.base);
}

static void write_status(const void *context, struct strbuf *out) {
    status_write(context, out);
}

static void on_decided(struct slice decision, void *context) {
    events_tell(context, "decision", decision);
}

// ---- signals and timers

static void on_grace_over(int fd, short what, void *context) {
    (void)fd, (void)what;
    struct daemon *daemon = context;
    log_warn("shutdown_grace is over, what is left is cut off", "connections=%llu",
             (unsigned long long)data_plane_connections(daemon->control.plane));
    event_base_loopbreak(daemon->control.base);
}

static void on_terminate(int number, short what, void *context) {
    (void)what;
    struct daemon *daemon = context;
    struct control *control = &daemon->control;
    if (control->draining) {
        log_warn("told to stop a second time", "signal=%s", strsignal(number));
        daemon->exit_code = 1;
        event_base_loopbreak(control->base);
        return;
    }
    int64_t grace = control->config->shutdown_grace;
    log_info("stopping, requests may finish", "signal=%s grace_ms=%lld", strsignal(number), (long long)grace);
    control->draining = true;
    events_end(control->events); // who follows would keep the process
    data_plane_drain(control->plane);
    if (grace == DURATION_OFF)
        return;
    struct timeval after = {.tv_sec = (time_t)(grace / 1000), .tv_usec = (suseconds_t)(grace % 1000 * 1000)};
    event_add(daemon->grace, &after);
}

static void on_hangup(int number, short what, void *context) {
    (void)number, (void)what;
    struct control *control = &((struct daemon *)context)->control;
    if (control->draining)
        log_warn("no reload while stopping", "");
    else
        reloader_request(control->reloader, NULL, NULL);
}

static void on_user1(int number, short what, void *context) {
    (void)number, (void)what;
    data_plane_reopen_log(((struct daemon *)context)->control.plane);
    log_info("logs reopened", "");
}

static void on_user2(int number, short what, void *context) {
    (void)number, (void)what, (void)context;
    log_warn("a new binary with the same sockets is not available yet", "signal=USR2");
}

static void on_tick(int fd, short what, void *context) {
    (void)fd, (void)what;
    struct control *control = &((struct daemon *)context)->control;
    rates_tick(control->rates, clock_monotonic_ns(), clock_wall_ms());
    registry_sweep(control->registry);
    certificates_tick(&control->certificates, clock_wall_ms());
    task_journal_tick(control->tasks);
}

static void add_events(struct daemon *daemon) {
    static const struct {
        int number;
        event_callback_fn noted;
    } wanted[SIGNALS] = {{SIGTERM, on_terminate},
                         {SIGINT, on_terminate},
                         {SIGHUP, on_hangup},
                         {SIGUSR1, on_user1},
                         {SIGUSR2, on_user2}};
    struct event_base *base = daemon->control.base;
    for (unsigned i = 0; i < SIGNALS && wanted[i].number; i++) {
        daemon->signals[i] = evsignal_new(base, wanted[i].number, wanted[i].noted, daemon);
        must(daemon->signals[i] && event_add(daemon->signals[i], NULL) == 0);
    }
    struct timeval every = {.tv_sec = RATES_SLOT_SECONDS};
    daemon->tick = event_new(base, -1, EV_PERSIST, on_tick, daemon);
    daemon->grace = evtimer_new(base, on_grace_over, daemon);
    must(daemon->tick && daemon->grace && event_add(daemon->tick, &every) == 0);
}

// ---- start

// Nothing is written there without rollouts, so a directory that cannot be made does not stop the start.
static void make_state_dir(const char *path) {
    struct stat info;
    if (mkdir(path, 0750) == 0)
        return;
    int code = errno;
    if (code == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return;
    log_warn("state_dir cannot be made; nothing needs it yet", "path=%s error=\"%s\"", path,
             code == EEXIST ? "it is not a directory" : strerror(code));
}

static void check_descriptors(const struct config *config) {
    uint64_t limit = process_raise_fds();
    // a client connection has one upstream connection beside it; the rest are listeners, logs and checks
    uint64_t needed = (uint64_t)config->limits.connections * 2 + 1024;
    if (limit && limit < needed)
        log_warn("limits.connections cannot be reached with this limit of open files",
                 "limit=%llu needed=%llu connections=%lld", (unsigned long long)limit,
                 (unsigned long long)needed, (long long)config->limits.connections);
}

static bool start_parts(struct daemon *daemon, const struct config *config, struct error *error) {
    struct control *control = &daemon->control;
    control->workers = (unsigned)config->workers;
    control->state_dir = mem_copy_string(config->state_dir);
    struct data_plane_events events = {on_failing, on_adopted, on_learned, on_drained, daemon};
    control->plane = data_plane_start(control->workers, control->base, &events, error);
    if (!control->plane)
        return false;
    control->registry = registry_new(control->workers);
    control->directory = directory_new(control->workers);
    control->publisher = publisher_new(control->base, control->plane);
    control->hosts = hosts_new(control->base, control->plane);
    control->health = health_new(control->base, control->publisher, control->options->version);
    control->ejector = ejector_new(control->base, control->publisher, control->directory);
    control->scores = scores_new(SCORE_NAMES);
    control->rates = rates_new(control->scores);
    control->rollouts = rollouts_new(control);
    control->events = events_new(control->base, EVENTS_INTERVAL_MS, write_status, control);
    rollouts_listen(control->rollouts, on_decided, control->events);
    control->feedback_ids = seen_new(FEEDBACK_REMEMBERED);
    control->tasks = task_journal_new(control->state_dir);
    unsigned char key[SEAL_KEY];
    if (id_key_read(control->state_dir, key)) {
        control->id_seal = seal_new(key);
        data_plane_set_id_key(control->plane, key);
    }
    control->reloader = reloader_new(control);
    control->admin = admin_new(control);
    return true;
}

static void print_mistakes(const struct outcome *outcome) {
    struct strbuf text = {0};
    for (size_t i = 0; i < outcome->mistake_count; i++) {
        outcome_write(outcome, i, &text);
        strbuf_char(&text, '\n');
    }
    ssize_t written = write(STDERR_FILENO, text.at, text.len);
    (void)written; // nowhere left to say it
    strbuf_free(&text);
}

static void on_applied(void *context) {
    *(bool *)context = true;
}

static bool start(struct daemon *daemon, struct outcome *outcome) {
    struct control *control = &daemon->control;
    struct error error;
    outcome_begin(outcome, control->options->config_path);
    struct loaded loaded;
    if (!loaded_read(&loaded, control->options->config_path, control->tickets, outcome))
        return false;
    const struct config *config = loaded.config;
    outcome_begin(outcome, config->path);
    check_descriptors(config);
    make_state_dir(config->state_dir);
    if (!start_parts(daemon, config, &error)) {
        outcome_fail(outcome, (struct place){0, 0}, error.text);
        loaded_free(&loaded);
        return false;
    }
    bool over = false;
    reload_apply(control->reloader, &loaded, outcome, on_applied, &over);
    while (!over)
        event_base_loop(control->base, EVLOOP_ONCE);
    if (!outcome->success)
        return false;
    add_events(daemon);
    log_info("configuration loaded", "file=%s plan=%llu routes=%zu pools=%zu endpoints=%zu", config->path,
             (unsigned long long)outcome->plan, outcome->routes, outcome->pools, outcome->endpoints);
    log_info("started", "version=%s revision=%s pid=%d workers=%u", control->options->version,
             control->options->revision, (int)getpid(), control->workers);
    return true;
}

// ---- end

static void stop(struct daemon *daemon) {
    struct control *control = &daemon->control;
    if (control->rollouts) // the event loop runs once more: all that it may call is still there
        rollouts_leave(control->rollouts, FAREWELL_NS);
    for (unsigned i = 0; i < SIGNALS; i++)
        if (daemon->signals[i])
            event_free(daemon->signals[i]);
    if (daemon->tick)
        event_free(daemon->tick);
    if (daemon->grace)
        event_free(daemon->grace);
    events_free(control->events); // its calls are the admin server's
    admin_free(control->admin);
    reloader_free(control->reloader);
    rollouts_free(control->rollouts);
    seen_free(control->feedback_ids);
    adoption_free(&control->adoption);
    ejector_free(control->ejector);
    health_free(control->health);
    hosts_free(control->hosts);
    rates_free(control->rates);
    scores_free(control->scores);
    publisher_free(control->publisher);
    if (control->plane)
        data_plane_stop(control->plane); // the workers let go of plans and endpoints
    task_journal_free(control->tasks);
    seal_free(control->id_seal);
    if (control->directory)
        directory_free(control->directory);
    if (control->config)
        config_unref(control->config);
    registry_free(control->registry);
    certificates_free(&control->certificates);
    tls_tickets_unref(control->tickets);
    mem_free((char *)control->state_dir);
    event_base_free(control->base);
}

int daemon_run(const struct daemon_options *options) {
    struct daemon daemon = {.control = {.options = options}};
    struct outcome outcome = {0};
    signal(SIGPIPE, SIG_IGN);
    fetch_setup();
    daemon.control.started_ms = clock_wall_ms();
    daemon.control.started_ns = clock_monotonic_ns();
    daemon.control.base = event_base_new();
    must(daemon.control.base != NULL);
    adoption_init(&daemon.control.adoption);
    daemon.control.tickets = tls_tickets_new();
    bool started = start(&daemon, &outcome);
    if (started)
        event_base_dispatch(daemon.control.base);
    else
        print_mistakes(&outcome);
    outcome_clear(&outcome);
    stop(&daemon);
    if (started)
        log_info("stopped", "exit=%d", daemon.exit_code);
    return started ? daemon.exit_code : 1;
}
