// What a controller does once something was decided: evidence, weights, who is asked and told.
#include "base/clock.h"
#include "base/log.h"
#include "controller_inside.h"
#include "share.h"

#include <string.h>

static void begin_anew(struct controller *controller) {
    trial_reset(&controller->trial, experiment_tick(clock_monotonic_ns()) + 1);
    if (controller->contest)
        contest_reset(controller->contest, experiment_tick(clock_monotonic_ns()) + 1);
    experiment_reset_groups(controller->experiment);
    experiment_forget_units(controller->experiment);
    trial_judge(&controller->trial, controller->outcomes,
                &controller->judgement); // what is shown begins anew too
}

void controller_weights(const struct controller *controller, uint16_t *weights) {
    if (controller->share)
        share_weights(controller->share, weights);
    else
        memcpy(weights, controller->machine.weights, sizeof controller->machine.weights);
}

void controller_set_weights(struct controller *controller) {
    uint16_t weights[SPLIT_ARMS];
    controller_weights(controller, weights);
    const struct split *split =
        coming_split(&publisher_plan(controller->control->publisher)->routes[controller->route].live);
    bool same = true;
    for (size_t i = 0; i < controller->plan.variant_count; i++)
        same = same && split->weight[i] == weights[i];
    if (same)
        return;
    experiment_forget_units(controller->experiment);
    // Blue to green is one moment for everybody; back is as fast as can be.
    if (controller->plan.strategy == ROLLOUT_BLUE_GREEN && weights[controller->plan.candidate] == SHARE_WHOLE)
        publisher_turn(controller->control->publisher, &controller->control->adoption, controller->route,
                       weights);
    else
        publisher_set_weights(controller->control->publisher, controller->route, weights, false);
}

void controller_act(struct controller *controller, unsigned acts) {
    if (acts & ACT_FRESH_EVIDENCE)
        begin_anew(controller);
    if (acts & ACT_WEIGHTS)
        controller_set_weights(controller);
    if (acts & ACT_STEP_BEGINS)
        trial_step_begins(&controller->trial);
}

// What the world is asked and told.
void controller_ask(struct controller *controller, unsigned acts) {
    if (!controller->asks)
        return;
    if (acts & ACT_STOP_ASKING)
        asks_stop(controller->asks);
    if (acts & ACT_ASK_GATES)
        asks_gates(controller->asks);
    if (acts & ACT_ASK_HOOK)
        asks_hook(controller->asks);
    if (acts & ACT_BATCH)
        asks_batch(controller->asks);
    if (acts & ACT_TELL_PROMOTE)
        asks_tell_hook(controller->asks, HOOK_ON_PROMOTE);
    if (acts & ACT_TELL_ROLLBACK)
        asks_tell_hook(controller->asks, HOOK_ON_ROLLBACK);
}

void controller_go_live(struct controller *controller, const struct asks_settings *settings,
                        struct controller *before) {
    controller->asks = asks_new(controller, settings);
    if (!before)
        return;
    memcpy(controller->decisions, before->decisions, sizeof before->decisions);
    controller->unlisted = before->unlisted;
    before->unlisted = (struct strbuf){0};
    controller->journal_failing = before->journal_failing;
    asks_take(controller->asks, before->asks);
}

void controller_ask_again(struct controller *controller) {
    enum rollout_hold hold = controller->machine.hold;
    if (controller->machine.state == ROLLOUT_GATES && hold != HOLD_GATE)
        asks_gates(controller->asks);
    if (controller->machine.state == ROLLOUT_HOOK && hold != HOLD_HOOK)
        asks_hook(controller->asks);
    if (controller->machine.state == ROLLOUT_STEP && controller->plan.strategy == ROLLOUT_ROLLING)
        asks_batch(controller->asks);
}

void controller_log_decision(const struct controller *controller, const struct rollout_outcome *outcome,
                             bool by_person) {
    bool bad = outcome->action == DECISION_ROLLBACK || outcome->action == DECISION_HOLD ||
               outcome->action == DECISION_STOP || outcome->action == DECISION_GATE;
    log_write(bad ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "rollout",
              "route=%s decision=%s by=%s state=%s weight=%g because=\"%s\"", controller->name,
              decision_action_name(outcome->action), by_person ? "person" : "controller",
              rollout_state_name(controller->machine.state),
              controller->machine.weights[controller->plan.candidate] / 100.0, outcome->because);
}
