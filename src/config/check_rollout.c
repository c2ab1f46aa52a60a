// The rollout block: arms, steps, metrics, and which key belongs to which strategy.
#include "check.h"
#include "config/rollout.h"
#include "value.h"
#include <math.h>

static bool own_metric(const char *name) {
    static const char *const names[] = {"error_rate",       "latency_p50", "latency_p95", "latency_p99",
                                        "ttft_p50",         "ttft_p95",    "ttft_p99",    "tokens_per_second",
                                        "cost_per_request", "quality"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

// ---- the arms

static void check_count(struct check *check, const struct route_config *route) {
    const struct rollout_config *rollout = route->rollout;
    size_t count = route->variant_count;
    struct place place = place_of_field(check, &rollout->strategy, rollout->place);
    if (rollout->strategy == ROLLOUT_ROLLING && count != 1)
        report_add(check->report, place, NULL,
                   "a rolling rollout updates one variant's pool; %s has %zu variants",
                   route_label(check, route), count);
    else if (rollout->strategy != ROLLOUT_ROLLING && count < 2)
        report_add(check->report, place, NULL, "this rollout needs a second variant; %s has one",
                   route_label(check, route));
    else if ((rollout->strategy == ROLLOUT_CANARY || rollout->strategy == ROLLOUT_BLUE_GREEN) && count > 2 &&
             !report_given(check->report, &rollout->candidate))
        report_add(check->report, rollout->place, NULL, "`rollout` needs `candidate`: %s has %zu variants",
                   route_label(check, route), count);
}

// Without `baseline` it is the first variant; without `candidate` the first that is not the baseline.
static void settle_arms(struct route_config *route) {
    struct rollout_config *rollout = route->rollout;
    if (!route->variant_count)
        return;
    if (!rollout->baseline)
        rollout->baseline = route->variants[route->baseline].name;
    if (rollout->candidate)
        return;
    rollout->candidate_index = route->baseline == 0 && route->variant_count > 1 ? 1 : 0;
    rollout->candidate = route->variants[rollout->candidate_index].name;
}

static void check_arms(struct check *check, struct route_config *route) {
    struct rollout_config *rollout = route->rollout;
    if (rollout->baseline) {
        size_t index = check_variant(check, route, &rollout->baseline, "baseline");
        route->baseline = index < route->variant_count ? index : 0;
    }
    if (rollout->candidate) {
        size_t index = check_variant(check, route, &rollout->candidate, "candidate");
        rollout->candidate_index = index < route->variant_count ? index : 0;
        if (index < route->variant_count && index == route->baseline &&
            !report_refused(check->report, &rollout->baseline))
            report_add(check->report, place_of_field(check, &rollout->candidate, rollout->place), NULL,
                       "`%s` is the baseline and cannot be the candidate too", rollout->candidate);
    }
    if (route->variant_count && !report_refused(check->report, &rollout->strategy))
        check_count(check, route);
    settle_arms(route);
}

// ---- what belongs to which strategy

static void check_strategy(struct check *check, const struct rollout_config *rollout) {
    static const char *const names[] = {"canary", "blue_green", "rolling", "ab"};
    const struct {
        const void *field;
        const char *key;
        enum rollout_strategy strategy;
        bool required;
    } rules[] = {
        {&rollout->steps, "steps", ROLLOUT_CANARY, true},
        {&rollout->switch_over, "switch", ROLLOUT_BLUE_GREEN, false},
        {&rollout->update, "update", ROLLOUT_ROLLING, true},
        {&rollout->batch, "batch", ROLLOUT_ROLLING, false},
        {&rollout->goal, "goal", ROLLOUT_AB, true},
        {&rollout->max_duration, "max_duration", ROLLOUT_AB, false},
        {&rollout->on_winner, "on_winner", ROLLOUT_AB, false},
    };
    if (report_refused(check->report, &rollout->strategy))
        return;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        bool given = report_given(check->report, rules[i].field);
        if (given && rules[i].strategy != rollout->strategy)
            report_add(check->report, place_of_field(check, rules[i].field, rollout->place), NULL,
                       "`%s` belongs to `strategy: %s`, not to %s", rules[i].key, names[rules[i].strategy],
                       names[rollout->strategy]);
        else if (!given && rules[i].required && rules[i].strategy == rollout->strategy)
            report_add(check->report, rollout->place, NULL, "`strategy: %s` needs `%s`",
                       names[rollout->strategy], rules[i].key);
    }
}

static void check_step(struct check *check, const struct step_config *step, int64_t *last) {
    bool weight = report_given(check->report, &step->weight),
         pause = report_given(check->report, &step->pause);
    if (report_refused(check->report, step) || report_refused(check->report, &step->weight) ||
        report_refused(check->report, &step->pause))
        return;
    if (weight == pause) {
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list that is NULL has no items
        report_add(check->report, step->place, NULL, "a step has either `weight` or `pause: manual`");
        return;
    }
    if (pause)
        return;
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list that is NULL has no items
    if (step->weight <= *last)
        report_add(check->report, place_of_field(check, &step->weight, step->place), NULL,
                   "the weights of steps must grow");
    *last = step->weight;
}

static void check_steps(struct check *check, const struct rollout_config *rollout) {
    int64_t last = -1;
    if (rollout->steps && rollout->step_count == 0)
        report_add(check->report, place_of_field(check, &rollout->steps, rollout->place), NULL,
                   "`steps` is empty");
    if (rollout->step_count > ROLLOUT_STEPS_MOST)
        report_add(check->report, place_of_field(check, &rollout->steps, rollout->place), NULL,
                   "a rollout may have %d steps, not %zu", ROLLOUT_STEPS_MOST, rollout->step_count);
    for (size_t i = 0; i < rollout->step_count; i++)
        check_step(check, &rollout->steps[i], &last);
}

// ---- metrics

static void check_guard(struct check *check, struct guard_config *guard, const char *kind) {
    struct report *report = check->report;
    bool max = report_given(report, &guard->max), margin = report_given(report, &guard->margin);
    if (!max)
        guard->max = NAN;
    if (report_refused(report, guard))
        return;
    if (guard->prometheus) {
        check_url(check, &guard->prometheus->url, "url");
        if (own_metric(guard->name))
            report_add(report, guard->place, "choose another name",
                       "%s `%s` is a metric of sluice itself and takes no `prometheus`", kind, guard->name);
        else if (!max && !margin)
            report_add(report, guard->place, NULL, "%s `%s` needs `max` or `margin`", kind, guard->name);
        else if (!max && guard->prometheus->query && !strstr(guard->prometheus->query, "$variant"))
            report_add(report, place_of_field(check, &guard->prometheus->query, guard->place),
                       "or give `max`, which needs no comparison",
                       "`margin` compares two variants, so `query` needs `$variant`");
    } else if (max && !report_given(report, &guard->prometheus)) {
        report_add(report, place_of_field(check, &guard->max, guard->place),
                   "absolute limits stand in `rollout.limits`", "`max` belongs to a `prometheus` metric");
    }
}

// Costs are compared: without a price one side has none, and the rollout would wait for ever.
static void check_price(struct check *check, const struct route_config *route, const char *metric,
                        struct place place) {
    const struct rollout_config *rollout = route->rollout;
    bool all = rollout->strategy == ROLLOUT_AB;
    if (strcmp(metric, "cost_per_request") != 0)
        return;
    for (size_t i = 0; i < route->variant_count; i++) {
        const struct variant_config *variant = &route->variants[i];
        bool compared = all || i == route->baseline || i == rollout->candidate_index;
        if (compared && !variant->price && !report_refused(check->report, variant) &&
            !report_refused(check->report, &variant->price))
            report_add(check->report, place, "give every variant that is compared its `price`",
                       "`cost_per_request` needs a `price`, which `%.64s` has not", variant->name);
    }
}

static void check_prices(struct check *check, const struct route_config *route) {
    const struct rollout_config *rollout = route->rollout;
    for (size_t i = 0; i < rollout->guard_count; i++)
        check_price(check, route, rollout->guards[i].name, rollout->guards[i].place);
    for (size_t i = 0; i < rollout->signal_count; i++)
        check_price(check, route, rollout->signals[i].name, rollout->signals[i].place);
    if (rollout->goal && rollout->goal->metric)
        check_price(check, route, rollout->goal->metric, rollout->goal->place);
}

static void check_dry_run(struct check *check, const struct rollout_config *rollout) {
    const struct string_list *list = &rollout->dry_run;
    const char *names[64];
    size_t count = 0;
    for (size_t i = 0; i < rollout->guard_count && count < 64; i++)
        names[count++] = rollout->guards[i].name;
    for (size_t i = 0; i < rollout->signal_count && count < 64; i++)
        names[count++] = rollout->signals[i].name;
    for (size_t i = 0; i < list->count && count < 64; i++) {
        size_t k = 0;
        while (k < count && strcmp(names[k], list->items[i]) != 0)
            k++;
        if (k == count && report_given(check->report, &list->items[i])) // `all` stands for itself
            report_add(check->report, place_of_field(check, &list->items[i], rollout->place),
                       suggest(check->arena, list->items[i], names, count),
                       "`dry_run` names `%s`, which is neither a guard nor a signal", list->items[i]);
    }
}

// A quantile is p50, p95 or p99; only shares and times have absolute limits.
static void check_limits(struct check *check, const struct rollout_config *rollout) {
    for (size_t i = 0; i < rollout->limit_count; i++) {
        const struct absolute_config *limit = &rollout->limits[i];
        if (strcmp(limit->name, "error_rate") != 0 &&
            !(own_metric(limit->name) && (strstr(limit->name, "latency_") || strstr(limit->name, "ttft_"))))
            report_add(check->report, limit->place, "`prometheus` guards have a `max` of their own",
                       "`limits` takes error_rate, latency_p50|p95|p99 and ttft_p50|p95|p99, not `%.100s`",
                       limit->name);
        else if (limit->amount <= 0 || (strcmp(limit->name, "error_rate") == 0 && limit->amount >= 1))
            report_add(check->report, limit->place, NULL, "`%s` must be above 0%s", limit->name,
                       strcmp(limit->name, "error_rate") == 0 ? " and below 100" : "");
    }
}

static bool is_time(const char *name) {
    return strncmp(name, "latency_", 8) == 0 || strncmp(name, "ttft_", 5) == 0;
}

// Of errors, times and costs less is better, whether it is said or not.
static void check_goal(struct check *check, struct goal_config *goal) {
    if (!goal || !goal->metric)
        return;
    bool rate = strcmp(goal->metric, "error_rate") == 0 || is_time(goal->metric);
    bool less = rate || strcmp(goal->metric, "cost_per_request") == 0;
    if (less && !report_given(check->report, &goal->direction))
        goal->direction = GOAL_DOWN;
    if (rate && goal->direction == GOAL_UP && !report_refused(check->report, &goal->direction))
        report_add(check->report, place_of_field(check, &goal->direction, goal->place),
                   "write `direction: down`", "more of `%s` is never better", goal->metric);
    if (is_time(goal->metric) && goal->margin != 0)
        report_add(check->report, place_of_field(check, &goal->margin, goal->place), NULL,
                   "a goal that is a latency takes no `margin`: all variants are held against one threshold");
}

// What one rollout can judge is bounded: by what the workers keep for it.
static void check_amount(struct check *check, const struct route_config *route) {
    const struct rollout_config *rollout = route->rollout;
    size_t times = 0, all = rollout->guard_count + rollout->signal_count + rollout->limit_count;
    for (size_t i = 0; i < rollout->guard_count; i++)
        times += is_time(rollout->guards[i].name);
    for (size_t i = 0; i < rollout->signal_count; i++)
        times += is_time(rollout->signals[i].name);
    for (size_t i = 0; i < rollout->limit_count; i++)
        times += is_time(rollout->limits[i].name);
    if (rollout->goal && rollout->goal->metric)
        times += is_time(rollout->goal->metric);
    if (times > ROLLOUT_TIMES)
        report_add(check->report, rollout->place, NULL,
                   "guards, signals, limits and the goal together may name %d latencies, not %zu",
                   ROLLOUT_TIMES, times);
    bool each = rollout->strategy == ROLLOUT_AB && route->variant_count > 2; // candidate is judged by all
    size_t candidates = each ? route->variant_count - 1 : 1;
    if (all * candidates > ROLLOUT_METRICS)
        report_add(check->report, rollout->place, NULL,
                   "a rollout may have %d guards, signals and limits%s, not %zu", ROLLOUT_METRICS,
                   each ? ", those of each candidate counted" : "", all * candidates);
}

static void check_evaluation(struct check *check, struct evaluation_config *evaluation) {
    if (evaluation->json && !pointer_valid(evaluation->json))
        report_add(check->report, place_of_field(check, &evaluation->json, evaluation->place),
                   "write /field/0/field", "\"%.100s\" is not a JSON pointer", evaluation->json);
    if (report_refused(check->report, &evaluation->min) || report_refused(check->report, evaluation))
        return;
    if (!report_given(check->report, &evaluation->min)) {
        evaluation->min = NAN;
        if (!evaluation->baseline)
            report_add(check->report, evaluation->place, NULL, "`evaluation` needs `min` or `baseline`");
    }
    if (evaluation->margin > 0 && !evaluation->baseline)
        report_add(check->report, place_of_field(check, &evaluation->margin, evaluation->place), NULL,
                   "`margin` needs `baseline`: the file that it is compared with");
}

void check_rollout(struct check *check, struct route_config *route) {
    struct rollout_config *rollout = route->rollout;
    if (report_refused(check->report, rollout))
        return;
    check_arms(check, route);
    check_strategy(check, rollout);
    check_steps(check, rollout);
    for (size_t i = 0; i < rollout->before.smoke_test_count; i++)
        check_probe(check, &rollout->before.smoke_tests[i].request, &rollout->before.smoke_tests[i].expect);
    if (rollout->before.evaluation)
        check_evaluation(check, rollout->before.evaluation);
    for (size_t i = 0; i < rollout->guard_count; i++)
        check_guard(check, &rollout->guards[i], "guard");
    for (size_t i = 0; i < rollout->signal_count; i++)
        check_guard(check, &rollout->signals[i], "signal");
    check_goal(check, rollout->goal);
    check_prices(check, route);
    check_dry_run(check, rollout);
    check_limits(check, rollout);
    check_amount(check, route);
    if ((rollout->confidence < 50 || rollout->confidence >= 100) &&
        !report_refused(check->report, &rollout->confidence))
        report_add(check->report, place_of_field(check, &rollout->confidence, rollout->place), NULL,
                   "`confidence` must be from 50 to below 100");
    check_url(check, &rollout->hooks.before_step, "before_step");
    check_url(check, &rollout->hooks.on_promote, "on_promote");
    check_url(check, &rollout->hooks.on_rollback, "on_rollback");
    check_url(check, &rollout->update, "update");
    for (size_t i = 0; i < rollout->notify_count; i++)
        check_url(check, &rollout->notify[i].url, "url");
}
