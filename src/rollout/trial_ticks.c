// Reading the ticks of a trial once they have matured. A proxy of its own feeds its guards with each; one of
// a fleet adds it to its tally, and the one who judges feeds the guards with what is new in all tallies.
#include "rollout/trial.h"

#include <math.h>
#include <string.h>

#define SLACK_TICKS 1 // a worker may be a little late with what it counts
#define TICK_US     (EXPERIMENT_TICK_NS / 1000)
#define TICK_MS     (EXPERIMENT_TICK_NS / 1000000)
#define SHARE_KEPT  0.95 // of the average share, from tick to tick

// One reading: all ticks that have matured at `now`. With a tally they go there.
struct reading {
    struct trial *trial;
    uint64_t now;
    const struct trial_source *source;
    struct tally *tally; // NULL: into the guards
};

static double judged(const struct experiment_cell *cell) {
    return cell->started > cell->excluded ? (double)(cell->started - cell->excluded) : 0;
}

static double at_most(double value, double most) {
    return value < most ? value : most;
}

struct pair {
    struct experiment_cell baseline, candidate;
};

static bool read_pair(const struct reading *reading, size_t candidate, uint64_t tick, struct pair *pair) {
    const struct trial_source *source = reading->source;
    struct trial *trial = reading->trial;
    bool whole = source->read(source->context, trial->settings.baseline, tick, &pair->baseline) &&
                 source->read(source->context, candidate, tick, &pair->candidate);
    trial->lost += !whole;
    return whole;
}

// ---- where it goes

static void give_outcomes(const struct reading *reading, unsigned index, const struct guard_batch *batch,
                          bool soon) {
    if (!reading->tally) {
        guard_feed(&reading->trial->guards[index], batch, soon);
        return;
    }
    struct tally_guard *to = &reading->tally->guards[index];
    guard_batch_add(soon ? &to->soon : &to->all, batch);
}

static void give_values(const struct reading *reading, unsigned index, const struct pair *pair) {
    struct guard *guard = &reading->trial->guards[index];
    const struct experiment_sum *baseline = &pair->baseline.means[guard->settings.mean];
    const struct experiment_sum *candidate = &pair->candidate.means[guard->settings.mean];
    if (!reading->tally) {
        guard_feed_means(guard, baseline, candidate);
        return;
    }
    tally_sum_add(&reading->tally->guards[index].baseline, baseline);
    tally_sum_add(&reading->tally->guards[index].candidate, candidate);
}

// A slow average of what the arms get.
static void count_started(struct trial *trial, double baseline, double candidate, double weight) {
    double all = candidate + baseline;
    if (all > 0)
        trial->share += weight * (candidate / all - trial->share);
}

static void give_started(const struct reading *reading, const struct pair *pair) {
    struct trial *trial = reading->trial;
    if (reading->tally) {
        reading->tally->baseline += pair->baseline.started;
        reading->tally->candidate += pair->candidate.started;
        return;
    }
    trial->step_requests += pair->candidate.started;
    count_started(trial, pair->baseline.started, pair->candidate.started, 0.05);
}

// ---- one tick

// In a fleet those of this proxy: they only explain.
static void note_unjudged(struct guard *guard, const struct experiment_cell *candidate) {
    guard->unjudged = judged(candidate) > 0 ? 0 : guard->unjudged + candidate->started;
}

static void read_errors(const struct reading *reading, unsigned index, const struct pair *pair, bool soon) {
    double nb = judged(&pair->baseline), nc = judged(&pair->candidate);
    double kb = soon ? pair->baseline.failed_soon : pair->baseline.failed;
    double kc = soon ? pair->candidate.failed_soon : pair->candidate.failed;
    struct guard_batch batch = {nb, at_most(kb, nb), nc, at_most(kc, nc)};
    if (nb > 0 || nc > 0)
        give_outcomes(reading, index, &batch, soon);
}

static void read_latency(const struct reading *reading, unsigned index, const struct pair *pair) {
    unsigned slot = reading->trial->guards[index].settings.slot;
    const struct experiment_cell *baseline = &pair->baseline, *candidate = &pair->candidate;
    double nb = judged(baseline), nc = judged(candidate);
    // Lanes or arms that began the tick with other thresholds than the rest cannot be compared.
    bool aimed = (nb == 0 || (baseline->version && baseline->limit_us[slot])) &&
                 (nc == 0 || (candidate->version && candidate->limit_us[slot])) &&
                 (nb == 0 || nc == 0 || baseline->version == candidate->version);
    if (!aimed || (nb == 0 && nc == 0))
        return;
    struct guard_batch batch = {nb, nb - at_most(baseline->within[slot], nb), nc,
                                nc - at_most(candidate->within[slot], nc)};
    give_outcomes(reading, index, &batch, false);
}

static void read_tick(const struct reading *reading, unsigned index, const struct pair *pair) {
    enum guard_kind kind = reading->trial->guards[index].settings.kind;
    if (kind != GUARD_ERROR_RATE) // which has read them soon
        note_unjudged(&reading->trial->guards[index], &pair->candidate);
    if (kind == GUARD_ERROR_RATE)
        read_errors(reading, index, pair, false);
    else if (kind == GUARD_LATENCY)
        read_latency(reading, index, pair);
    else
        give_values(reading, index, pair);
}

static uint64_t limit_ticks(const struct guard *guard, const struct experiment_cell *cell) {
    return (cell->limit_us[guard->settings.slot] + TICK_US - 1) / TICK_US;
}

// How long after its end a tick is complete, in ticks: known when it began. A request that is not over by
// then is no error, and slower than any threshold.
static uint64_t maturity(const struct trial *trial, const struct guard *guard, const struct pair *pair) {
    if (guard->settings.kind != GUARD_LATENCY)
        return trial->horizon;
    uint64_t baseline = limit_ticks(guard, &pair->baseline), candidate = limit_ticks(guard, &pair->candidate);
    return (baseline > candidate ? baseline : candidate) + SLACK_TICKS;
}

// ---- all of them

static void read_soon(const struct reading *reading, unsigned index) {
    struct guard *guard = &reading->trial->guards[index];
    struct pair pair;
    for (; guard->next_soon + 2 <= reading->now; guard->next_soon++)
        if (read_pair(reading, guard->settings.candidate, guard->next_soon, &pair)) {
            note_unjudged(guard, &pair.candidate);
            read_errors(reading, index, &pair, true);
        }
}

static void read_matured(const struct reading *reading, unsigned index) {
    struct guard *guard = &reading->trial->guards[index];
    struct pair pair;
    for (; guard->next + 1 < reading->now; guard->next++) {
        if (!read_pair(reading, guard->settings.candidate, guard->next, &pair))
            continue;
        if (guard->next + 1 + maturity(reading->trial, guard, &pair) > reading->now)
            return;
        read_tick(reading, index, &pair);
    }
}

// After a stop of the clock, or a long one of the control thread, the ring holds no more than this.
static void skip_what_has_gone(struct guard *guard, uint64_t now) {
    uint64_t oldest = now > EXPERIMENT_RING - 2 ? now - (EXPERIMENT_RING - 2) : 0;
    if (guard->next < oldest)
        guard->next = oldest;
    if (guard->next_soon < oldest)
        guard->next_soon = oldest;
}

static void read_started(const struct reading *reading) {
    struct trial *trial = reading->trial;
    struct pair pair;
    if (trial->counted + 64 < reading->now)
        trial->counted = reading->now - 64;
    for (; trial->counted + 2 <= reading->now; trial->counted++)
        if (read_pair(reading, trial->settings.candidate, trial->counted, &pair))
            give_started(reading, &pair);
}

static void read_all(const struct reading *reading) {
    read_started(reading);
    for (unsigned i = 0; i < reading->trial->guard_count; i++) {
        struct guard *guard = &reading->trial->guards[i];
        if (guard->settings.kind == GUARD_SCORE || guard->settings.kind == GUARD_EXTERNAL)
            continue;
        skip_what_has_gone(guard, reading->now);
        if (guard->settings.kind == GUARD_ERROR_RATE)
            read_soon(reading, i);
        read_matured(reading, i);
    }
}

// Until a candidate is counted.
static void grow_silent(struct trial *trial, int64_t elapsed_ms) {
    for (unsigned i = 0; i < trial->guard_count; i++)
        trial->guards[i].silent_ms += elapsed_ms;
}

void trial_advance(struct trial *trial, uint64_t now, int64_t elapsed_ms, const struct trial_source *source) {
    grow_silent(trial, elapsed_ms);
    read_all(&(struct reading){trial, now, source, NULL});
}

// ---- of a fleet

void trial_collect(struct trial *trial, uint64_t now, const struct trial_source *source,
                   struct tally *tally) {
    read_all(&(struct reading){trial, now, source, tally});
}

// Whether there is nothing but what the guard counts.
static bool guard_fits(const struct guard *guard, const struct tally_guard *more) {
    struct tally_guard rest = *more;
    enum guard_kind kind = guard->settings.kind;
    if (kind == GUARD_ERROR_RATE)
        rest.soon = (struct guard_batch){0};
    if (kind == GUARD_ERROR_RATE || kind == GUARD_LATENCY)
        rest.all = (struct guard_batch){0};
    if (kind == GUARD_MEAN || kind == GUARD_SCORE)
        rest.baseline = rest.candidate = (struct experiment_sum){0};
    return tally_guard_is_empty(&rest);
}

bool trial_fits(const struct trial *trial, const struct tally *tally) {
    for (unsigned i = 0; i < GUARDS_MOST; i++)
        if (i < trial->guard_count ? !guard_fits(&trial->guards[i], &tally->guards[i])
                                   : !tally_guard_is_empty(&tally->guards[i]))
            return false;
    return true;
}

bool trial_take(struct trial *trial, const struct tally *more, int64_t elapsed_ms) {
    if (!trial_fits(trial, more))
        return false;
    grow_silent(trial, elapsed_ms);
    trial->step_requests += more->candidate;
    double ticks = (double)elapsed_ms / TICK_MS;
    count_started(trial, (double)more->baseline, (double)more->candidate, 1 - pow(SHARE_KEPT, ticks));
    for (unsigned i = 0; i < trial->guard_count; i++) {
        struct guard *guard = &trial->guards[i];
        const struct tally_guard *from = &more->guards[i];
        guard_feed(guard, &from->soon, true);
        guard_feed(guard, &from->all, false);
        guard_feed_means(guard, &from->baseline, &from->candidate);
    }
    return true;
}
