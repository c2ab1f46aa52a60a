// A judgement in one sentence with its figures, for people.
#include "rollout/guard.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void say(struct guard_outcome *outcome, const char *format,
                                                      ...) {
    size_t used = strlen(outcome->because);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->because + used, sizeof outcome->because - used, format, arguments);
    va_end(arguments);
}

static void say_share(struct guard_outcome *outcome, const char *who, double events, double count) {
    say(outcome, "%s %.0f of %.0f (%.2f %%)", who, events, count, count > 0 ? 100 * events / count : 0.0);
}

static void say_errors(const struct guard *guard, struct guard_outcome *outcome) {
    say_share(outcome, "failed requests: candidate", outcome->candidate_events, outcome->candidate_count);
    if (guard->settings.role == GUARD_LIMIT) {
        say(outcome, ", limit %.4g %%", 100 * guard->settings.limit);
    } else if (guard->watching) {
        say(outcome, ", baseline before %.2f %%, margin %.4g points",
            guard->history.baseline > 0 ? 100 * guard->history.baseline_events / guard->history.baseline
                                        : 0.0,
            guard->settings.margin);
    } else {
        say_share(outcome, ", baseline", outcome->baseline_events, outcome->baseline_count);
        say(outcome, ", margin %.4g points", guard->settings.margin);
    }
}

static void say_latency(const struct guard *guard, struct guard_outcome *outcome) {
    const struct guard_settings *with = &guard->settings;
    if (with->role == GUARD_LIMIT) {
        say_share(outcome,
                  with->first_byte ? "first token slower than the limit: candidate"
                                   : "slower than the limit: candidate",
                  outcome->candidate_events, outcome->candidate_count);
        say(outcome, ", allowed %.4g %%", 100 * (1 - with->quantile));
        return;
    }
    char who[80];
    snprintf(who, sizeof who, "%sslower than the baseline's p%.4g plus %.4g %%: candidate",
             with->first_byte ? "first token " : "", 100 * with->quantile, with->margin);
    say_share(outcome, who, outcome->candidate_events, outcome->candidate_count);
    if (!guard->watching)
        say_share(outcome, ", baseline beyond its own", outcome->baseline_events, outcome->baseline_count);
}

static void say_means(const struct guard *guard, struct guard_outcome *outcome) {
    bool points = guard->settings.kind == GUARD_SCORE;
    say(outcome, "%s, mean: candidate %.6g of %.0f, baseline %.6g of %.0f, margin %.4g %s",
        guard->settings.name, outcome->candidate_estimate, outcome->candidate_count,
        outcome->baseline_estimate, outcome->baseline_count, guard->settings.margin, points ? "points" : "%");
}

static void say_external(const struct guard *guard, struct guard_outcome *outcome) {
    say(outcome, "%s: ", guard->settings.name);
    if (guard->external_error[0]) {
        say(outcome, "%s", guard->external_error);
    } else if (isnan(guard->external[1])) {
        say(outcome, "Prometheus has no value yet");
    } else {
        say(outcome, "candidate %.6g", guard->external[1]);
        if (!isnan(guard->settings.limit))
            say(outcome, ", at most %.6g", guard->settings.limit);
        else
            say(outcome, ", baseline %.6g, margin %.4g %%", guard->external[0], guard->settings.margin);
    }
}

// A candidate that nobody asks and one that refuses everybody have no figures both.
static void say_no_data(const struct guard *guard, struct guard_outcome *outcome) {
    if (guard->unjudged)
        say(outcome, "; nothing to judge by, its last %llu requests ended in 4xx or without a client",
            (unsigned long long)guard->unjudged);
    else
        say(outcome, "; too few figures to judge by");
}

static void say_verdict(const struct guard *guard, const struct guard_levels *levels,
                        struct guard_outcome *outcome) {
    double harm = exp(outcome->log_harm), needed = exp(outcome->log_needed_harm);
    switch (outcome->verdict) {
    case VERDICT_FAIL:
        say(outcome, "; it is worse: e-value %.4g, %.4g suffices", harm, needed);
        break;
    case VERDICT_PASS:
        say(outcome, "; it is no worse");
        break;
    case VERDICT_NO_DATA:
        say_no_data(guard, outcome);
        break;
    default:
        say(outcome, "; not shown yet either way (harm %.3g of %.4g, no harm %.3g of %.4g)", harm, needed,
            exp(outcome->log_fine), 1 / levels->alpha_fine);
        if (outcome->requests_left > 0 && outcome->requests_left < 1e9)
            say(outcome, ", about %.0f requests more", ceil(outcome->requests_left));
        break;
    }
}

void guard_explain(const struct guard *guard, const struct guard_levels *levels,
                   struct guard_outcome *outcome) {
    outcome->because[0] = '\0';
    if (guard->settings.label)
        say(outcome, "%s: ", guard->settings.label);
    switch (guard->settings.kind) {
    case GUARD_ERROR_RATE:
        say_errors(guard, outcome);
        break;
    case GUARD_LATENCY:
        say_latency(guard, outcome);
        break;
    case GUARD_MEAN:
    case GUARD_SCORE:
        if (outcome->candidate_count > 0 && outcome->baseline_count > 0)
            say_means(guard, outcome);
        else
            say(outcome, "no values of both arms yet");
        break;
    case GUARD_EXTERNAL:
        say_external(guard, outcome);
        if (outcome->verdict == VERDICT_FAIL)
            say(outcome, "; it is beyond the line");
        return;
    }
    say_verdict(guard, levels, outcome);
}
