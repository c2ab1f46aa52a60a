#include "rollout/trial.h"

#include "rollout/exceedance.h"

#include <math.h>
#include <string.h>

#define LEAST_HISTORY   1000 // values of the baseline before a threshold is taken from them
#define ABSOLUTE_LATEST (UINT64_C(120) * 1000 * 1000) // microseconds that a tick can be waited for
#define TICK_US         (EXPERIMENT_TICK_NS / 1000)

static void read_levels(struct trial *trial) {
    double alpha = 1 - trial->settings.config->confidence / 100;
    trial->levels = (struct guard_levels){.alpha_harm = alpha / 5, .alpha_fine = alpha};
    for (unsigned i = 0; i < trial->guard_count; i++) {
        const struct guard_settings *settings = &trial->guards[i].settings;
        trial->levels.acting += settings->role != GUARD_SIGNAL && !settings->dry_run;
    }
}

static void begin_at(struct guard *guard, uint64_t now) {
    guard->next = guard->next_soon = now;
}

static void forget_designs(struct trial *trial) {
    for (int kind = 0; kind < DESIGN_KINDS; kind++)
        trial->designs[kind] = DESIGN_NONE;
}

void trial_init(struct trial *trial, const struct trial_settings *settings, uint64_t now) {
    struct guard_settings read[GUARDS_MOST];
    *trial = (struct trial){.settings = *settings};
    forget_designs(trial);
    unsigned own = guards_read(settings->config, read, &trial->thresholds.first_byte);
    trial->guard_count = own * (1 + settings->other_count);
    must(trial->guard_count <= GUARDS_MOST); // the configuration was checked
    trial->thresholds.group_slot[0] = trial->thresholds.group_slot[1] = EXPERIMENT_SLOTS;
    for (unsigned i = 0; i < trial->guard_count; i++) {
        const struct trial_other *other = i < own ? NULL : &settings->others[i / own - 1];
        struct guard_settings each = read[i % own];
        each.candidate = other ? other->arm : settings->candidate;
        each.label = other ? other->name : settings->other_count ? settings->config->candidate : NULL;
        guard_init(&trial->guards[i], &each);
        begin_at(&trial->guards[i], now);
    }
    for (unsigned i = own; i-- > 0;) // the first of each kind
        if (read[i].kind == GUARD_LATENCY)
            trial->thresholds.group_slot[read[i].first_byte] = read[i].slot;
    trial->counted = now;
    trial->horizon = ((uint64_t)settings->config->horizon * 1000 + TICK_US - 1) / TICK_US;
    read_levels(trial);
}

void trial_reset(struct trial *trial, uint64_t now) {
    for (unsigned i = 0; i < trial->guard_count; i++) {
        guard_reset(&trial->guards[i]);
        begin_at(&trial->guards[i], now);
    }
    forget_designs(trial);
    trial->log_ratio = 0;
    trial->ratio_broken = false;
    trial->step_requests = 0;
}

static bool same_question(const struct guard_settings *a, const struct guard_settings *b) {
    bool same_limit = a->limit == b->limit || (isnan(a->limit) && isnan(b->limit));
    return strcmp(a->name, b->name) == 0 && a->candidate == b->candidate && a->kind == b->kind &&
           a->margin == b->margin && same_limit && (a->role == GUARD_LIMIT) == (b->role == GUARD_LIMIT);
}

void trial_adopt(struct trial *trial, const struct trial_settings *settings, uint64_t now) {
    struct trial before = *trial;
    trial_init(trial, settings, now);
    trial->step_requests = before.step_requests;
    trial->ratio_broken = before.ratio_broken;
    memcpy(trial->designs, before.designs, sizeof trial->designs);
    for (unsigned i = 0; i < trial->guard_count; i++) {
        for (unsigned k = 0; k < before.guard_count; k++) {
            struct guard *now_guard = &trial->guards[i];
            if (!same_question(&now_guard->settings, &before.guards[k].settings))
                continue;
            struct guard_settings read = now_guard->settings; // its role, slot and dry run may be new
            *now_guard = before.guards[k];
            now_guard->settings = read;
            break;
        }
    }
}

void trial_step_begins(struct trial *trial) {
    trial->step_requests = 0;
}

// ---- thresholds

static uint32_t upper_us(size_t bucket) {
    double upper = histogram_lower((unsigned)bucket + 1);
    return upper >= (double)ABSOLUTE_LATEST ? (uint32_t)ABSOLUTE_LATEST : (uint32_t)floor(upper);
}

static bool known_quantile(const struct guard_settings *settings, const struct histogram *history,
                           size_t *bucket) {
    uint64_t all;
    *bucket = exceedance_bucket(history->count, HISTOGRAM_BUCKETS, settings->quantile);
    exceedance_count(history->count, HISTOGRAM_BUCKETS, *bucket, &all);
    return all >= (settings->quantile > 0.985 ? LEAST_HISTORY : LEAST_HISTORY / 10);
}

static void aim(struct trial *trial, const struct guard *guard, const struct histogram *history) {
    unsigned slot = guard->settings.slot;
    uint32_t *baseline = &trial->thresholds.limit_us[trial->settings.baseline][slot];
    uint32_t *candidate = &trial->thresholds.limit_us[guard->settings.candidate][slot];
    if (guard->settings.role == GUARD_LIMIT) {
        *baseline = *candidate = (uint32_t)fmin(guard->settings.limit, (double)ABSOLUTE_LATEST);
        return;
    }
    size_t bucket;
    if (!known_quantile(&guard->settings, history, &bucket))
        return;
    size_t shift = exceedance_shift(guard->settings.margin / 100, HISTOGRAM_PER_OCTAVE);
    *baseline = upper_us(bucket);
    *candidate = upper_us(bucket + shift < HISTOGRAM_BUCKETS - 1 ? bucket + shift : HISTOGRAM_BUCKETS - 1);
}

void trial_take_goal(struct trial *trial, struct guard_settings *goal) {
    trial->has_goal = goal->kind == GUARD_LATENCY;
    if (!trial->has_goal)
        return;
    goal->slot = 0;
    for (unsigned i = 0; i < trial->guard_count; i++) {
        const struct guard_settings *settings = &trial->guards[i].settings;
        if (settings->kind == GUARD_LATENCY && settings->slot >= goal->slot)
            goal->slot = settings->slot + 1;
    }
    must(goal->slot < EXPERIMENT_SLOTS); // the configuration was checked
    trial->goal = *goal;
    if (goal->first_byte)
        trial->thresholds.first_byte |= 1u << goal->slot;
    if (trial->thresholds.group_slot[goal->first_byte] == EXPERIMENT_SLOTS)
        trial->thresholds.group_slot[goal->first_byte] = goal->slot;
}

static void aim_goal(struct trial *trial, const struct histogram *history) {
    size_t bucket;
    if (!known_quantile(&trial->goal, history, &bucket))
        return;
    for (size_t arm = 0; arm < EXPERIMENT_ARMS; arm++)
        trial->thresholds.limit_us[arm][trial->goal.slot] = upper_us(bucket);
}

bool trial_aim(struct trial *trial, const struct histogram *whole, const struct histogram *first_byte) {
    struct experiment_thresholds before = trial->thresholds;
    for (unsigned i = 0; i < trial->guard_count; i++) {
        const struct guard *guard = &trial->guards[i];
        if (guard->settings.kind == GUARD_LATENCY && !guard->watching)
            aim(trial, guard, guard->settings.first_byte ? first_byte : whole);
    }
    if (trial->has_goal)
        aim_goal(trial, trial->goal.first_byte ? first_byte : whole);
    bool changed = !trial->thresholds_known || memcmp(&before, &trial->thresholds, sizeof before) != 0;
    trial->thresholds_known = true;
    return changed;
}

// ---- units

// The variance of single values, as the guard of that mean knows it.
static double unit_variance(const struct trial *trial, int kind) {
    for (unsigned i = 0; i < trial->guard_count; i++) {
        const struct guard *guard = &trial->guards[i];
        if (guard->settings.kind == GUARD_MEAN && DESIGN_MEANS + (int)guard->settings.mean == kind)
            return guard->baseline.count > 1 ? guard->baseline.deviations / (guard->baseline.count - 1) : 0;
    }
    return kind >= DESIGN_MEANS ? 0 : NAN;
}

void trial_design(struct trial *trial, const struct experiment_group *baseline,
                  const struct experiment_group *candidate) {
    for (int kind = 0; kind < DESIGN_KINDS; kind++) {
        double requests, effect = design_of_pair(baseline, candidate, kind, unit_variance(trial, kind),
                                                 trial->share, &requests);
        design_measured(&trial->designs[kind], effect, requests);
    }
}

void trial_take_ratio(struct trial *trial, double log_e) {
    trial->log_ratio = log_e;
    if (trial->log_ratio >= log(1 / SAMPLE_RATIO_ALPHA))
        trial->ratio_broken = true;
}

void trial_ratio(struct trial *trial, const uint64_t *units, const double *shares) {
    trial_take_ratio(trial,
                     sample_ratio_log_e(units, shares, trial->settings.arms, SAMPLE_RATIO_CONCENTRATION));
}

void trial_take_groups(struct trial *trial, const struct tally_groups *groups) {
    static struct experiment_group candidates[EXPERIMENT_GROUPS]; // large; one thread
    const struct trial_settings *settings = &trial->settings;
    memcpy(candidates, groups->arms[settings->candidate], sizeof candidates);
    for (unsigned i = 0; i < settings->other_count; i++)
        experiment_groups_add(candidates, groups->arms[settings->others[i].arm]);
    trial_design(trial, groups->arms[settings->baseline], candidates);
    for (unsigned i = 0; i < trial->guard_count; i++)
        if (trial->guards[i].settings.kind == GUARD_SCORE)
            guard_take_groups(&trial->guards[i], groups->guards[i]);
}

void trial_watch(struct trial *trial, bool watching, size_t arm) {
    trial->watched = arm;
    for (unsigned i = 0; i < trial->guard_count; i++)
        guard_watch(&trial->guards[i], watching);
}

// ---- judging

double trial_design_effect(const struct trial *trial, const struct guard *guard) {
    const struct guard_settings *settings = &guard->settings;
    if (settings->kind == GUARD_LATENCY)
        return trial->designs[settings->first_byte ? DESIGN_SLOW_FIRST_BYTE : DESIGN_SLOW].effect;
    if (settings->kind == GUARD_MEAN)
        return trial->designs[DESIGN_MEANS + (int)settings->mean].effect;
    return settings->kind == GUARD_SCORE ? guard->design.effect : trial->designs[DESIGN_FAILED].effect;
}

static void take(enum verdict *worst, enum verdict verdict) {
    if (verdict > *worst)
        *worst = verdict;
}

void trial_judge(struct trial *trial, struct guard_outcome *outcomes, struct judgement *judgement) {
    *judgement = (struct judgement){.guards = VERDICT_PASS,
                                    .step = VERDICT_PASS,
                                    .signals = VERDICT_PASS,
                                    .sample_ratio_broken = trial->ratio_broken,
                                    .winner = -1,
                                    .step_requests = trial->step_requests};
    enum verdict told = VERDICT_PASS;
    for (unsigned i = 0; i < trial->guard_count; i++) {
        struct guard *guard = &trial->guards[i];
        guard_judge(guard, &trial->levels, trial_design_effect(trial, guard), trial->share, &outcomes[i]);
        bool withdrawn = guard->watching && guard->settings.candidate != trial->watched;
        if (guard->settings.dry_run || withdrawn)
            continue;
        if (guard->settings.role == GUARD_SIGNAL) {
            take(&judgement->signals, outcomes[i].verdict);
            continue;
        }
        take(&judgement->guards, outcomes[i].verdict);
        take(&judgement->step, outcomes[i].step_verdict);
        if (!judgement->because || outcomes[i].verdict > told) {
            judgement->because = outcomes[i].because;
            told = outcomes[i].verdict;
        }
    }
    if (!judgement->because)
        judgement->because = "no guard is configured";
    if (trial->ratio_broken)
        judgement->because =
            "units do not arrive in the configured proportion: the comparison cannot be trusted";
}

// ---- scores

static bool takes(const struct guard *guard, const char *name) {
    return guard->settings.role != GUARD_LIMIT && guard->settings.kind == GUARD_SCORE &&
           strcmp(guard->settings.name, name) == 0;
}

bool trial_score(struct trial *trial, const char *name, size_t arm, double score, uint64_t unit_hash) {
    bool asked = false;
    for (unsigned i = 0; i < trial->guard_count; i++) {
        struct guard *guard = &trial->guards[i];
        if (!takes(guard, name))
            continue;
        asked = true;
        if (arm == guard->settings.candidate || arm == trial->settings.baseline)
            guard_score(guard, arm == guard->settings.candidate, score, unit_hash);
    }
    return asked;
}

bool trial_collect_score(const struct trial *trial, const char *name, size_t arm, double score,
                         uint64_t unit_hash, struct tally *tally, struct tally_groups *groups) {
    bool asked = false;
    for (unsigned i = 0; i < trial->guard_count; i++) {
        const struct guard *guard = &trial->guards[i];
        if (!takes(guard, name))
            continue;
        asked = true;
        bool candidate = arm == guard->settings.candidate;
        if (!candidate && arm != trial->settings.baseline)
            continue;
        tally_score(candidate ? &tally->guards[i].candidate : &tally->guards[i].baseline, score);
        score_groups_add(&groups->guards[i][candidate], unit_hash, score);
    }
    return asked;
}
