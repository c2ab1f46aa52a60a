#include "reload.h"

#include "admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/rollout.h"
#include "credentials.h"
#include "exposure.h"
#include "membership.h"
#include "predecessor.h"
#include "restart.h"
#include "rollouts.h"
#include "service.h"
#include "span_exporter.h"
#include "task_journal.h"

struct request { // one who asked for a reload
    struct link link;
    void (*done)(const struct outcome *outcome, void *context);
    void *context;
};
struct applying {               // a configuration on its way in
    struct loaded loaded;       // zeroed: none is
    struct hosts_change *hosts; // being asked for; NULL: the resolver cannot be used
    struct event *failed;       // then
    struct outcome *outcome;
    void (*done)(void *context);
    void *context;
};
struct reloader {
    struct control *control;
    struct applying applying;
    struct link requests; // the first is under way when `busy`
    bool busy, on_hold;
    void (*held)(void *context); // of who asked; NULL: told already
    void *held_context;
    uint64_t began_ns;
    struct outcome last;
    uint64_t successes, failures;
    bool failed; // the last one that has ended
};

// ---- applying a configuration

struct prepared {
    struct directory_change *directory;
    struct data_plane_change *plane;
    struct admin_change *admin;
};

// Where in the file the address stands that an error names.
static struct place place_of_listener(const struct config *config, const struct error *error) {
    for (size_t i = 0; i < config->listener_count; i++)
        if (strstr(error->text, config->listeners[i].address))
            return config->listeners[i].place;
    if (config->access_log.path && strstr(error->text, config->access_log.path))
        return config->access_log.place;
    return (struct place){0, 0};
}

// Every endpoint whose name does not resolve is a mistake with its place.
static bool all_resolve(const struct config *config, struct hosts_change *hosts, struct outcome *outcome) {
    size_t before = outcome->mistake_count;
    struct error error;
    for (size_t i = 0; i < config->pool_count; i++) {
        for (size_t k = 0; k < config->pools[i].endpoint_count; k++) {
            const struct endpoint_config *endpoint = &config->pools[i].endpoints[k];
            struct address numeric;
            if (endpoint->unix_path || address_numeric(&numeric, endpoint->host, endpoint->port))
                continue;
            struct address_list *addresses = hosts_find(endpoint, hosts, &error);
            if (!addresses)
                outcome_fail(outcome, endpoint->place, error.text);
            address_list_unref(addresses);
        }
    }
    return outcome->mistake_count == before;
}

static void abandon(struct prepared *prepared) {
    if (prepared->directory)
        directory_abandon(prepared->directory);
    if (prepared->plane)
        data_plane_abandon(prepared->plane);
    if (prepared->admin)
        admin_abandon(prepared->admin);
}

static bool prepare(struct control *control, const struct loaded *loaded, struct hosts_change *hosts,
                    struct prepared *prepared, struct outcome *outcome) {
    const struct config *config = loaded->config;
    const struct credentials *credentials = loaded->credentials;
    struct error error = {{0}};
    struct address_source source = {hosts_find, hosts};
    *prepared = (struct prepared){NULL, NULL, NULL};
    if (!all_resolve(config, hosts, outcome))
        return false;
    prepared->directory = directory_prepare(control->directory, config, credentials->pools, &source, &error);
    if (!prepared->directory) {
        outcome_fail(outcome, (struct place){0, 0}, error.text);
        return false;
    }
    prepared->plane = data_plane_prepare(control->plane, config, credentials->listeners, &error);
    if (!prepared->plane) {
        outcome_fail(outcome, place_of_listener(config, &error), error.text);
        return false;
    }
    prepared->admin = admin_prepare(control->admin, config, credentials, &error);
    if (!prepared->admin) {
        outcome_fail(outcome, config->admin.place, error.text);
        return false;
    }
    return true;
}

static void log_listeners(const struct data_plane *plane, struct strbuf *others) {
    char text[ADDRESS_TEXT], line[ADDRESS_TEXT + 2];
    for (size_t i = 0; i < data_plane_listener_count(plane); i++) {
        data_plane_listener_text(plane, i, text);
        snprintf(line, sizeof line, "\n%s\n", text);
        if (!others->len || !strstr(strbuf_text(others), line))
            log_info("listening", "address=%s", text);
    }
}

// One address a line, with a line end before each, so that a whole one can be searched for.
static void list_listeners(const struct data_plane *plane, struct strbuf *out) {
    char text[ADDRESS_TEXT];
    strbuf_clear(out);
    for (size_t i = 0; i < data_plane_listener_count(plane); i++) {
        data_plane_listener_text(plane, i, text);
        strbuf_format(out, "\n%s\n", text);
    }
}

static void log_closed(const struct strbuf *before, struct strbuf *after) {
    struct slice rest = strbuf_as_slice(before);
    char line[ADDRESS_TEXT + 2];
    while (rest.at) {
        struct slice text = slice_cut(&rest, '\n');
        if (text.len == 0)
            continue;
        snprintf(line, sizeof line, "\n%.*s\n", (int)text.len, text.at);
        if (!strstr(strbuf_text(after), line))
            log_info("stopped accepting", "address=%.*s", (int)text.len, text.at);
    }
}

// The certificates are the configuration's, which is the control's from now on.
static void adopt_credentials(struct control *control, struct credentials *take_credentials) {
    certificates_free(&control->certificates);
    control->certificates = take_credentials->certificates;
    take_credentials->certificates = (struct certificates){0};
    certificates_tick(&control->certificates, clock_wall_ms());
    exposure_log(control->config);
    credentials_free(take_credentials);
}

// Phase two: nothing here can fail.
static void commit(struct control *control, struct loaded *take_loaded, struct hosts_change *hosts,
                   struct prepared *prepared, struct plan *plan, struct rollouts_change *rollouts) {
    struct config *config = take_loaded->config;
    struct strbuf before = {0}, after = {0};
    list_listeners(control->plane, &before);
    directory_commit(control->directory, prepared->directory);
    hosts_commit(hosts, control->directory);
    data_plane_commit(control->plane, prepared->plane, plan_ref(plan));
    admin_commit(control->admin, prepared->admin);
    publisher_adopt(control->publisher, plan);
    health_adopt(control->health, config, control->directory);
    ejector_adopt(control->ejector);
    rates_adopt(control->rates, plan, clock_monotonic_ns());
    task_journal_adopt(control->tasks, config);
    config_unref(control->config);
    control->config = config;
    adopt_credentials(control, take_loaded->credentials);
    control->loaded_ms = clock_wall_ms();
    rollouts_commit(control->rollouts, rollouts);
    span_exporter_adopt(control->spans, config);
    membership_describe(control->membership);
    list_listeners(control->plane, &after);
    log_listeners(control->plane, &before);
    log_closed(&before, &after);
    strbuf_free(&before);
    strbuf_free(&after);
}

static struct rollouts_change *prepare_rollouts(struct control *control, struct plan **plan,
                                                struct outcome *outcome) {
    struct error error = {{0}};
    size_t route;
    struct rollouts_change *change = rollouts_prepare(control->rollouts, plan, &route, &error);
    if (!change)
        outcome_fail(outcome, (*plan)->config->routes[route].rollout->place, error.text);
    return change;
}

// Behind everything that a mistake in the file can stop: from here on the other daemon judges no more.
static bool take_over(struct control *control, const struct config *config,
                      const struct directory_change *endpoints, struct outcome *outcome) {
    struct error error;
    if (!control->predecessor || predecessor_take(control->predecessor, config, endpoints, &error))
        return true;
    outcome_fail(outcome, (struct place){0, 0}, error.text);
    return false;
}

static void apply(struct control *control, struct loaded *take_loaded, struct hosts_change *hosts,
                  struct outcome *outcome) {
    struct config *config = take_loaded->config;
    struct prepared prepared;
    if (!prepare(control, take_loaded, hosts, &prepared, outcome) ||
        !take_over(control, config, prepared.directory, outcome)) {
        abandon(&prepared);
        hosts_abandon(hosts);
        loaded_free(take_loaded);
        return;
    }
    struct plan *plan = plan_new(config, control->registry, prepared.directory);
    if (control->predecessor)
        predecessor_weigh(control->predecessor, &plan);
    task_journal_equip(control->tasks, plan);
    struct rollouts_change *rollouts = prepare_rollouts(control, &plan, outcome);
    if (!rollouts) {
        plan_unref(plan);
        abandon(&prepared);
        hosts_abandon(hosts);
        loaded_free(take_loaded);
        return;
    }
    outcome->plan = plan->number;
    outcome->routes = config->route_count;
    outcome->pools = config->pool_count;
    for (size_t i = 0; i < config->pool_count; i++)
        outcome->endpoints += config->pools[i].endpoint_count;
    if (control->config) // a start has nothing to differ from
        restart_warn(control, config, outcome);
    commit(control, take_loaded, hosts, &prepared, plan, rollouts);
    if (control->predecessor)
        predecessor_settle(control->predecessor);
    outcome->success = true;
}

static void on_resolved(void *context) {
    struct reloader *reloader = context;
    struct applying applying = reloader->applying;
    reloader->applying = (struct applying){0};
    if (reloader->control->draining) { // told to stop while names were asked for
        outcome_fail(applying.outcome, (struct place){0, 0}, "the daemon is stopping");
        hosts_abandon(applying.hosts);
        loaded_free(&applying.loaded);
    } else {
        apply(reloader->control, &applying.loaded, applying.hosts, applying.outcome);
    }
    applying.done(applying.context);
}

static void on_unusable(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct reloader *reloader = context;
    struct applying applying = reloader->applying;
    reloader->applying = (struct applying){0};
    event_free(applying.failed);
    loaded_free(&applying.loaded);
    applying.done(applying.context);
}

void reload_apply(struct reloader *reloader, struct loaded *take_loaded, struct outcome *outcome,
                  void (*done)(void *context), void *context) {
    struct error error;
    struct applying *applying = &reloader->applying;
    struct config *config = take_loaded->config;
    must(!applying->loaded.config);
    *applying =
        (struct applying){.loaded = *take_loaded, .outcome = outcome, .done = done, .context = context};
    applying->hosts = hosts_prepare(reloader->control->hosts, config, on_resolved, reloader, &error);
    if (applying->hosts)
        return;
    outcome_fail(outcome, config->resolver.place, error.text);
    applying->failed = event_new(reloader->control->base, -1, 0, on_unusable, reloader);
    must(applying->failed != NULL);
    event_active(applying->failed, 0, 0);
}

static void applying_drop(struct applying *applying) {
    if (applying->hosts)
        hosts_abandon(applying->hosts);
    if (applying->failed)
        event_free(applying->failed);
    loaded_free(&applying->loaded);
}

// ---- requests for a reload

static void begin(struct reloader *reloader);

struct reloader *reloader_new(struct control *control) {
    struct reloader *reloader = mem_zero(1, sizeof *reloader);
    reloader->control = control;
    list_init(&reloader->requests);
    return reloader;
}

static void answer(struct reloader *reloader, struct request *request) {
    list_remove(&request->link);
    if (request->done)
        request->done(&reloader->last, request->context);
    mem_free(request);
}

void reloader_free(struct reloader *reloader) {
    if (!reloader)
        return;
    applying_drop(&reloader->applying);
    for (struct link *link; (link = list_pop(&reloader->requests)) != NULL;)
        mem_free(list_entry(link, struct request, link));
    outcome_clear(&reloader->last);
    mem_free(reloader);
}

static void next(struct reloader *reloader) {
    void (*held)(void *context) = reloader->held;
    if (reloader->busy)
        return;
    if (reloader->on_hold) {
        reloader->held = NULL;
        if (held)
            held(reloader->held_context);
    } else if (!list_empty(&reloader->requests)) {
        begin(reloader);
    }
}

void reloader_hold(struct reloader *reloader, void (*held)(void *context), void *context) {
    reloader->on_hold = true;
    reloader->held = held;
    reloader->held_context = context;
    next(reloader);
}

void reloader_let_go(struct reloader *reloader) {
    reloader->on_hold = false;
    reloader->held = NULL;
    next(reloader);
}

bool reloader_refuse(struct reloader *reloader, const char *why) {
    bool asked = !list_empty(&reloader->requests);
    if (!asked)
        return false;
    outcome_begin(&reloader->last, reloader->control->config->path);
    outcome_fail(&reloader->last, (struct place){0, 0}, why);
    while (!list_empty(&reloader->requests))
        answer(reloader, list_entry(reloader->requests.next, struct request, link));
    return true;
}

static void log_failure(const struct outcome *outcome) {
    struct strbuf line = {0};
    for (size_t i = 0; i < outcome->mistake_count; i++) {
        strbuf_clear(&line);
        outcome_write(outcome, i, &line);
        log_error("configuration refused", "mistake=\"%s\"", strbuf_text(&line));
    }
    strbuf_free(&line);
    log_error("reload failed, the running configuration stays", "file=%s mistakes=%zu", outcome->path,
              outcome->mistake_count);
}

static void end(struct reloader *reloader) {
    struct outcome *outcome = &reloader->last;
    outcome->elapsed_ms = (double)(clock_monotonic_ns() - reloader->began_ns) / (double)NS_PER_MS;
    outcome->at_ms = clock_wall_ms();
    *(outcome->success ? &reloader->successes : &reloader->failures) += 1;
    reloader->failed = !outcome->success;
    if (outcome->success)
        log_info("configuration reloaded", "file=%s plan=%llu routes=%zu pools=%zu endpoints=%zu ms=%.1f",
                 outcome->path, (unsigned long long)outcome->plan, outcome->routes, outcome->pools,
                 outcome->endpoints, outcome->elapsed_ms);
    else
        log_failure(outcome);
    registry_sweep(reloader->control->registry);
    service_ready(outcome->success ? "serving" : "serving; the last reload failed, the log says why");
    answer(reloader, list_entry(reloader->requests.next, struct request, link));
    reloader->busy = false;
    next(reloader);
}

static void on_adopted(void *context) {
    end(context);
}

static void on_applied(void *context) {
    struct reloader *reloader = context;
    if (reloader->last.success)
        adoption_wait(&reloader->control->adoption, reloader->last.plan, on_adopted, reloader);
    else
        end(reloader);
}

static void begin(struct reloader *reloader) {
    struct control *control = reloader->control;
    reloader->busy = true;
    service_reloading();
    reloader->began_ns = clock_monotonic_ns();
    outcome_begin(&reloader->last, control->config->path);
    struct loaded loaded;
    if (loaded_read(&loaded, control->config->path, control->tickets, &reloader->last))
        reload_apply(reloader, &loaded, &reloader->last, on_applied, reloader);
    else
        end(reloader);
}

void reloader_request(struct reloader *reloader, void (*done)(const struct outcome *outcome, void *context),
                      void *context) {
    // Signals tell nobody the outcome: one that waits already will see the file as it is then.
    if (!done)
        for (struct link *at = reloader->requests.next; at != &reloader->requests; at = at->next)
            if (!(reloader->busy && at == reloader->requests.next))
                return;
    struct request *request = mem_zero(1, sizeof *request);
    request->done = done;
    request->context = context;
    list_push(&reloader->requests, &request->link);
    next(reloader);
}

const struct outcome *reloader_last(const struct reloader *reloader) {
    return &reloader->last;
}

bool reloader_failed(const struct reloader *reloader) {
    return reloader->failed;
}

uint64_t reloader_count(const struct reloader *reloader, bool success) {
    return success ? reloader->successes : reloader->failures;
}
