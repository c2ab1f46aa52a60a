#include "rollout/tally.h"

#include "pack.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FORMAT 1

// What of a guard or an arm is written: only what is not zero.
enum part { PART_ALL = 1, PART_SOON = 2, PART_BASELINE = 4, PART_CANDIDATE = 8, PART_GUARD = 15 };
enum arm_part { ARM_OUTCOMES = 1, ARM_VALUES = 2, ARM_PARTS = 3 };

void tally_reset(struct tally *tally, uint32_t epoch) {
    memset(tally, 0, sizeof *tally);
    tally->epoch = epoch;
}

// ---- what holds

static bool count_holds(double value) {
    return value >= 0 && value < TALLY_MOST && value == floor(value);
}

static bool outcomes_hold(double requests, double events) {
    return count_holds(requests) && count_holds(events) && events <= requests;
}

static bool batch_holds(const struct guard_batch *batch) {
    return outcomes_hold(batch->baseline, batch->baseline_events) &&
           outcomes_hold(batch->candidate, batch->candidate_events);
}

static bool sum_holds(const struct experiment_sum *sum) {
    if ((double)sum->count >= TALLY_MOST)
        return false;
    double most = sum->count ? TALLY_SUMS : 0;
    return sum->sum >= 0 && sum->sum <= most && sum->squares >= 0 && sum->squares <= most;
}

// No values have less (Cauchy, Schwarz).
static double least_squares(const struct experiment_sum *sum) {
    return sum->count ? sum->sum * (sum->sum / (double)sum->count) : 0;
}

// Less would make the variance too small, and differences would say more than they do. Each value went
// through at most so many additions to either sum, and each of those may have rounded it.
static bool squares_hold(const struct experiment_sum *sum) {
    double rounding = (4 * (double)sum->count + 8) * DBL_EPSILON;
    return sum->squares >= least_squares(sum) * (1 - rounding) - DBL_MIN;
}

// All but the squares: in a difference of two tallies they are what the rounding of both has left.
static bool figures_hold(const struct tally *tally) {
    bool holds = (double)tally->baseline < TALLY_MOST && (double)tally->candidate < TALLY_MOST;
    for (size_t i = 0; i < GUARDS_MOST; i++) {
        const struct tally_guard *guard = &tally->guards[i];
        holds = holds && batch_holds(&guard->all) && batch_holds(&guard->soon) &&
                sum_holds(&guard->baseline) && sum_holds(&guard->candidate);
    }
    for (size_t i = 0; i < TALLY_ARMS; i++)
        holds = holds && outcomes_hold(tally->arms[i].requests, tally->arms[i].events) &&
                sum_holds(&tally->arms[i].values);
    return holds;
}

bool tally_holds(const struct tally *tally) {
    bool holds = figures_hold(tally);
    for (size_t i = 0; i < GUARDS_MOST; i++)
        holds =
            holds && squares_hold(&tally->guards[i].baseline) && squares_hold(&tally->guards[i].candidate);
    for (size_t i = 0; i < TALLY_ARMS; i++)
        holds = holds && squares_hold(&tally->arms[i].values);
    return holds;
}

// ---- more and less

static void add_sum(struct experiment_sum *sum, const struct experiment_sum *more) {
    sum->count += more->count;
    sum->sum += more->sum;
    sum->squares += more->squares;
}

// A value that came while it was read is of the ones that came too late: it may be in the sum and not in the
// count or the squares.
void tally_sum_add(struct experiment_sum *sum, const struct experiment_sum *more) {
    struct experiment_sum whole = *more;
    whole.squares = fmax(more->squares, least_squares(more));
    if (more->count)
        add_sum(sum, &whole);
}

void tally_score(struct experiment_sum *sum, double score) {
    tally_sum_add(sum, &(struct experiment_sum){1, score, score * score});
}

void tally_arm_add(struct tally_arm *arm, const struct tally_arm *more) {
    arm->requests += more->requests;
    arm->events += more->events;
    tally_sum_add(&arm->values, &more->values);
}

void tally_add(struct tally *tally, const struct tally *more) {
    tally->baseline += more->baseline;
    tally->candidate += more->candidate;
    for (size_t i = 0; i < GUARDS_MOST; i++) {
        struct tally_guard *to = &tally->guards[i];
        const struct tally_guard *from = &more->guards[i];
        guard_batch_add(&to->all, &from->all);
        guard_batch_add(&to->soon, &from->soon);
        add_sum(&to->baseline, &from->baseline);
        add_sum(&to->candidate, &from->candidate);
    }
    for (size_t i = 0; i < TALLY_ARMS; i++) {
        tally->arms[i].requests += more->arms[i].requests;
        tally->arms[i].events += more->arms[i].events;
        add_sum(&tally->arms[i].values, &more->arms[i].values);
    }
}

static struct guard_batch batch_minus(const struct guard_batch *latest, const struct guard_batch *taken) {
    return (struct guard_batch){
        latest->baseline - taken->baseline, latest->baseline_events - taken->baseline_events,
        latest->candidate - taken->candidate, latest->candidate_events - taken->candidate_events};
}

// Less than nothing wraps around to a count that does not hold.
static struct experiment_sum sum_minus(const struct experiment_sum *latest,
                                       const struct experiment_sum *taken) {
    return (struct experiment_sum){latest->count - taken->count, latest->sum - taken->sum,
                                   latest->squares - taken->squares};
}

bool tally_minus(const struct tally *latest, const struct tally *taken, struct tally *delta) {
    tally_reset(delta, latest->epoch);
    if (latest->epoch != taken->epoch)
        return false;
    delta->baseline = latest->baseline - taken->baseline;
    delta->candidate = latest->candidate - taken->candidate;
    for (size_t i = 0; i < GUARDS_MOST; i++) {
        const struct tally_guard *more = &latest->guards[i], *less = &taken->guards[i];
        delta->guards[i] = (struct tally_guard){
            batch_minus(&more->all, &less->all),
            batch_minus(&more->soon, &less->soon),
            sum_minus(&more->baseline, &less->baseline),
            sum_minus(&more->candidate, &less->candidate),
        };
    }
    for (size_t i = 0; i < TALLY_ARMS; i++) {
        const struct tally_arm *more = &latest->arms[i], *less = &taken->arms[i];
        delta->arms[i] = (struct tally_arm){more->requests - less->requests, more->events - less->events,
                                            sum_minus(&more->values, &less->values)};
    }
    return figures_hold(delta);
}

// ---- writing

static bool batch_is_empty(const struct guard_batch *batch) {
    return batch->baseline == 0 && batch->baseline_events == 0 && batch->candidate == 0 &&
           batch->candidate_events == 0;
}

static bool sum_is_empty(const struct experiment_sum *sum) {
    return sum->count == 0;
}

static unsigned parts_of(const struct tally_guard *guard) {
    return (batch_is_empty(&guard->all) ? 0u : PART_ALL) | (batch_is_empty(&guard->soon) ? 0u : PART_SOON) |
           (sum_is_empty(&guard->baseline) ? 0u : PART_BASELINE) |
           (sum_is_empty(&guard->candidate) ? 0u : PART_CANDIDATE);
}

static unsigned arm_parts_of(const struct tally_arm *arm) {
    return (arm->requests == 0 && arm->events == 0 ? 0u : ARM_OUTCOMES) |
           (sum_is_empty(&arm->values) ? 0u : ARM_VALUES);
}

bool tally_guard_is_empty(const struct tally_guard *guard) {
    return parts_of(guard) == 0;
}

bool tally_arm_is_empty(const struct tally_arm *arm) {
    return arm_parts_of(arm) == 0;
}

// 2^64 - 1 stands for what is no count, and is none to the reader.
static void write_outcomes(struct strbuf *out, double requests, double events) {
    pack_count(out, count_holds(requests) ? (uint64_t)requests : UINT64_MAX);
    pack_count(out, count_holds(events) ? (uint64_t)events : UINT64_MAX);
}

static void write_batch(struct strbuf *out, const struct guard_batch *batch) {
    write_outcomes(out, batch->baseline, batch->baseline_events);
    write_outcomes(out, batch->candidate, batch->candidate_events);
}

static void write_sum(struct strbuf *out, const struct experiment_sum *sum) {
    pack_count(out, sum->count);
    pack_number(out, sum->sum);
    pack_number(out, sum->squares);
}

static void write_guard(struct strbuf *out, const struct tally_guard *guard) {
    unsigned parts = parts_of(guard);
    pack_byte(out, parts);
    if (parts & PART_ALL)
        write_batch(out, &guard->all);
    if (parts & PART_SOON)
        write_batch(out, &guard->soon);
    if (parts & PART_BASELINE)
        write_sum(out, &guard->baseline);
    if (parts & PART_CANDIDATE)
        write_sum(out, &guard->candidate);
}

static void write_arm(struct strbuf *out, const struct tally_arm *arm) {
    unsigned parts = arm_parts_of(arm);
    pack_byte(out, parts);
    if (parts & ARM_OUTCOMES)
        write_outcomes(out, arm->requests, arm->events);
    if (parts & ARM_VALUES)
        write_sum(out, &arm->values);
}

// Guards and arms behind the last one with something in it are left out.
void tally_write(const struct tally *tally, struct strbuf *out) {
    unsigned guards = GUARDS_MOST, arms = TALLY_ARMS;
    while (guards && tally_guard_is_empty(&tally->guards[guards - 1]))
        guards--;
    while (arms && tally_arm_is_empty(&tally->arms[arms - 1]))
        arms--;
    pack_byte(out, FORMAT);
    pack_count(out, tally->epoch);
    pack_count(out, tally->baseline);
    pack_count(out, tally->candidate);
    pack_byte(out, guards);
    for (unsigned i = 0; i < guards; i++)
        write_guard(out, &tally->guards[i]);
    pack_byte(out, arms);
    for (unsigned i = 0; i < arms; i++)
        write_arm(out, &tally->arms[i]);
}

// ---- reading

static void refuse(struct unpack *from, bool refused, const char *wrong) {
    if (refused && !from->wrong)
        from->wrong = wrong;
}

static double read_whole(struct unpack *from) {
    return (double)unpack_count(from, (uint64_t)TALLY_MOST - 1);
}

static void read_outcomes(struct unpack *from, double *requests, double *events) {
    *requests = read_whole(from);
    *events = read_whole(from);
    refuse(from, *events > *requests, "has more events than requests");
}

static void read_batch(struct unpack *from, struct guard_batch *batch) {
    read_outcomes(from, &batch->baseline, &batch->baseline_events);
    read_outcomes(from, &batch->candidate, &batch->candidate_events);
    refuse(from, batch_is_empty(batch), "tells of a batch without requests");
}

static void read_sum(struct unpack *from, struct experiment_sum *sum) {
    sum->count = unpack_count(from, (uint64_t)TALLY_MOST - 1);
    sum->sum = unpack_number(from, TALLY_SUMS);
    sum->squares = unpack_number(from, TALLY_SUMS);
    refuse(from, sum_is_empty(sum), "has a sum of no values");
    refuse(from, !squares_hold(sum), "has a sum of squares that is too small for its values");
}

static void read_guard(struct unpack *from, struct tally_guard *guard) {
    unsigned parts = unpack_byte(from, PART_GUARD);
    if (parts & PART_ALL)
        read_batch(from, &guard->all);
    if (parts & PART_SOON)
        read_batch(from, &guard->soon);
    if (parts & PART_BASELINE)
        read_sum(from, &guard->baseline);
    if (parts & PART_CANDIDATE)
        read_sum(from, &guard->candidate);
}

static void read_arm(struct unpack *from, struct tally_arm *arm) {
    unsigned parts = unpack_byte(from, ARM_PARTS);
    if (parts & ARM_OUTCOMES)
        read_outcomes(from, &arm->requests, &arm->events);
    refuse(from, parts & ARM_OUTCOMES && arm->requests == 0, "tells of an arm without requests");
    if (parts & ARM_VALUES)
        read_sum(from, &arm->values);
}

static void read_all(struct unpack *from, struct tally *tally) {
    refuse(from, unpack_byte(from, 0xff) != FORMAT, "has another format");
    tally->epoch = (uint32_t)unpack_count(from, UINT32_MAX);
    tally->baseline = unpack_count(from, (uint64_t)TALLY_MOST - 1);
    tally->candidate = unpack_count(from, (uint64_t)TALLY_MOST - 1);
    unsigned guards = unpack_byte(from, GUARDS_MOST);
    for (unsigned i = 0; i < guards && !from->wrong; i++)
        read_guard(from, &tally->guards[i]);
    refuse(from, guards && tally_guard_is_empty(&tally->guards[guards - 1]), "ends with an empty guard");
    unsigned arms = unpack_byte(from, TALLY_ARMS);
    for (unsigned i = 0; i < arms && !from->wrong; i++)
        read_arm(from, &tally->arms[i]);
    refuse(from, arms && tally_arm_is_empty(&tally->arms[arms - 1]), "ends with an empty arm");
}

bool tally_read(struct slice bytes, struct tally *tally, struct error *error) {
    struct unpack from = {.rest = bytes};
    tally_reset(tally, 0);
    read_all(&from, tally);
    if (unpack_end(&from))
        return true;
    tally_reset(tally, 0);
    return error_set(error, "the tally %s", from.wrong);
}
