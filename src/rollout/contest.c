#include "rollout/contest.h"

#include "rollout/winner.h"

#include <math.h>
#include <string.h>

#define LEAST_SCORES 100
#define LEAST_VALUES 200
#define BEST_SIZE    2000

static bool rates(const struct contest *contest) {
    enum guard_kind kind = contest->settings.goal.kind;
    return kind == GUARD_ERROR_RATE || kind == GUARD_LATENCY;
}

void contest_read(struct contest_settings *settings, const struct route_config *route) {
    const struct rollout_config *config = route->rollout;
    *settings = (struct contest_settings){
        .more_is_better = config->goal->direction == GOAL_UP,
        .margin = config->goal->margin,
        .alpha = 1 - config->confidence / 100,
        .horizon = (uint64_t)config->horizon * 1000000 / EXPERIMENT_TICK_NS,
    };
    guard_read_metric(config->goal->metric, &settings->goal);
    for (size_t i = 0; i < route->variant_count; i++)
        if (route->variants[i].weight > 0)
            settings->arms[settings->count++] = i;
}

// Events are bad: errors, or requests slower than the threshold that all arms share.
static void start_pair(struct contest *contest, struct contest_pair *pair) {
    double usual = contest->settings.goal.kind == GUARD_LATENCY ? 1 - contest->settings.goal.quantile : 0.01;
    struct two_sample_settings settings = {
        .direction = TWO_SAMPLE_HARM,
        .rho = 1,
        .delta = contest->settings.goal.kind == GUARD_ERROR_RATE ? contest->settings.margin / 100 : 0,
        .prior_mean = usual,
        .prior_weight = 50,
        .restart_every = 10,
        .decay = 1,
    };
    two_sample_init(&pair->evidence, &settings);
    pair->waiting = (struct guard_batch){0};
}

void contest_reset(struct contest *contest, uint64_t now) {
    memset(contest->totals, 0, sizeof contest->totals);
    memset(contest->means, 0, sizeof contest->means);
    memset(contest->groups, 0, sizeof contest->groups);
    contest->next = now;
    for (unsigned i = 0; i < contest->settings.count; i++) {
        contest->designs[i] = DESIGN_NONE;
        for (unsigned k = 0; k < contest->settings.count; k++)
            start_pair(contest, &contest->pairs[i][k]);
    }
}

void contest_init(struct contest *contest, const struct contest_settings *settings, uint64_t now) {
    contest->settings = *settings;
    contest_reset(contest, now);
}

// ---- ticks

// One reading: all ticks that have matured. With a tally they go there.
struct reading {
    struct contest *contest;
    const struct trial_source *source;
    struct tally *tally; // NULL: into the evidence
};
struct tick {
    struct experiment_cell cells[CONTEST_ARMS];
    struct tally_arm arms[CONTEST_ARMS];
};

static bool read_tick(const struct contest *contest, const struct trial_source *source, struct tick *tick) {
    for (unsigned i = 0; i < contest->settings.count; i++)
        if (!source->read(source->context, contest->settings.arms[i], contest->next, &tick->cells[i]))
            return false;
    return true;
}

// False when the arms' times were not held against the same threshold.
static bool count_events(const struct contest *contest, struct tick *tick) {
    const struct guard_settings *goal = &contest->settings.goal;
    uint32_t version = 0;
    for (unsigned i = 0; i < contest->settings.count; i++) {
        const struct experiment_cell *cell = &tick->cells[i];
        double n = cell->started > cell->excluded ? (double)(cell->started - cell->excluded) : 0;
        tick->arms[i] = (struct tally_arm){.requests = n};
        if (goal->kind == GUARD_ERROR_RATE) {
            tick->arms[i].events = fmin(n, cell->failed);
            continue;
        }
        if (n > 0 && (!cell->version || !cell->limit_us[goal->slot] || (version && version != cell->version)))
            return false;
        version = n > 0 ? cell->version : version;
        tick->arms[i].events = n - fmin(n, cell->within[goal->slot]);
    }
    return true;
}

static bool count_values(const struct contest *contest, struct tick *tick) {
    for (unsigned i = 0; i < contest->settings.count; i++)
        tick->arms[i] = (struct tally_arm){.values = tick->cells[i].means[contest->settings.goal.mean]};
    return true;
}

static void feed_pair(struct contest_pair *pair, const struct tally_arm *better,
                      const struct tally_arm *worse) {
    pair->waiting.baseline += better->requests;
    pair->waiting.baseline_events += better->events;
    pair->waiting.candidate += worse->requests;
    pair->waiting.candidate_events += worse->events;
    if (pair->waiting.baseline <= 0 || pair->waiting.candidate <= 0)
        return;
    two_sample_update(&pair->evidence, pair->waiting.baseline, pair->waiting.baseline_events,
                      pair->waiting.candidate, pair->waiting.candidate_events);
    pair->waiting = (struct guard_batch){0};
}

static void feed_rates(struct contest *contest, const struct tally_arm *arms) {
    for (unsigned i = 0; i < contest->settings.count; i++) {
        contest->totals[i].baseline += arms[i].requests;
        contest->totals[i].baseline_events += arms[i].events;
        for (unsigned k = 0; k < contest->settings.count; k++)
            if (i != k)
                feed_pair(&contest->pairs[i][k], &arms[i], &arms[k]);
    }
}

static void feed(struct contest *contest, const struct tally_arm *arms) {
    if (rates(contest)) {
        feed_rates(contest, arms);
        return;
    }
    for (unsigned i = 0; i < contest->settings.count; i++)
        mean_merge(&contest->means[i], (double)arms[i].values.count, arms[i].values.sum,
                   arms[i].values.squares);
}

static void give(const struct reading *reading, const struct tally_arm *arms) {
    if (!reading->tally) {
        feed(reading->contest, arms);
        return;
    }
    for (unsigned i = 0; i < reading->contest->settings.count; i++)
        tally_arm_add(&reading->tally->arms[i], &arms[i]);
}

// A time's threshold decides how long its tick takes to mature, as in the trial.
static uint64_t maturity(const struct contest *contest, const struct tick *tick) {
    uint64_t most = 0;
    if (contest->settings.goal.kind != GUARD_LATENCY)
        return contest->settings.horizon;
    for (unsigned i = 0; i < contest->settings.count; i++) {
        uint64_t limit = tick->cells[i].limit_us[contest->settings.goal.slot];
        most = limit > most ? limit : most;
    }
    return most * 1000 / EXPERIMENT_TICK_NS + 2;
}

static void read_all(const struct reading *reading, uint64_t now) {
    static struct tick tick; // large; one thread
    struct contest *contest = reading->contest;
    if (contest->settings.goal.kind == GUARD_SCORE)
        return;
    if (now > EXPERIMENT_RING && contest->next < now - (EXPERIMENT_RING - 2))
        contest->next = now - (EXPERIMENT_RING - 2);
    for (; contest->next + 1 < now; contest->next++) {
        if (!read_tick(contest, reading->source, &tick))
            continue;
        if (contest->next + 1 + maturity(contest, &tick) > now)
            return;
        if (rates(contest) ? count_events(contest, &tick) : count_values(contest, &tick))
            give(reading, tick.arms);
    }
}

void contest_advance(struct contest *contest, uint64_t now, const struct trial_source *source) {
    read_all(&(struct reading){contest, source, NULL}, now);
}

// ---- of a fleet

void contest_collect(struct contest *contest, uint64_t now, const struct trial_source *source,
                     struct tally *tally) {
    read_all(&(struct reading){contest, source, tally}, now);
}

bool contest_fits(const struct contest *contest, const struct tally *tally) {
    for (unsigned i = 0; i < TALLY_ARMS; i++) {
        struct tally_arm rest = tally->arms[i];
        if (i < contest->settings.count && rates(contest))
            rest.requests = rest.events = 0;
        else if (i < contest->settings.count)
            rest.values = (struct experiment_sum){0};
        if (!tally_arm_is_empty(&rest))
            return false;
    }
    return true;
}

bool contest_take(struct contest *contest, const struct tally *more) {
    if (!contest_fits(contest, more))
        return false;
    feed(contest, more->arms);
    return true;
}

// ---- scores

static void measure(struct contest *contest, unsigned index) {
    const struct score_groups *groups = &contest->groups[index];
    design_measured(&contest->designs[index], score_groups_effect(groups, &contest->means[index]),
                    score_groups_count(groups));
}

void contest_score(struct contest *contest, size_t arm, double score, uint64_t unit_hash) {
    for (unsigned i = 0; i < contest->settings.count; i++) {
        if (contest->settings.arms[i] != arm)
            continue;
        mean_add(&contest->means[i], score);
        score_groups_add(&contest->groups[i], unit_hash, score);
        measure(contest, i);
    }
}

void contest_collect_score(const struct contest *contest, size_t arm, double score, uint64_t unit_hash,
                           struct tally *tally, struct tally_groups *groups) {
    for (unsigned i = 0; i < contest->settings.count; i++) {
        if (contest->settings.arms[i] != arm)
            continue;
        tally_score(&tally->arms[i].values, score);
        score_groups_add(&groups->goal[i], unit_hash, score);
    }
}

// ---- units

static int design_kind(const struct guard_settings *goal) {
    if (goal->kind == GUARD_MEAN)
        return DESIGN_MEANS + (int)goal->mean;
    if (goal->kind == GUARD_LATENCY)
        return goal->first_byte ? DESIGN_SLOW_FIRST_BYTE : DESIGN_SLOW;
    return DESIGN_FAILED;
}

void contest_design(struct contest *contest, unsigned index, const struct experiment_group *groups) {
    const struct mean *mean = &contest->means[index];
    double requests, variance = NAN;
    if (contest->settings.goal.kind == GUARD_SCORE)
        return; // contest_score measures it
    if (!rates(contest))
        variance = mean->count > 1 ? mean->deviations / (mean->count - 1) : 0;
    double effect = design_of_arm(groups, design_kind(&contest->settings.goal), variance, &requests);
    design_measured(&contest->designs[index], effect, requests);
}

void contest_take_groups(struct contest *contest, const struct tally_groups *groups) {
    for (unsigned i = 0; i < contest->settings.count; i++) {
        contest_design(contest, i, groups->arms[contest->settings.arms[i]]);
        if (contest->settings.goal.kind != GUARD_SCORE)
            continue;
        contest->groups[i] = groups->goal[i];
        measure(contest, i);
    }
}

// ---- what it says

double contest_estimate(const struct contest *contest, unsigned index, double *count) {
    const struct guard_batch *total = &contest->totals[index];
    *count = rates(contest) ? total->baseline : contest->means[index].count;
    if (*count <= 0)
        return NAN;
    return rates(contest) ? total->baseline_events / total->baseline : contest->means[index].mean;
}

struct interval contest_interval(const struct contest *contest, unsigned index) {
    const struct guard_batch *total = &contest->totals[index];
    double effect = contest->designs[index].effect, alpha = contest->settings.alpha;
    if (rates(contest))
        return interval_share(total->baseline_events / effect, total->baseline / effect, alpha);
    return interval_mean(&contest->means[index], effect, alpha);
}

static struct mean as_mean(const struct contest *contest, unsigned index) {
    const struct guard_batch *total = &contest->totals[index];
    if (!rates(contest) || total->baseline <= 0)
        return contest->means[index];
    double p = total->baseline_events / total->baseline;
    return (struct mean){total->baseline, p, total->baseline * p * (1 - p)};
}

static double least_values(const struct contest *contest) {
    return contest->settings.goal.kind == GUARD_SCORE ? LEAST_SCORES : LEAST_VALUES;
}

// By how much the mean of i is better than that of k, less the margin.
static bool better_by(const struct contest *contest, unsigned i, unsigned k,
                      struct mean_difference *difference) {
    const struct contest_settings *with = &contest->settings;
    double sign = with->more_is_better ? 1 : -1;
    bool points = with->goal.kind == GUARD_SCORE;
    struct mean_margins margins = {points ? 1 : 1 + sign * with->margin / 100,
                                   points ? sign * with->margin : 0, contest->designs[k].effect,
                                   contest->designs[i].effect};
    if (!mean_compare(&contest->means[k], &contest->means[i], &margins, difference))
        return false;
    difference->difference *= sign;
    return true;
}

static double mean_evidence(const struct contest *contest, unsigned i, unsigned k) {
    struct mean_difference difference;
    if (fmin(contest->means[i].count, contest->means[k].count) < least_values(contest) ||
        !better_by(contest, i, k, &difference))
        return 0;
    return mean_log_e(&difference, mean_tuning(BEST_SIZE, contest->settings.alpha));
}

void contest_compare(const struct contest *contest, unsigned better, unsigned worse,
                     struct contest_view *view) {
    const struct contest_settings *with = &contest->settings;
    *view = (struct contest_view){
        .log_needed = log(with->count / with->alpha), .difference = NAN, .low = NAN, .high = NAN};
    double deff_better = contest->designs[better].effect, deff_worse = contest->designs[worse].effect;
    view->log_e = rates(contest) ? two_sample_evidence(&contest->pairs[better][worse].evidence,
                                                       fmax(deff_better, deff_worse))
                                 : mean_evidence(contest, better, worse);
    struct mean a = as_mean(contest, better), b = as_mean(contest, worse);
    struct mean_difference difference;
    if (!mean_compare(&b, &a, &(struct mean_margins){1, 0, deff_worse, deff_better}, &difference))
        return;
    view->difference = difference.difference;
    if (difference.variance <= 0)
        return;
    double half = mean_margin(&difference, mean_tuning(BEST_SIZE, with->alpha / 2), with->alpha / 2);
    view->low = difference.difference - half;
    view->high = difference.difference + half;
}

int contest_winner(const struct contest *contest) {
    double matrix[CONTEST_ARMS * CONTEST_ARMS] = {0};
    unsigned count = contest->settings.count;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < count; k++) {
            struct contest_view view;
            if (i == k)
                continue;
            contest_compare(contest, i, k, &view);
            matrix[i * count + k] = view.log_e;
        }
    }
    return winner_of(matrix, (int)count, contest->settings.alpha);
}

// How many times as much as was seen it takes until i has beaten k. The evidence of rates grows in
// proportion.
static double times_needed(const struct contest *contest, unsigned i, unsigned k) {
    double needed = log(contest->settings.count / contest->settings.alpha);
    struct mean_difference difference;
    if (rates(contest)) {
        struct contest_view view;
        contest_compare(contest, i, k, &view);
        return view.log_e > 0.5 ? fmax(1, needed / view.log_e) : INFINITY;
    }
    if (!better_by(contest, i, k, &difference))
        return INFINITY;
    double tuning = mean_tuning(BEST_SIZE, contest->settings.alpha);
    double count = fmin(contest->means[i].count, contest->means[k].count);
    return fmax(mean_times(&difference, tuning, needed), least_values(contest) / count);
}

double contest_left(const struct contest *contest) {
    double best = INFINITY, all = 0, count;
    for (unsigned i = 0; i < contest->settings.count; i++) {
        double most = 1;
        contest_estimate(contest, i, &count);
        all += count;
        for (unsigned k = 0; k < contest->settings.count; k++)
            most = i == k ? most : fmax(most, times_needed(contest, i, k));
        best = fmin(best, most);
    }
    return isfinite(best) ? ceil((best - 1) * all) : NAN;
}
