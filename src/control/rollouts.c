#include "base/clock.h"
#include "base/log.h"
#include "rollouts_inside.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define UPDATES 64
#define FETCHES 16 // questions of all rollouts that are under way at once

struct pending { // what happened to a machine before its plan is live
    struct machine before;
    struct rollout_outcome outcome;
    enum rollout_event_kind kind;
};
struct rollouts_change {
    struct controller **controllers;
    struct pending *pending; // two for each route
    size_t count;
};

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct rollouts *rollouts = context;
    uint64_t now = clock_monotonic_ns();
    if (rollouts->frozen)
        rollouts_thaw(rollouts); // it could not be before
    for (size_t i = 0; i < rollouts->count && !rollouts->frozen; i++)
        if (rollouts->controllers[i])
            controller_tick(rollouts->controllers[i], now);
    if (rollouts->shared && !rollouts->frozen)
        rollouts_share_tick(rollouts, now);
}

struct rollouts *rollouts_new(struct control *control) {
    struct rollouts *rollouts = mem_zero(1, sizeof *rollouts);
    static const struct timeval every = {0, ROLLOUTS_TICK_MS * 1000};
    struct strbuf agent = {0};
    rollouts->control = control;
    list_init(&rollouts->unclaimed);
    rollouts_count_anew(rollouts);
    strbuf_format(&agent, "sluice/%s", control->options->version);
    rollouts->user_agent = mem_copy_string(strbuf_text(&agent));
    strbuf_free(&agent);
    rollouts->fetcher = fetcher_new(control->base, FETCHES);
    rollouts->updates = fetcher_new(control->base, UPDATES);
    rollouts->notifier = notifier_new(control->base, rollouts->fetcher,
                                      &(struct notifier_settings){.user_agent = rollouts->user_agent});
    rollouts->asks = (struct asks_settings){control->base, rollouts->fetcher, rollouts->updates,
                                            rollouts->notifier, rollouts->user_agent};
    rollouts->tick = event_new(control->base, -1, EV_PERSIST, on_tick, rollouts);
    must(rollouts->tick && event_add(rollouts->tick, &every) == 0);
    return rollouts;
}

void rollouts_hurry(struct rollouts *rollouts) {
    event_del(rollouts->tick);
    rollouts_end_shares(rollouts, "the daemon is stopping");
    notifier_hurry(rollouts->notifier);
}

bool rollouts_busy(const struct rollouts *rollouts) {
    return notifier_busy(rollouts->notifier);
}

static void controllers_free(struct controller **controllers, size_t count) {
    for (size_t i = 0; i < count; i++)
        controller_free(controllers[i]);
    mem_free(controllers);
}

void rollouts_free(struct rollouts *rollouts) {
    if (!rollouts)
        return;
    for (size_t i = 0; i < rollouts->count && !rollouts->frozen; i++)
        if (rollouts->controllers[i])
            controller_save(rollouts->controllers[i]);
    controllers_free(rollouts->controllers, rollouts->count);
    rollouts_forget_unclaimed(rollouts);
    notifier_free(rollouts->notifier);
    fetcher_free(rollouts->fetcher);
    fetcher_free(rollouts->updates);
    journal_close(rollouts->journal);
    event_free(rollouts->tick);
    mem_free(rollouts->user_agent);
    mem_free(rollouts);
}

// ---- a configuration comes

struct controller *rollouts_named(const struct rollouts *rollouts, struct slice name) {
    for (size_t i = 0; i < rollouts->count; i++)
        if (rollouts->controllers[i] && slice_equal(slice_of(rollouts->controllers[i]->name), name))
            return rollouts->controllers[i];
    return NULL;
}

static struct controller *controller_named(const struct rollouts *rollouts, const char *name) {
    return rollouts_named(rollouts, slice_of(name));
}

// What is known of the route: from the controller that it has, or from the journal.
static enum journal_found known_before(struct rollouts *rollouts, const char *name, struct strbuf *text,
                                       struct error *error) {
    const struct controller *running = rollouts->frozen ? NULL : controller_named(rollouts, name);
    if (!running)
        return journal_load(rollouts->journal, name, text, error);
    if (running->share && share_known(running->share))
        strbuf_slice(text, share_text(running->share));
    else
        controller_write(running, text);
    return JOURNAL_FOUND;
}

static const char *version_of(const struct controller *controller) {
    const char *version = controller->config->variants[controller->plan.candidate].version;
    return version ? version : "";
}

static bool restore(struct rollouts *rollouts, struct controller *controller, struct pending *pending,
                    struct error *error) {
    struct strbuf text = {0};
    bool same = false;
    enum journal_found found = known_before(rollouts, controller->name, &text, error);
    const struct controller *running = controller_named(rollouts, controller->name);
    bool good =
        found == JOURNAL_NOTHING ||
        (found == JOURNAL_FOUND && controller_restore(controller, strbuf_as_slice(&text), &same, error));
    strbuf_free(&text);
    if (good && controller->share)
        share_found(controller->share, running ? running->share : NULL, same);
    if (!good || found == JOURNAL_NOTHING || controller->share)
        return good;
    pending->before = controller->machine;
    pending->kind = EVENT_VERSION;
    machine_adopt(&controller->machine, &controller->plan, version_of(controller), same, &pending->outcome);
    return true;
}

// A new version starts at once, so that no request sees the file's weights in between.
static void start(struct controller *controller, struct pending *pending) {
    struct rollout_event event = {.kind = EVENT_VERSION, .version = version_of(controller)};
    pending->before = controller->machine;
    pending->kind = EVENT_VERSION;
    machine_step(&controller->machine, &controller->plan, &event, &pending->outcome);
}

static void give_weights(const struct controller *controller, struct plan **plan) {
    const struct split *split = &(*plan)->routes[controller->route].live.split;
    uint16_t weights[SPLIT_ARMS];
    bool same = true;
    controller_weights(controller, weights);
    for (size_t i = 0; i < controller->plan.variant_count; i++)
        same = same && split->weight[i] == weights[i];
    if (same)
        return;
    struct plan *before = *plan;
    *plan = plan_with_weights(before, controller->route, weights);
    plan_unref(before);
}

static bool prepare_route(struct rollouts *rollouts, struct rollouts_change *change, size_t route,
                          struct plan **plan, struct error *error) {
    const struct route_config *config = &(*plan)->config->routes[route];
    if (!config->rollout)
        return true;
    if (!rollouts->journal)
        rollouts->journal = journal_open(rollouts->control->state_dir, error);
    if (!rollouts->journal)
        return false;
    const struct pool_config *pool = &(*plan)->config->pools[config->variants[config->baseline].pool_index];
    struct controller *controller = controller_new(rollouts->control, rollouts->journal, config, route,
                                                   (*plan)->routes[route].experiment, pool, rollouts->shared);
    change->controllers[route] = controller;
    if (!restore(rollouts, controller, &change->pending[2 * route], error)) {
        struct error why = *error;
        return error_set(error, "the journal of route %s cannot be used: %s (move it away to begin anew)",
                         config->name, why.text);
    }
    if (!controller->share) // the leader of a fleet starts it
        start(controller, &change->pending[2 * route + 1]);
    give_weights(controller, plan);
    return true;
}

struct rollouts_change *rollouts_prepare(struct rollouts *rollouts, struct plan **plan, size_t *route,
                                         struct error *error) {
    struct rollouts_change *change = mem_zero(1, sizeof *change);
    if (!rollouts->begun)
        rollouts->shared = (*plan)->config->fleet != NULL;
    rollouts->begun = true;
    change->count = (*plan)->config->route_count;
    change->controllers = mem_zero(change->count + 1, sizeof(struct controller *));
    change->pending = mem_zero(2 * change->count + 1, sizeof *change->pending);
    for (*route = 0; *route < change->count; (*route)++) {
        if (prepare_route(rollouts, change, *route, plan, error))
            continue;
        rollouts_abandon(change);
        return NULL;
    }
    return change;
}

void rollouts_abandon(struct rollouts_change *change) {
    if (!change)
        return;
    controllers_free(change->controllers, change->count);
    mem_free(change->pending);
    mem_free(change);
}

static void tell(const struct controller *controller, void *context) {
    struct rollouts *rollouts = context;
    if (rollouts->decided)
        rollouts->decided(strbuf_as_slice(&controller->decision), rollouts->decided_context);
}

struct last_line {
    struct slice name;
    uint64_t number;
};

static bool of_route(struct slice line, void *context) {
    struct last_line *last = context;
    json_t *decision = json_loadb(line.at, line.len, 0, NULL);
    const char *name = json_string_value(json_object_get(decision, "route"));
    bool is = name && slice_equal(slice_of(name), last->name);
    if (is)
        last->number = (uint64_t)json_integer_value(json_object_get(decision, "number"));
    json_decref(decision);
    return is;
}

static void ignore_line(struct slice line, void *context) {
    (void)line, (void)context;
}

// A crash between the two writes of a decision leaves it in the state only.
static void complete_decisions(const struct rollouts *rollouts, const struct controller *controller) {
    struct last_line last = {slice_of(controller->name), 0};
    struct error error;
    if (!controller->decision.len)
        return;
    journal_read(rollouts->journal, 1, of_route, ignore_line, &last);
    if (last.number < controller->decision_number &&
        !journal_decide(rollouts->journal, strbuf_as_slice(&controller->decision), &error))
        log_error("a decision is missing in decisions.jsonl", "route=%s error=\"%s\"", controller->name,
                  error.text);
}

static void carry_out(struct rollouts *rollouts, struct rollouts_change *change, size_t route) {
    struct controller *controller = change->controllers[route];
    struct machine last = controller->machine;
    trial_judge(&controller->trial, controller->outcomes, &controller->judgement);
    if (!controller_named(rollouts, controller->name))
        complete_decisions(rollouts, controller);
    for (int i = 0; i < 2; i++) {
        struct pending *pending = &change->pending[2 * route + (size_t)i];
        if (pending->outcome.action == DECISION_NONE && !pending->outcome.acts)
            continue;
        // What the machine was when this happened: the decision says from where to where.
        controller->machine = i == 0 && change->pending[2 * route + 1].outcome.action != DECISION_NONE
                                  ? change->pending[2 * route + 1].before
                                  : last;
        controller_carry_out(controller, &pending->before, &pending->outcome, pending->kind);
    }
    controller->machine = last;
}

void rollouts_commit(struct rollouts *rollouts, struct rollouts_change *change) {
    struct controller **before = rollouts->controllers;
    size_t count = rollouts->count;
    for (size_t i = 0; i < change->count; i++) {
        if (!change->controllers[i])
            continue;
        change->controllers[i]->decided = tell;
        change->controllers[i]->decided_context = rollouts;
        controller_go_live(change->controllers[i], &rollouts->asks,
                           controller_named(rollouts, change->controllers[i]->name));
        if (rollouts->shared) {
            rollouts_claim(rollouts, change->controllers[i],
                           controller_named(rollouts, change->controllers[i]->name));
        } else {
            carry_out(rollouts, change, i);
            controller_ask_again(change->controllers[i]);
        }
        controller_save(change->controllers[i]);
    }
    rollouts->controllers = change->controllers;
    rollouts->count = change->count;
    for (size_t i = 0; i < count; i++)
        if (before[i] && before[i]->share)
            rollouts_unclaim(rollouts, before[i]);
    controllers_free(before, count);
    mem_free(change->pending);
    mem_free(change);
}

// ---- what others ask

bool rollouts_has(const struct rollouts *rollouts, size_t route) {
    return route < rollouts->count && rollouts->controllers[route];
}

size_t rollouts_leader(const struct rollouts *rollouts, size_t route) {
    if (rollouts_has(rollouts, route))
        return route;
    const struct route_config *routes = rollouts->control->config->routes;
    for (size_t i = 0; routes[route].experiment && i < rollouts->count; i++)
        if (rollouts->controllers[i] && config_linked(&routes[route], &routes[i]))
            return i;
    return NO_ROUTE;
}

bool rollouts_rules(const struct rollouts *rollouts, size_t route) {
    size_t leader = rollouts_leader(rollouts, route);
    return leader != NO_ROUTE && rollouts->controllers[leader]->machine.state != ROLLOUT_IDLE;
}

void rollouts_command(struct rollouts *rollouts, size_t route, const struct rollout_command *command,
                      struct rollout_reply reply) {
    struct controller *controller = rollouts->controllers[route];
    struct error error;
    struct rollout_event event = {.kind = command->kind,
                                  .because = command->reason,
                                  .weights = command->weights,
                                  .version = version_of(controller)};
    if (controller->share)
        share_command(controller->share, &event, reply);
    else
        reply.done(controller_send(controller, &event, &error) ? NULL : &error, reply.context);
}

bool rollouts_feedback(struct rollouts *rollouts, size_t route, size_t variant, const char *metric,
                       double score, uint64_t unit_hash) {
    if (!rollouts_has(rollouts, route))
        return false;
    struct controller *controller = rollouts->controllers[route];
    if (controller->share)
        return share_score(controller->share, metric, variant, score, unit_hash);
    bool goal = controller->contest && controller->contest->settings.goal.kind == GUARD_SCORE &&
                strcmp(controller->contest->settings.goal.name, metric) == 0;
    if (goal)
        contest_score(controller->contest, variant, score, unit_hash);
    // With `control` the baseline's arm is a slice of it; scores are the whole variant's.
    size_t arm = variant == controller->plan.baseline ? controller->trial.settings.baseline : variant;
    return trial_score(&controller->trial, metric, arm, score, unit_hash) || goal;
}

void rollouts_emit(const struct rollouts *rollouts, size_t route, struct emit *emit) {
    if (rollouts_has(rollouts, route))
        controller_emit(rollouts->controllers[route], emit);
    else
        emit_null(emit);
}

static void emit_line(struct slice line, void *context) {
    struct emit *emit = ((void **)context)[1];
    strbuf_string(emit->out, emit->follows ? "," : "");
    strbuf_slice(emit->out, line);
    emit->follows = true;
}

static bool of_this_route(struct slice line, void *context) {
    return of_route(line, ((void **)context)[0]);
}

void rollouts_emit_decisions(const struct rollouts *rollouts, size_t route, unsigned last,
                             struct emit *emit) {
    emit_array(emit);
    if (rollouts_has(rollouts, route)) {
        struct last_line line = {slice_of(rollouts->controllers[route]->name), 0};
        void *both[] = {&line, emit};
        journal_read(rollouts->journal, last, of_this_route, emit_line, both);
    }
    emit_end(emit, ']');
}

void rollouts_emit_report(const struct rollouts *rollouts, size_t route, struct emit *emit) {
    if (rollouts_has(rollouts, route))
        controller_emit_report(rollouts->controllers[route], emit);
    else
        emit_null(emit);
}

void rollouts_emit_plan(const struct rollouts *rollouts, size_t route, double rps, struct emit *emit) {
    if (rollouts_has(rollouts, route))
        controller_emit_plan(rollouts->controllers[route], rps, emit);
    else
        emit_null(emit);
}

void rollouts_listen(struct rollouts *rollouts, void (*decided)(struct slice decision, void *context),
                     void *context) {
    rollouts->decided = decided;
    rollouts->decided_context = context;
}

bool rollouts_metrics(const struct rollouts *rollouts, size_t route, struct rollout_metrics *metrics) {
    if (!rollouts_has(rollouts, route))
        return false;
    const struct controller *controller = rollouts->controllers[route];
    *metrics = (struct rollout_metrics){
        .state = controller->machine.state,
        .hold = controller->machine.hold,
        .step = controller->machine.step,
        .journal_failing = controller->journal_failing,
        .decisions = controller->decisions,
        .guard_count = controller->trial.guard_count,
        .evidence_needed = guard_needed_harm(&controller->trial.levels) / log(10),
    };
    return true;
}

double rollouts_evidence(const struct rollouts *rollouts, size_t route, unsigned guard, const char **name) {
    const struct controller *controller = rollouts->controllers[route];
    double most = -INFINITY; // of all candidates
    *name = controller->trial.guards[guard].settings.name;
    for (unsigned i = 0; i < controller->trial.guard_count; i++)
        if (strcmp(controller->trial.guards[i].settings.name, *name) == 0)
            most = fmax(most, controller->outcomes[i].log_harm);
    return most / log(10);
}

struct notifier_counts rollouts_notifications(const struct rollouts *rollouts) {
    return notifier_count(rollouts->notifier);
}
