// What people ask a rollout beyond its state: the variants' figures beside each other, and how long steps
// must last.
#include "controller.h"

#include "base/clock.h"
#include "control/emit.h"
#include "rollout/sample_size.h"

#include <math.h>

#define LN10     2.302585092994046
#define USUAL    0.005 // of errors, when nothing is known of the baseline
#define POWER    0.8
#define ANY_MORE 1e12 // requests that nobody waits for

// ---- report

static void emit_interval(const struct interval *interval, struct emit *emit) {
    emit_number(emit_name(emit, "low"), interval->low, 6);
    emit_number(emit_name(emit, "high"), interval->high, 6);
}

static void emit_metric(const struct controller *controller, unsigned index, bool candidate,
                        struct emit *emit) {
    const struct guard *guard = &controller->trial.guards[index];
    const struct guard_outcome *outcome = &controller->outcomes[index];
    struct interval interval =
        guard_interval(guard, outcome, candidate, trial_design_effect(&controller->trial, guard),
                       controller->trial.levels.alpha_fine);
    emit_object(emit);
    emit_text(emit_name(emit, "name"), guard->settings.name);
    emit_text(emit_name(emit, "unit"), guard_unit(&guard->settings));
    emit_number(emit_name(emit, "estimate"),
                candidate ? outcome->candidate_estimate : outcome->baseline_estimate, 6);
    emit_interval(&interval, emit);
    emit_number(emit_name(emit, "count"), candidate ? outcome->candidate_count : outcome->baseline_count, 0);
    emit_end(emit, '}');
}

static void emit_goal_metric(const struct controller *controller, size_t variant, struct emit *emit) {
    const struct contest *contest = controller->contest;
    for (unsigned i = 0; contest && i < contest->settings.count; i++) {
        double count, estimate;
        if (contest->settings.arms[i] != variant)
            continue;
        estimate = contest_estimate(contest, i, &count);
        emit_object(emit);
        emit_text(emit_name(emit, "name"), contest->settings.goal.name);
        emit_text(emit_name(emit, "unit"), guard_unit(&contest->settings.goal));
        struct interval interval = contest_interval(contest, i);
        emit_number(emit_name(emit, "estimate"), estimate, 6);
        emit_interval(&interval, emit);
        emit_number(emit_name(emit, "count"), count, 0);
        emit_end(emit, '}');
    }
}

static void emit_variant(const struct controller *controller, size_t index, struct emit *emit) {
    const struct variant_config *variant = &controller->config->variants[index];
    bool baseline = index == controller->plan.baseline;
    static struct variant_lane total;
    const struct plan_route *route =
        &publisher_plan(controller->control->publisher)->routes[controller->route];
    uint64_t requests = 0;
    variant_total(route->variants[index].series, &total);
    for (int i = 0; i < CODE_CLASSES; i++)
        requests += total.requests[i];
    emit_object(emit);
    emit_text(emit_name(emit, "name"), variant->name);
    emit_text(emit_name(emit, "version"), variant->version);
    emit_percent(emit_name(emit, "weight"), live_split(&route->live)->weight[index]);
    emit_u64(emit_name(emit, "requests"), requests);
    emit_array(emit_name(emit, "metrics"));
    emit_goal_metric(controller, index, emit);
    for (unsigned i = 0; i < controller->trial.guard_count; i++) {
        size_t arm = controller->trial.guards[i].settings.candidate;
        if (index == arm || (baseline && arm == controller->plan.candidate))
            emit_metric(controller, i, index == arm, emit);
    }
    emit_end(emit, ']');
    emit_end(emit, '}');
}

static void emit_comparison(const struct controller *controller, unsigned index, struct emit *emit) {
    const struct guard *guard = &controller->trial.guards[index];
    const struct guard_outcome *outcome = &controller->outcomes[index];
    const struct rollout_config *config = controller->config->rollout;
    emit_object(emit);
    emit_text(emit_name(emit, "metric"), guard->settings.name);
    emit_text(emit_name(emit, "of"), guard->settings.label ? guard->settings.label : config->candidate);
    emit_text(emit_name(emit, "against"), config->baseline);
    emit_text(emit_name(emit, "verdict"), verdict_name(outcome->verdict));
    emit_number(emit_name(emit, "difference"), outcome->candidate_estimate - outcome->baseline_estimate, 6);
    emit_number(emit_name(emit, "low"), outcome->low, 6);
    emit_number(emit_name(emit, "high"), outcome->high, 6);
    emit_number(emit_name(emit, "log10_e_harm"), outcome->log_harm / LN10, 3);
    emit_number(emit_name(emit, "log10_e_pass"), outcome->log_fine / LN10, 3);
    emit_text(emit_name(emit, "because"), outcome->because);
    emit_end(emit, '}');
}

static double requests_left(const struct controller *controller) {
    double most = NAN;
    for (unsigned i = 0; i < controller->trial.guard_count; i++)
        if (controller->trial.guards[i].settings.role == GUARD_GUARD &&
            controller->outcomes[i].requests_left > 0)
            most = fmax(isnan(most) ? 0 : most, controller->outcomes[i].requests_left);
    return ceil(most);
}

// At the rate of about the last minute; NAN: nothing to go by.
static double seconds_left(const struct controller *controller, double requests) {
    const struct control *control = controller->control;
    const struct plan_route *route = &publisher_plan(control->publisher)->routes[controller->route];
    double rate = 0;
    for (size_t i = 0; i < controller->config->variant_count; i++) {
        struct rates_view view;
        rates_read(control->rates, route->variants[i].series, clock_monotonic_ns(), &view);
        rate += view.per_second;
    }
    return rate > 0 ? ceil(requests / rate) : NAN;
}

static void emit_pair(const struct controller *controller, unsigned better, unsigned worse,
                      struct emit *emit) {
    const struct contest *contest = controller->contest;
    struct contest_view view;
    contest_compare(contest, better, worse, &view);
    emit_object(emit);
    emit_text(emit_name(emit, "metric"), contest->settings.goal.name);
    emit_text(emit_name(emit, "better"), controller->config->variants[contest->settings.arms[better]].name);
    emit_text(emit_name(emit, "than"), controller->config->variants[contest->settings.arms[worse]].name);
    emit_text(emit_name(emit, "unit"), guard_unit(&contest->settings.goal));
    emit_number(emit_name(emit, "difference"), view.difference, 6);
    emit_number(emit_name(emit, "low"), view.low, 6);
    emit_number(emit_name(emit, "high"), view.high, 6);
    emit_number(emit_name(emit, "log10_e"), view.log_e / LN10, 3);
    emit_number(emit_name(emit, "needed_log10_e"), view.log_needed / LN10, 3);
    emit_end(emit, '}');
}

// Of two variants the one that looks better is held against the other.
static void emit_contest(const struct controller *controller, struct emit *emit) {
    const struct contest *contest = controller->contest;
    bool more = contest->settings.more_is_better;
    for (unsigned i = 0; i < contest->settings.count; i++) {
        for (unsigned k = i + 1; k < contest->settings.count; k++) {
            double count, a = contest_estimate(contest, i, &count), b = contest_estimate(contest, k, &count);
            bool first = more ? a >= b : a <= b;
            emit_pair(controller, first ? i : k, first ? k : i, emit);
        }
    }
}

static void emit_goal(const struct controller *controller, struct emit *emit) {
    emit_name(emit, "goal");
    if (!controller->contest) {
        emit_null(emit);
        return;
    }
    const struct contest_settings *settings = &controller->contest->settings;
    emit_object(emit);
    emit_text(emit_name(emit, "name"), settings->goal.name);
    emit_text(emit_name(emit, "role"), "goal");
    emit_bool(emit_name(emit, "dry_run"), false);
    emit_text(emit_name(emit, "verdict"),
              verdict_name(controller->machine.winner >= 0 ? VERDICT_PASS : VERDICT_WAIT));
    emit_text(emit_name(emit, "direction"), settings->more_is_better ? "up" : "down");
    emit_number(emit_name(emit, "margin"), settings->margin, 6);
    emit_text(emit_name(emit, "because"), controller->goal_because);
    emit_text(emit_name(emit, "unit"), guard_unit(&settings->goal));
    emit_end(emit, '}');
}

void controller_emit_report(const struct controller *controller, struct emit *emit) {
    emit_object(emit);
    emit_text(emit_name(emit, "route"), controller->name);
    emit_text(emit_name(emit, "strategy"), rollout_strategy_name(controller->plan.strategy));
    emit_text(emit_name(emit, "state"), rollout_state_name(controller->machine.state));
    emit_array(emit_name(emit, "variants"));
    for (size_t i = 0; i < controller->config->variant_count; i++)
        emit_variant(controller, i, emit);
    emit_end(emit, ']');
    emit_goal(controller, emit);
    emit_array(emit_name(emit, "comparisons"));
    if (controller->contest)
        emit_contest(controller, emit);
    for (unsigned i = 0; i < controller->trial.guard_count; i++)
        if (controller->trial.guards[i].settings.role != GUARD_LIMIT)
            emit_comparison(controller, i, emit);
    emit_end(emit, ']');
    emit_text(emit_name(emit, "winner"), controller->machine.winner >= 0
                                             ? controller->config->variants[controller->machine.winner].name
                                             : NULL);
    double left = controller->contest ? contest_left(controller->contest) : requests_left(controller);
    emit_number(emit_name(emit, "requests_left"), left, 0);
    emit_number(emit_name(emit, "seconds_left"), seconds_left(controller, left), 0);
    emit_end(emit, '}');
}

// ---- plan

struct harm { // that a step should find, and the baseline it is held against
    double usual, harmful, rho, delta;
};

// As much worse again as the margin allows; of a latency: twice as many requests beyond the threshold as are
// usual.
static bool harm_of(const struct guard *guard, struct harm *harm) {
    const struct guard_settings *settings = &guard->settings;
    if (settings->role == GUARD_LIMIT ||
        (settings->kind != GUARD_ERROR_RATE && settings->kind != GUARD_LATENCY))
        return false;
    bool errors = settings->kind == GUARD_ERROR_RATE;
    const struct guard_batch *history = &guard->history;
    double seen = history->baseline >= 1000 ? history->baseline_events / history->baseline : USUAL;
    harm->usual = errors ? fmax(seen, 1e-4) : 1 - settings->quantile;
    harm->rho = 1;
    harm->delta = errors ? settings->margin / 100 : 0;
    harm->harmful = fmin(0.99, errors ? harm->usual + 2 * fmax(harm->delta, harm->usual) : 2 * harm->usual);
    return true;
}

static double emit_guard_plan(const struct controller *controller, const struct guard *guard, double share,
                              double rps, struct emit *emit) {
    struct harm harm;
    if (!harm_of(guard, &harm))
        return 0;
    struct sample_question question = {
        .baseline = harm.usual,
        .candidate = harm.harmful,
        .share = share,
        .rho = harm.rho,
        .delta = harm.delta,
        .alpha = controller->trial.levels.alpha_harm / fmax(1, controller->trial.levels.acting) /
                 (guard->settings.kind == GUARD_ERROR_RATE ? 2 : 1), // they are looked at in two ways
        .alternatives = TWO_SAMPLE_MOST,
        .power = POWER,
        .restarts = true,
    };
    double requests =
        fmin(ANY_MORE, ceil(sample_size(&question) * trial_design_effect(&controller->trial, guard)));
    struct strbuf detects = {0};
    if (guard->settings.kind == GUARD_ERROR_RATE)
        strbuf_format(&detects, "an error rate of %.3g %% instead of %.3g %%", 100 * harm.harmful,
                      100 * harm.usual);
    else
        strbuf_format(&detects, "%.3g %% of the requests beyond the %s threshold instead of %.3g %%",
                      100 * harm.harmful, guard->settings.name, 100 * harm.usual);
    emit_object(emit);
    emit_text(emit_name(emit, "name"), guard->settings.name);
    emit_text(emit_name(emit, "detects"), strbuf_text(&detects));
    emit_number(emit_name(emit, "requests"), requests, 0);
    emit_number(emit_name(emit, "seconds"), ceil(requests / rps), 0);
    emit_end(emit, '}');
    strbuf_free(&detects);
    return requests / rps;
}

static void emit_step_plan(const struct controller *controller, unsigned index, double rps,
                           struct emit *emit) {
    const struct rollout_step_plan *step = &controller->plan.steps[index];
    double share = (double)step->weight / SHARE_WHOLE, longest = 0;
    emit_object(emit);
    emit_u64(emit_name(emit, "step"), index);
    emit_percent(emit_name(emit, "weight"), (uint16_t)step->weight);
    emit_array(emit_name(emit, "guards"));
    for (unsigned i = 0; i < controller->trial.guard_count; i++)
        if (controller->trial.guards[i].settings.candidate == controller->plan.candidate)
            longest =
                fmax(longest, emit_guard_plan(controller, &controller->trial.guards[i], share, rps, emit));
    emit_end(emit, ']');
    emit_number(emit_name(emit, "seconds"), ceil(longest), 0);
    emit_number(emit_name(emit, "configured_seconds"), (double)step->duration_ms / 1000, 3);
    double timeout = (double)controller->plan.step_timeout_ms / 1000;
    emit_text(emit_name(emit, "warning"),
              timeout > 0 && longest > timeout
                  ? "longer than step_timeout: at this rate the step cannot be judged in time"
                  : NULL);
    emit_end(emit, '}');
}

void controller_emit_plan(const struct controller *controller, double rps, struct emit *emit) {
    emit_object(emit);
    emit_text(emit_name(emit, "route"), controller->name);
    emit_number(emit_name(emit, "rps"), rps, 3);
    emit_array(emit_name(emit, "steps"));
    bool weighed = controller->plan.strategy != ROLLOUT_ROLLING;
    for (unsigned i = 0; weighed && i < controller->plan.step_count; i++)
        if (controller->plan.steps[i].weight > 0 && controller->plan.steps[i].weight < SHARE_WHOLE)
            emit_step_plan(controller, i, rps, emit);
    emit_end(emit, ']');
    emit_end(emit, '}');
}
