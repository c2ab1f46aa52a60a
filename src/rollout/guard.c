#include "rollout/guard.h"

#include "rollout/sample_size.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_SLACK     0.01 // by which a step that is not the last may be worse, in share of requests
#define LEAST_SCORES   100  // of each arm, before a mean is judged; bounded values
#define LEAST_VALUES   200  // … and values with a tail: costs
#define LEAST_TAIL     300  // requests before a p99 may pass: it is watched for harm only
#define BEST_SIZE      2000 // values at which a mean's bounds are tightest
#define EXTERNAL_TIMES 2    // values beyond the line, in a row, until it counts: one may be a hiccup
#define SILENT_MS      60000
#define TAIL           0.985 // quantiles from here on are the tail

// ---- what the line is

static bool yes_or_no(const struct guard *guard) {
    return guard->settings.kind == GUARD_ERROR_RATE || guard->settings.kind == GUARD_LATENCY;
}

static bool absolute(const struct guard *guard) {
    return guard->settings.role == GUARD_LIMIT;
}

// The rate of events that is normal for it: errors are rare, 1 - q of all requests are beyond a quantile.
static double usual_rate(const struct guard *guard) {
    return guard->settings.kind == GUARD_LATENCY ? 1 - guard->settings.quantile : 0.01;
}

// How much more of the candidate's requests may be events.
static double allowed_more(const struct guard *guard) {
    return guard->settings.kind == GUARD_ERROR_RATE ? guard->settings.margin / 100 : 0;
}

static double slack(const struct guard *guard) {
    return guard->settings.kind == GUARD_LATENCY ? 0.2 * usual_rate(guard) : STEP_SLACK;
}

// An absolute limit of a share is one itself; of a quantile: as many as are beyond it may be beyond the
// limit.
static double absolute_line(const struct guard *guard) {
    return guard->settings.kind == GUARD_LATENCY ? usual_rate(guard) : guard->settings.limit;
}

static void start(struct two_sample *process, const struct guard *guard, enum two_sample_direction direction,
                  double rho, double delta) {
    struct two_sample_settings settings = {
        .direction = direction,
        .rho = rho,
        .delta = delta,
        .prior_mean = usual_rate(guard),
        .prior_weight = 50,
        .restart_every = 10,
        .decay = 1,
    };
    two_sample_init(process, &settings);
    two_sample_seed(process, guard->history.baseline, guard->history.baseline_events);
}

void guard_reset(struct guard *guard) {
    double rho = absolute(guard) ? 0 : 1, more = absolute(guard) ? absolute_line(guard) : allowed_more(guard);
    guard->waiting = guard->waiting_soon = guard->total = guard->total_soon = (struct guard_batch){0};
    guard->baseline = guard->candidate = (struct mean){0};
    memset(guard->groups, 0, sizeof guard->groups);
    guard->design = DESIGN_NONE;
    guard->harmful = guard->watching = false;
    guard->external_bad = 0;
    guard->external[0] = guard->external[1] = NAN;
    guard->external_error[0] = '\0';
    guard->silent_ms = 0;
    guard->unjudged = 0;
    if (!yes_or_no(guard))
        return;
    start(&guard->harm, guard, TWO_SAMPLE_HARM, rho, more);
    start(&guard->soon, guard, TWO_SAMPLE_HARM, rho, more);
    start(&guard->fine, guard, TWO_SAMPLE_NON_INFERIOR, rho, more);
    start(&guard->step, guard, TWO_SAMPLE_NON_INFERIOR, rho, more + slack(guard));
}

void guard_init(struct guard *guard, const struct guard_settings *settings) {
    *guard = (struct guard){.settings = *settings};
    guard_reset(guard);
}

// ---- what comes in

void guard_batch_add(struct guard_batch *batch, const struct guard_batch *more) {
    batch->baseline += more->baseline;
    batch->baseline_events += more->baseline_events;
    batch->candidate += more->candidate;
    batch->candidate_events += more->candidate_events;
}

bool guard_batch_holds(const struct guard_batch *batch) {
    return batch->baseline_events >= 0 && batch->baseline_events <= batch->baseline &&
           batch->candidate_events >= 0 && batch->candidate_events <= batch->candidate;
}

static void update(struct two_sample *process, const struct guard_batch *batch) {
    two_sample_update(process, batch->baseline, batch->baseline_events, batch->candidate,
                      batch->candidate_events);
}

void guard_feed(struct guard *guard, const struct guard_batch *batch, bool soon) {
    struct guard_batch *waiting = soon ? &guard->waiting_soon : &guard->waiting;
    guard_batch_add(waiting, batch);
    if (soon)
        guard_batch_add(&guard->total_soon, batch);
    if (!soon) {
        guard_batch_add(&guard->total, batch);
        guard->history.baseline += batch->baseline;
        guard->history.baseline_events += batch->baseline_events;
        if (batch->candidate > 0)
            guard->silent_ms = 0;
    }
    if (guard->watching && waiting->candidate > 0) {
        update(soon ? &guard->watch_soon : &guard->watch, waiting);
        *waiting = (struct guard_batch){0};
    } else if (waiting->candidate > 0 && (waiting->baseline > 0 || absolute(guard))) {
        update(soon ? &guard->soon : &guard->harm, waiting);
        if (!soon) {
            update(&guard->fine, waiting);
            update(&guard->step, waiting);
        }
        *waiting = (struct guard_batch){0};
    }
}

void guard_feed_means(struct guard *guard, const struct experiment_sum *baseline,
                      const struct experiment_sum *candidate) {
    mean_merge(&guard->baseline, (double)baseline->count, baseline->sum, baseline->squares);
    mean_merge(&guard->candidate, (double)candidate->count, candidate->sum, candidate->squares);
    if (candidate->count)
        guard->silent_ms = 0;
}

static void measure(struct guard *guard) {
    double effect = score_groups_effect(&guard->groups[0], &guard->baseline);
    if (guard->candidate.count >= DESIGN_SMALL_SHARE * (guard->baseline.count + guard->candidate.count))
        effect = fmax(effect, score_groups_effect(&guard->groups[1], &guard->candidate));
    design_measured(&guard->design, effect, score_groups_count(&guard->groups[0]));
}

void guard_score(struct guard *guard, bool candidate, double score, uint64_t unit_hash) {
    mean_add(candidate ? &guard->candidate : &guard->baseline, score);
    score_groups_add(&guard->groups[candidate], unit_hash, score);
    measure(guard);
    if (candidate)
        guard->silent_ms = 0;
}

void guard_take_groups(struct guard *guard, const struct score_groups *groups) {
    memcpy(guard->groups, groups, sizeof guard->groups);
    measure(guard);
}

double guard_allowed(const struct guard *guard, const struct guard_outcome *outcome) {
    const struct guard_settings *with = &guard->settings;
    double sign = with->less_is_worse ? -1 : 1;
    if (absolute(guard) || !isnan(with->limit))
        return NAN;
    if (yes_or_no(guard))
        return allowed_more(guard);
    return sign *
           (with->kind == GUARD_SCORE ? with->margin : with->margin / 100 * outcome->baseline_estimate);
}

static double external_line(const struct guard *guard) {
    if (!isnan(guard->settings.limit))
        return guard->settings.limit;
    return guard->external[0] * (1 + guard->settings.margin / 100);
}

void guard_external(struct guard *guard, double baseline, double candidate, const char *error) {
    snprintf(guard->external_error, sizeof guard->external_error, "%s", error ? error : "");
    guard->external[0] = error ? NAN : baseline;
    guard->external[1] = error ? NAN : candidate;
    bool beyond = !error && candidate > external_line(guard);
    guard->external_bad = beyond ? guard->external_bad + 1 : 0;
}

// The baseline's rate, with what it may be by chance on top.
static double history_line(const struct guard *guard) {
    const struct guard_batch *history = &guard->history;
    double n = history->baseline, p = history->baseline_events / n;
    double spread = fmax(p * (1 - p), 1 / n);
    return fmin(0.99, p + 3 * sqrt(spread / n) + allowed_more(guard));
}

void guard_watch(struct guard *guard, bool watching) {
    if (!yes_or_no(guard) || absolute(guard))
        return;
    if (guard->watching != watching) {
        guard->watching = watching;
        guard->watch.count = guard->watch_soon.count = 0;
        guard->waiting = guard->waiting_soon = (struct guard_batch){0};
    }
    // What the baseline did last matures a while after it has lost its traffic.
    if (!watching || guard->watch.count || guard->history.baseline < LEAST_SCORES)
        return;
    start(&guard->watch, guard, TWO_SAMPLE_HARM, 0, history_line(guard));
    start(&guard->watch_soon, guard, TWO_SAMPLE_HARM, 0, history_line(guard));
}

// ---- judging

// Two ways to look, each with half of the chance of a false alarm. Their mean would not do: they know of a
// request's failure at different times, and the mean of such e-processes is none.
static double better_of(double a, double b) {
    return fmax(a, b) - log(2);
}

// The figures to show: those of failures at once while the rest has not matured, or says less.
static bool errors_at_once(const struct guard *guard, double deff) {
    return guard->settings.kind == GUARD_ERROR_RATE &&
           (guard->total.candidate == 0 ||
            two_sample_evidence(&guard->soon, deff) > two_sample_evidence(&guard->harm, deff) + 1);
}

static void judge_rates(struct guard *guard, const struct guard_levels *levels, double deff, double share,
                        struct guard_outcome *out) {
    const struct guard_batch *total = errors_at_once(guard, deff) ? &guard->total_soon : &guard->total;
    bool errors = guard->settings.kind == GUARD_ERROR_RATE;
    double harm = two_sample_evidence(&guard->harm, deff);
    out->log_harm = errors ? better_of(harm, two_sample_evidence(&guard->soon, deff)) : harm;
    if (guard->watching && guard->watch.count) {
        double watch = two_sample_evidence(&guard->watch, deff);
        out->log_harm = fmax(
            out->log_harm, errors ? better_of(watch, two_sample_evidence(&guard->watch_soon, deff)) : watch);
    }
    out->log_fine = two_sample_evidence(&guard->fine, deff);
    out->log_step = two_sample_evidence(&guard->step, deff);
    out->baseline_count = total->baseline;
    out->baseline_events = total->baseline_events;
    out->candidate_count = total->candidate;
    out->candidate_events = total->candidate_events;
    double pb = total->baseline > 0 ? total->baseline_events / total->baseline : NAN;
    double pc = total->candidate > 0 ? total->candidate_events / total->candidate : NAN;
    out->baseline_estimate = pb;
    out->candidate_estimate = pc;
    struct mean baseline = {total->baseline, pb, total->baseline * pb * (1 - pb)};
    struct mean candidate = {total->candidate, pc, total->candidate * pc * (1 - pc)};
    struct mean_difference difference;
    double alpha = levels->alpha_fine, tuning = mean_tuning(BEST_SIZE, alpha / 2);
    if (mean_compare(&baseline, &candidate, &(struct mean_margins){1, 0, deff, deff}, &difference) &&
        difference.variance > 0) {
        double margin = mean_margin(&difference, tuning, alpha / 2);
        out->low = difference.difference - margin;
        out->high = difference.difference + margin;
    } else if (total->baseline > 0 && total->candidate > 0) { // none or all failed: each arm's own interval
        struct interval b = interval_share(total->baseline_events / deff, total->baseline / deff, alpha / 2);
        struct interval c =
            interval_share(total->candidate_events / deff, total->candidate / deff, alpha / 2);
        out->low = c.low - b.high;
        out->high = c.high - b.low;
    }
    if (absolute(guard) || share <= 0 || share >= 1)
        return;
    double rate = fmax(fmin(isnan(pb) ? usual_rate(guard) : pb, 1 - 1e-6), 1e-6);
    struct sample_question question = {rate, rate, share, 1, allowed_more(guard), alpha, 8, 0.5, false};
    double growth = sample_growth(&question) / deff;
    if (growth > 1e-9)
        out->requests_left = fmax(0, out->log_needed_fine - out->log_fine) / growth;
}

// The difference that is worse points up: candidate - allowed, or allowed - candidate.
static bool worse_by(const struct guard *guard, double extra, double deff, struct mean_difference *out) {
    const struct guard_settings *with = &guard->settings;
    bool points = with->kind == GUARD_SCORE;
    double margin = points ? with->margin + extra : with->margin / 100 + extra;
    double sign = with->less_is_worse ? -1 : 1;
    struct mean_margins margins = {points ? 1 : 1 + sign * margin, points ? sign * margin : 0, deff, deff};
    if (!mean_compare(&guard->baseline, &guard->candidate, &margins, out))
        return false;
    out->difference *= sign;
    return true;
}

static void judge_means(struct guard *guard, const struct guard_levels *levels, double deff,
                        struct guard_outcome *out) {
    double alpha = levels->alpha_fine, tuning = mean_tuning(BEST_SIZE, alpha);
    double least = guard->settings.kind == GUARD_SCORE ? LEAST_SCORES : LEAST_VALUES;
    struct mean_difference difference;
    out->baseline_count = guard->baseline.count;
    out->candidate_count = guard->candidate.count;
    if (guard->baseline.count > 0)
        out->baseline_estimate = guard->baseline.mean;
    if (guard->candidate.count > 0)
        out->candidate_estimate = guard->candidate.mean;
    if (mean_compare(&guard->baseline, &guard->candidate, &(struct mean_margins){1, 0, deff, deff},
                     &difference) &&
        difference.variance > 0) {
        double margin = mean_margin(&difference, mean_tuning(BEST_SIZE, alpha / 2), alpha / 2);
        out->low = difference.difference - margin;
        out->high = difference.difference + margin;
    }
    if (!worse_by(guard, 0, deff, &difference))
        return;
    struct mean_difference better = difference;
    better.difference = -difference.difference;
    double count = fmin(guard->baseline.count, guard->candidate.count);
    double times = fmax(mean_times(&better, tuning, out->log_needed_fine), least / count);
    if (isfinite(times))
        out->requests_left = (times - 1) * (guard->baseline.count + guard->candidate.count);
    if (count < least)
        return;
    out->log_harm = mean_log_e(&difference, tuning);
    out->log_fine = mean_log_e(&better, tuning);
    if (worse_by(guard, guard->settings.kind == GUARD_SCORE ? 0.02 : 0.05, deff, &difference)) {
        difference.difference = -difference.difference;
        out->log_step = mean_log_e(&difference, tuning);
    }
}

static void judge_external(struct guard *guard, struct guard_outcome *out) {
    out->baseline_estimate = guard->external[0];
    out->candidate_estimate = guard->external[1];
    if (guard->external_error[0])
        out->verdict = VERDICT_ERROR;
    else if (isnan(guard->external[1]))
        out->verdict = VERDICT_NO_DATA;
    else if (guard->external_bad)
        out->verdict = guard->external_bad >= EXTERNAL_TIMES ? VERDICT_FAIL : VERDICT_WAIT;
    else
        out->verdict = VERDICT_PASS;
    guard->harmful = guard->harmful || out->verdict == VERDICT_FAIL;
    out->step_verdict = out->verdict = guard->harmful ? VERDICT_FAIL : out->verdict;
}

// Nobody counted for a while: what was shown before is not taken for what would be shown now.
static bool silent(const struct guard *guard, const struct guard_outcome *out) {
    if (guard->watching && yes_or_no(guard) && !absolute(guard) && !guard->watch.count)
        return true; // nothing is known of the baseline, and nothing will be
    return out->candidate_count == 0 || guard->silent_ms > SILENT_MS ||
           (out->baseline_count == 0 && !absolute(guard) && !guard->watching);
}

// What needs no proof that it is fine: an absolute limit, and the far tail, where proof would take for ever.
static bool harm_only(const struct guard *guard) {
    return absolute(guard) || (guard->settings.kind == GUARD_LATENCY && guard->settings.quantile > TAIL);
}

static enum verdict pass_or_wait(const struct guard *guard, const struct guard_outcome *out, double log_e) {
    if (harm_only(guard))
        return out->candidate_count >= (absolute(guard) ? 1 : LEAST_TAIL) ? VERDICT_PASS : VERDICT_WAIT;
    return log_e >= out->log_needed_fine || guard->watching ? VERDICT_PASS : VERDICT_WAIT;
}

double guard_needed_harm(const struct guard_levels *levels) {
    unsigned acting = levels->acting ? levels->acting : 1;
    return log(acting / levels->alpha_harm);
}

void guard_judge(struct guard *guard, const struct guard_levels *levels, double design_effect, double share,
                 struct guard_outcome *out) {
    *out = (struct guard_outcome){
        .log_needed_harm = guard_needed_harm(levels),
        .log_needed_fine = log(1 / levels->alpha_fine),
        .requests_left = NAN,
        .baseline_estimate = NAN,
        .candidate_estimate = NAN,
        .low = NAN,
        .high = NAN,
        .unjudged = guard->unjudged,
    };
    if (guard->settings.kind == GUARD_EXTERNAL) {
        judge_external(guard, out);
    } else {
        if (yes_or_no(guard))
            judge_rates(guard, levels, design_effect, share, out);
        else
            judge_means(guard, levels, design_effect, out);
        guard->harmful = guard->harmful || out->log_harm >= out->log_needed_harm;
        out->verdict = pass_or_wait(guard, out, out->log_fine);
        out->step_verdict = pass_or_wait(guard, out, fmax(out->log_step, out->log_fine));
        if (silent(guard, out))
            out->verdict = out->step_verdict = VERDICT_NO_DATA;
        if (guard->harmful) {
            out->verdict = out->step_verdict = VERDICT_FAIL;
            out->requests_left = NAN;
        }
    }
    guard_explain(guard, levels, out);
}

struct interval guard_interval(const struct guard *guard, const struct guard_outcome *outcome, bool candidate,
                               double design_effect, double alpha) {
    double events = candidate ? outcome->candidate_events : outcome->baseline_events;
    double count = candidate ? outcome->candidate_count : outcome->baseline_count;
    switch (guard->settings.kind) {
    case GUARD_ERROR_RATE:
    case GUARD_LATENCY:
        return interval_share(events / design_effect, count / design_effect, alpha);
    case GUARD_MEAN:
    case GUARD_SCORE:
        return interval_mean(candidate ? &guard->candidate : &guard->baseline, design_effect, alpha);
    case GUARD_EXTERNAL:
        break;
    }
    return (struct interval){NAN, NAN};
}
