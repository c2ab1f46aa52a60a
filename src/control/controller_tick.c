// What a controller does with time: reads what matured, judges it, tells the machine.
#include "base/clock.h"
#include "controller_inside.h"
#include "share.h"

#define SAVE_NS (UINT64_C(5) * NS_PER_S) // how much evidence a crash may cost
#define LOOK_NS NS_PER_S

// The candidate that has traffic although the baseline has none; the first one otherwise.
static size_t watched_arm(const struct controller *controller) {
    const uint16_t *weights = controller->machine.weights;
    const struct trial_settings *settings = &controller->trial.settings;
    for (unsigned i = 0; i < settings->other_count; i++)
        if (weights[settings->others[i].arm] == SHARE_WHOLE)
            return settings->others[i].arm;
    return controller->plan.candidate;
}

static bool read_cell(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    return experiment_read(context, arm, tick, cell);
}

static const struct plan_route *live_route(const struct controller *controller) {
    return &publisher_plan(controller->control->publisher)->routes[controller->route];
}

static void aim(struct controller *controller, struct trial *trial, const struct plan_route *route) {
    static struct variant_lane total; // large; one thread
    variant_total(route->variants[controller->config->baseline].series, &total);
    if (trial_aim(trial, &total.duration.fine, &total.first_token.fine))
        trial->version = experiment_set_thresholds(controller->experiment, &trial->thresholds);
}

static void look_at_units(struct controller *controller, struct trial *trial, struct contest *contest,
                          const struct plan_route *route) {
    static struct experiment_group groups[2][EXPERIMENT_GROUPS];
    const struct trial_settings *settings = &trial->settings;
    uint64_t units[EXPERIMENT_ARMS];
    double shares[EXPERIMENT_ARMS] = {0};
    experiment_groups(controller->experiment, settings->baseline, groups[0]);
    experiment_groups(controller->experiment, settings->candidate, groups[1]);
    for (unsigned i = 0; i < settings->other_count; i++) { // all candidates together
        static struct experiment_group more[EXPERIMENT_GROUPS];
        experiment_groups(controller->experiment, settings->others[i].arm, more);
        experiment_groups_add(groups[1], more);
    }
    trial_design(trial, groups[0], groups[1]);
    for (unsigned i = 0; contest && i < contest->settings.count; i++) {
        experiment_groups(controller->experiment, contest->settings.arms[i], groups[0]);
        contest_design(contest, i, groups[0]);
    }
    for (size_t i = 0; i < controller->config->variant_count; i++)
        shares[i] = live_split(&route->live)->weight[i] / (double)SHARE_WHOLE;
    double slice = (route->control_end - route->control_from) / (double)SHARE_WHOLE;
    shares[plan_control_arm(route)] = slice;
    shares[controller->config->baseline] -= slice;
    experiment_arrivals(controller->experiment, route->epoch, units);
    trial_ratio(trial, units, shares);
}

void controller_look(struct controller *controller, struct trial *trial, struct contest *contest) {
    const struct plan_route *route = live_route(controller);
    aim(controller, trial, route);
    look_at_units(controller, trial, contest, route);
}

void controller_watch(const struct controller *controller, struct trial *trial) {
    size_t arm = watched_arm(controller);
    const uint16_t *weights = controller->machine.weights;
    trial_watch(trial, weights[controller->config->baseline] == 0 && weights[arm] > 0, arm);
}

struct trial_source controller_source(const struct controller *controller) {
    return (struct trial_source){read_cell, controller->experiment};
}

void controller_judge(struct controller *controller) {
    trial_judge(&controller->trial, controller->outcomes, &controller->judgement);
    if (!controller->contest)
        return;
    controller->judgement.winner = controller_judge_contest(controller);
    bool harm = controller->judgement.guards == VERDICT_FAIL; // that is why, whoever is winning
    bool open = controller->machine.state == ROLLOUT_STEP;
    if (open && !harm && (controller->judgement.guards == VERDICT_PASS || controller->judgement.winner >= 0))
        controller->judgement.because = controller->goal_because;
}

void controller_tick(struct controller *controller, uint64_t now_ns) {
    int64_t elapsed_ms = (int64_t)((now_ns - controller->ticked_ns) / NS_PER_MS);
    struct trial_source source = controller_source(controller);
    controller->ticked_ns += (uint64_t)elapsed_ms * NS_PER_MS;
    if (controller->share) {
        share_tick(controller->share, now_ns, elapsed_ms);
        return;
    }
    controller_watch(controller, &controller->trial);
    if (now_ns - controller->looked_ns >= LOOK_NS) {
        controller->looked_ns = now_ns;
        controller_look(controller, &controller->trial, controller->contest);
    }
    trial_advance(&controller->trial, experiment_tick(now_ns), elapsed_ms, &source);
    if (controller->contest)
        contest_advance(controller->contest, experiment_tick(now_ns), &source);
    controller_judge(controller);
    struct rollout_event event = {
        .kind = EVENT_TICK, .elapsed_ms = elapsed_ms, .judgement = &controller->judgement};
    controller_send(controller, &event, NULL);
    asks_tick(controller->asks, now_ns);
    bool due = now_ns - controller->saved_ns >= (controller->journal_failing ? LOOK_NS : SAVE_NS);
    if (due && (rollout_state_running(controller->machine.state) || controller->journal_failing))
        controller_save(controller);
}
