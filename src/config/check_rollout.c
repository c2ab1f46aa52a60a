// The rollout block: strategy, steps, metrics.
#include "check.h"
#include "config/rollout.h"
#include "value.h"

static bool own_metric(const char *name) {
    static const char *const names[] = {"error_rate",       "latency_p50", "latency_p95", "latency_p99",
                                        "ttft_p50",         "ttft_p95",    "ttft_p99",    "tokens_per_second",
                                        "cost_per_request", "quality"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void check_arms(struct check *check, struct route_config *route) {
    struct rollout_config *rollout = route->rollout;
    if (rollout->baseline) {
        size_t index = check_variant(check, route, rollout->place, "baseline", rollout->baseline);
        route->baseline = index < route->variant_count ? index : 0;
    }
    if (rollout->candidate) {
        size_t index = check_variant(check, route, rollout->place, "candidate", rollout->candidate);
        if (index < route->variant_count && index == route->baseline)
            report_add(check->report, rollout->place, NULL, "baseline and candidate are the same variant");
    } else if (rollout->strategy != ROLLOUT_AB && rollout->strategy != ROLLOUT_ROLLING &&
               route->variant_count != 2) {
        report_add(check->report, rollout->place, NULL,
                   "`rollout` needs `candidate`: route `%s` has %zu variants", route->name,
                   route->variant_count);
    }
}

static void check_steps(struct check *check, const struct rollout_config *rollout) {
    int64_t last = -1;
    if (rollout->strategy == ROLLOUT_CANARY && rollout->step_count == 0)
        report_add(check->report, rollout->place, NULL, "a canary rollout needs `steps`");
    if (rollout->strategy != ROLLOUT_CANARY && rollout->step_count)
        report_add(check->report, rollout->steps[0].place, NULL, "only a canary rollout has `steps`");
    for (size_t i = 0; i < rollout->step_count; i++) {
        const struct step_config *step = &rollout->steps[i];
        if (step->pause == (step->weight >= 0)) {
            report_add(check->report, step->place, NULL, "a step has either `weight` or `pause: manual`");
        } else if (!step->pause && step->weight <= last) {
            report_add(check->report, step->place, NULL, "the weights of steps must grow");
        }
        if (!step->pause)
            last = step->weight;
    }
}

static void check_metric(struct check *check, const struct guard_config *guard, const char *kind) {
    if (guard->prometheus && own_metric(guard->name))
        report_add(check->report, guard->place, "choose another name",
                   "%s `%s` is a metric of sluice itself and takes no `prometheus`", kind, guard->name);
    if (guard->margin < 0)
        report_add(check->report, guard->place, NULL, "the margin of %s `%s` is negative", kind, guard->name);
}

void check_rollout(struct check *check, struct route_config *route) {
    struct rollout_config *rollout = route->rollout;
    check_arms(check, route);
    check_steps(check, rollout);
    for (size_t i = 0; i < rollout->guard_count; i++)
        check_metric(check, &rollout->guards[i], "guard");
    for (size_t i = 0; i < rollout->signal_count; i++)
        check_metric(check, &rollout->signals[i], "signal");
    if (rollout->confidence < 50 || rollout->confidence >= 100)
        report_add(check->report, rollout->place, NULL, "`confidence` must be from 50 to below 100");
    if (rollout->strategy == ROLLOUT_AB && !rollout->goal)
        report_add(check->report, rollout->place, NULL, "an ab rollout needs `goal`");
    if (rollout->strategy == ROLLOUT_ROLLING && !rollout->update)
        report_add(check->report, rollout->place, NULL,
                   "a rolling rollout needs `update`, the webhook that updates an endpoint");
}
