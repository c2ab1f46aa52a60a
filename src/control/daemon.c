#include "control/daemon.h"

#include "activation.h"
#include "admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "control.h"
#include "dashboard.h"
#include "denials.h"
#include "events.h"
#include "farewell.h"
#include "id_key.h"
#include "identity.h"
#include "membership.h"
#include "predecessor.h"
#include "process.h"
#include "reload.h"
#include "rollouts.h"
#include "scores.h"
#include "seen.h"
#include "service.h"
#include "span_exporter.h"
#include "state_dir.h"
#include "status_json.h"
#include "task_journal.h"
#include "upgrade.h"
#include "watchdog.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SIGNALS             6
#define FEEDBACK_REMEMBERED 100000 // ids; a score posted again within so many is not counted twice
#define SCORE_NAMES         1000   // of sluice_score that are told apart
#define EVENTS_INTERVAL_MS  1000

struct daemon { // what only the process's life needs; the parts are in control
    struct control control;
    struct event *signals[SIGNALS];
    struct event *tick, *grace;
    struct watchdog *watchdog;
    sigset_t held_back; // signals that are dealt with once add_events was called
    struct identity identity;
    int exit_code;
    bool told_to_stop, over;
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

// Also before the event loop that this is about has begun.
static void end(struct daemon *daemon) {
    daemon->over = true;
    event_base_loopbreak(daemon->control.base);
}

static void on_drained(void *context) {
    struct daemon *daemon = context;
    log_info("drained", "connections=%llu",
             (unsigned long long)data_plane_connections(daemon->control.plane));
    end(daemon);
}

static void on_spans(struct strbuf take_spans, unsigned count, void *context) {
    span_exporter_take(((struct daemon *)context)->control.spans, take_spans, count);
}

static void on_released(size_t bytes, void *context) {
    data_plane_spans_done(((struct daemon *)context)->control.plane, bytes);
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
    end(daemon);
}

static void drain(struct daemon *daemon) {
    struct control *control = &daemon->control;
    int64_t grace = control->config->shutdown_grace;
    control->draining = true;
    events_end(control->events); // who follows would keep the process
    data_plane_drain(control->plane);
    if (grace == DURATION_OFF)
        return;
    struct timeval after = {.tv_sec = (time_t)(grace / 1000), .tv_usec = (suseconds_t)(grace % 1000 * 1000)};
    event_add(daemon->grace, &after);
}

static void on_terminate(int number, short what, void *context) {
    (void)what;
    struct daemon *daemon = context;
    struct control *control = &daemon->control;
    if (control->draining && upgrade_left(control->upgrade) && !daemon->told_to_stop) {
        log_info("stopping already, requests may finish", "signal=%s", strsignal(number)); // all of a service
    } else if (control->draining) {
        log_warn("told to stop a second time, what is left is cut off", "signal=%s", strsignal(number));
        daemon->exit_code = 1;
        end(daemon);
    } else {
        log_info("stopping, requests may finish", "signal=%s grace_ms=%lld", strsignal(number),
                 (long long)control->config->shutdown_grace);
        upgrade_cancel(control->upgrade);
        service_stopping();
        drain(daemon);
    }
    daemon->told_to_stop = true;
}

static void on_replaced(void *context) {
    drain(context);
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
    (void)number, (void)what;
    upgrade_begin(((struct daemon *)context)->control.upgrade);
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
    daemon->watchdog = watchdog_new(base, daemon->control.plane);
    pthread_sigmask(SIG_UNBLOCK, &daemon->held_back, NULL);
}

// ---- start

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
    struct data_plane_events events = {on_failing, on_adopted, on_learned, on_spans, on_drained, daemon};
    control->plane = data_plane_start(control->workers, control->base, &events, error);
    if (!control->plane)
        return false;
    control->spans = span_exporter_new(
        control->base, &(struct span_exporter_settings){
                           .version = control->options->version, .released = on_released, .context = daemon});
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
    explicit_bzero(key, sizeof key);
    data_plane_inherit(control->plane, control->inherited);
    control->reloader = reloader_new(control);
    control->upgrade = upgrade_new(control, on_replaced, daemon);
    control->dashboard = dashboard_new();
    control->denials = denials_new();
    control->admin = admin_new(control);
    return true;
}

// From here on files are the user's that `user` names; the ids follow when everything is open.
static bool become_files(struct daemon *daemon, const struct config *config, struct outcome *outcome) {
    struct identity *identity = &daemon->identity;
    if (!identity_find(identity, config, outcome) || !identity_fits(identity, config, outcome))
        return false;
    size_t before = outcome->warning_count;
    identity_warn(identity, config, outcome);
    for (size_t i = before; i < outcome->warning_count; i++)
        log_warn("the user cannot do what a reload needs", "warning=\"%s\"", outcome->warnings[i].text);
    return identity_lend(identity, config, outcome);
}

static void on_applied(void *context) {
    *(bool *)context = true;
}

static void tell_unused(const char *name, bool lent, void *context) {
    (void)context;
    if (lent)
        log_warn("a socket of the service manager is named by no listener and is closed", "address=%s", name);
    else
        log_info("stopped accepting", "address=%s", name);
}

// Every worker serves: whoever waits for that is told, and what was there for the start is put away. One that
// replaces another is nobody's to stop in order before that: its unix sockets are the other's.
static void serving(struct daemon *daemon, uint64_t plan) {
    struct control *control = &daemon->control;
    if (!control->predecessor)
        add_events(daemon);
    while (control->adoption.reached < plan)
        event_base_loop(control->base, EVLOOP_ONCE);
    if (control->predecessor) {
        pthread_sigmask(SIG_BLOCK, &daemon->held_back, NULL);
        predecessor_ready(control->predecessor);
        add_events(daemon);
    } else if (!control->draining) {
        service_ready("serving");
    }
    inherited_rest(control->inherited, tell_unused, NULL);
    inherited_free(control->inherited);
    control->inherited = NULL;
    data_plane_inherit(control->plane, NULL);
    control->membership = membership_new(control);
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
    if (!become_files(daemon, config, outcome)) {
        loaded_free(&loaded);
        return false;
    }
    state_dir_make(config->state_dir);
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
    if (!identity_assume(&daemon->identity, &error) || !confine_end(&control->confinement, config, &error)) {
        outcome_fail(outcome, (struct place){0, 0}, error.text);
        return false;
    }
    log_info("configuration loaded", "file=%s plan=%llu routes=%zu pools=%zu endpoints=%zu", config->path,
             (unsigned long long)outcome->plan, outcome->routes, outcome->pools, outcome->endpoints);
    log_info("started", "version=%s revision=%s pid=%d workers=%u", control->options->version,
             control->options->revision, (int)getpid(), control->workers);
    serving(daemon, outcome->plan);
    return true;
}

// ---- end

static void stop(struct daemon *daemon) {
    struct control *control = &daemon->control;
    if (control->upgrade)
        upgrade_cancel(control->upgrade);
    if (control->rollouts)
        farewell(control);
    for (unsigned i = 0; i < SIGNALS; i++)
        if (daemon->signals[i])
            event_free(daemon->signals[i]);
    if (daemon->tick)
        event_free(daemon->tick);
    if (daemon->grace)
        event_free(daemon->grace);
    watchdog_free(daemon->watchdog);
    events_free(control->events); // its calls are the admin server's
    admin_free(control->admin);
    dashboard_free(control->dashboard);
    denials_free(control->denials);
    reloader_free(control->reloader);
    rollouts_free(control->rollouts);
    membership_free(control->membership);
    seen_free(control->feedback_ids);
    adoption_free(&control->adoption);
    ejector_free(control->ejector);
    health_free(control->health);
    hosts_free(control->hosts);
    rates_free(control->rates);
    scores_free(control->scores);
    publisher_free(control->publisher);
    span_exporter_free(control->spans);
    if (control->plane)
        data_plane_stop(control->plane); // the workers let go of plans and endpoints
    task_journal_free(control->tasks);
    upgrade_free(control->upgrade);
    predecessor_free(control->predecessor);
    inherited_free(control->inherited);
    seal_free(control->id_seal);
    if (control->directory)
        directory_free(control->directory);
    if (control->config)
        config_unref(control->config);
    registry_free(control->registry);
    certificates_free(&control->certificates);
    tls_tickets_unref(control->tickets);
    mem_free((char *)control->state_dir);
    confine_free(&control->confinement);
    identity_free(&daemon->identity);
    event_base_free(control->base);
}

// Signals that would end a process that is not ready for them wait.
static void hold_back(struct daemon *daemon) {
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&daemon->held_back);
    sigaddset(&daemon->held_back, SIGHUP);
    sigaddset(&daemon->held_back, SIGUSR1);
    sigaddset(&daemon->held_back, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &daemon->held_back, NULL);
    sigaddset(&daemon->held_back, SIGTERM); // these end it until then
    sigaddset(&daemon->held_back, SIGINT);
}

// What this process was given: by a daemon that it replaces, or by a service manager.
static bool inherit(struct daemon *daemon, struct daemon_options *options, struct outcome *outcome) {
    struct control *control = &daemon->control;
    struct error error;
    control->inherited = inherited_new();
    control->predecessor = predecessor_open(control, &error);
    if (control->predecessor)
        options->config_path = predecessor_config_path(control->predecessor);
    else if (!error.text[0])
        activation_read(control->inherited);
    if (!error.text[0])
        return true;
    outcome_begin(outcome, options->config_path);
    outcome_fail(outcome, (struct place){0, 0}, error.text);
    return false;
}

int daemon_run(const struct daemon_options *given) {
    struct daemon_options options = *given;
    struct daemon daemon = {.control = {.options = &options}};
    struct outcome outcome = {0};
    confine_begin();
    hold_back(&daemon);
    fetch_setup();
    daemon.control.started_ms = clock_wall_ms();
    daemon.control.started_ns = clock_monotonic_ns();
    daemon.control.base = event_base_new();
    must(daemon.control.base != NULL);
    adoption_init(&daemon.control.adoption);
    daemon.control.tickets = tls_tickets_new();
    bool started = inherit(&daemon, &options, &outcome) && start(&daemon, &outcome);
    if (started && !daemon.over)
        event_base_dispatch(daemon.control.base);
    if (!started)
        outcome_print(&outcome);
    if (!started && daemon.control.predecessor)
        predecessor_failed(daemon.control.predecessor, &outcome);
    outcome_clear(&outcome);
    stop(&daemon);
    if (started)
        log_info("stopped", "exit=%d", daemon.exit_code);
    return started ? daemon.exit_code : 1;
}
