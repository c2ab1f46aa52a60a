// Rollouts between two processes: who has the journal is who judges.
#include "base/log.h"
#include "rollouts_inside.h"

bool rollouts_are_frozen(const struct rollouts *rollouts) {
    return rollouts->frozen;
}

static bool save_all(struct rollouts *rollouts, struct error *error) {
    for (size_t i = 0; i < rollouts->count; i++) {
        struct controller *controller = rollouts->controllers[i];
        if (!controller)
            continue;
        controller_save(controller);
        if (controller->journal_failing)
            return error_set(error, "the journal of route %s cannot be written", controller->name);
    }
    return true;
}

bool rollouts_freeze(struct rollouts *rollouts, struct error *error) {
    if (!save_all(rollouts, error))
        return false;
    rollouts_end_shares(rollouts, "a new binary is taking over: ask again");
    for (size_t i = 0; i < rollouts->count; i++)
        if (rollouts->controllers[i])
            asks_stop(rollouts->controllers[i]->asks);
    event_del(rollouts->tick);
    if (rollouts->journal)
        journal_release(rollouts->journal);
    rollouts->frozen = true;
    return true;
}

static void go_on(struct rollouts *rollouts) {
    static const struct timeval every = {0, ROLLOUTS_TICK_MS * 1000};
    must(event_add(rollouts->tick, &every) == 0);
}

// What the other process decided before it ended is on disk and holds, like any decision.
static bool read_again(struct rollouts *rollouts, struct error *error) {
    struct publisher *publisher = rollouts->control->publisher;
    struct plan *plan = publisher_plan_ref(publisher);
    size_t route;
    struct rollouts_change *change = rollouts_prepare(rollouts, &plan, &route, error);
    if (!change) {
        plan_unref(plan);
        return false;
    }
    publisher_replace(publisher, plan);
    rollouts_commit(rollouts, change);
    return true;
}

void rollouts_thaw(struct rollouts *rollouts) {
    struct error error;
    bool asked_before = event_pending(rollouts->tick, EV_TIMEOUT, NULL);
    if (!rollouts->frozen)
        return;
    if (rollouts->journal && !journal_retake(rollouts->journal, &error)) {
        if (!asked_before)
            log_error("the journal cannot be taken back, rollouts hold until it can", "error=\"%s\"",
                      error.text);
        go_on(rollouts);
        return;
    }
    bool read = read_again(rollouts, &error);
    rollouts->frozen = false;
    if (!read)
        log_error("rollouts go on as they were, their journal cannot be read", "error=\"%s\"", error.text);
    for (size_t i = 0; !read && i < rollouts->count; i++)
        if (rollouts->controllers[i])
            controller_ask_again(rollouts->controllers[i]);
    go_on(rollouts);
}
