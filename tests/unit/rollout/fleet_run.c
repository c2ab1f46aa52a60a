#include "fleet_run.h"

#include "unit.h"

#include <math.h>
#include <string.h>

#define LATE 3 // ticks that a late failure takes

double traffic_draw(struct random_state *random) {
    return (double)(random_next(random) >> 11) / 9007199254740992.0;
}

static void seed_tick(const struct traffic *traffic, size_t arm, uint64_t tick, struct random_state *random) {
    random_seed_fixed(random, traffic->seed * 1000003 + tick * 7 + arm);
}

// Who gets the next request.
static unsigned owner_of(const struct traffic *traffic, struct random_state *random) {
    unsigned owner = (unsigned)random_below(random, traffic->members);
    return traffic->instead < FLEET_MOST && owner + 1 == traffic->members ? traffic->instead : owner;
}

static void count_request(const struct traffic *traffic, size_t arm, uint64_t tick, bool own,
                          struct random_state *random, struct experiment_cell *cell) {
    double outcome = traffic_draw(random), when = traffic_draw(random), time = traffic_draw(random);
    double cost = traffic->cost[arm] * (0.5 + traffic_draw(random));
    bool failed = outcome < traffic->error_rate[arm], late = when < 0.5;
    if (!own)
        return;
    cell->started++;
    cell->excluded += outcome > 0.98;
    cell->failed_soon += failed && !late;
    cell->failed += failed && (!late || traffic->now > tick + LATE);
    if (failed || outcome > 0.98)
        return;
    for (int i = 0; i < EXPERIMENT_SLOTS; i++)
        cell->within[i] += time >= traffic->slow_rate[arm];
    cell->means[MEAN_COST].count++;
    cell->means[MEAN_COST].sum += cost;
    cell->means[MEAN_COST].squares += cost * cost;
}

bool traffic_read(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    const struct member *member = context;
    const struct traffic *traffic = member->traffic;
    struct random_state random;
    seed_tick(traffic, arm, tick, &random);
    *cell = (struct experiment_cell){.tick = tick, .version = 2 + 2 * member->index};
    for (int i = 0; i < EXPERIMENT_SLOTS; i++)
        cell->limit_us[i] = 400000; // each has its own version of the same ones
    for (int i = 0; i < (int)traffic->per_tick[arm]; i++) {
        unsigned owner = owner_of(traffic, &random);
        count_request(traffic, arm, tick, member->index == FLEET_ALL || owner == member->index, &random,
                      cell);
    }
    return true;
}

struct contest_settings fleet_contest(enum guard_kind kind) {
    return (struct contest_settings){
        .goal = {.name = "goal", .kind = kind, .limit = NAN, .quantile = 0.95, .mean = MEAN_COST},
        .more_is_better = kind == GUARD_SCORE,
        .alpha = 0.05,
        .arms = {0, 1, 2},
        .count = ARMS,
        .horizon = 6};
}

void member_begin(struct member *member, const struct traffic *traffic, unsigned index,
                  const struct trial_settings *trial, const struct contest_settings *contest) {
    member->traffic = traffic;
    member->index = index;
    trial_init(&member->trial, trial, traffic->now);
    contest_init(&member->contest, contest, traffic->now);
    tally_reset(&member->tally, 7);
    tally_groups_reset(&member->groups, 7);
}

void judge_begin(struct judge *judge, const struct trial_settings *trial,
                 const struct contest_settings *contest) {
    trial_init(&judge->trial, trial, START);
    contest_init(&judge->contest, contest, START);
    for (int i = 0; i <= FLEET_MOST; i++)
        tally_reset(&judge->taken[i], 7);
}

// A score for some requests, of one of 60 users.
static void collect_scores(struct member *member, size_t arm) {
    const struct traffic *traffic = member->traffic;
    struct random_state random;
    seed_tick(traffic, arm + ARMS, traffic->now, &random);
    for (int i = 0; i < 3; i++) {
        unsigned owner = owner_of(traffic, &random);
        uint64_t user = (1 + random_below(&random, 60)) * UINT64_C(0x9e3779b97f4a7c15);
        double score = fmin(1, traffic->score[arm] * (0.5 + traffic_draw(&random)));
        if (member->index != FLEET_ALL && owner != member->index)
            continue;
        trial_collect_score(&member->trial, "quality", arm, score, user, &member->tally, &member->groups);
        if (member->contest.settings.goal.kind == GUARD_SCORE)
            contest_collect_score(&member->contest, arm, score, user, &member->tally, &member->groups);
    }
}

void member_tick(struct member *member) {
    struct trial_source source = {traffic_read, member};
    trial_collect(&member->trial, member->traffic->now, &source, &member->tally);
    contest_collect(&member->contest, member->traffic->now, &source, &member->tally);
    for (size_t arm = 0; arm < ARMS; arm++)
        collect_scores(member, arm);
}

void judge_hears(struct judge *judge, const struct member *member, struct tally *pooled) {
    struct strbuf bytes = {0};
    struct tally latest, delta;
    struct error error;
    tally_write(&member->tally, &bytes);
    assert_true(tally_read(strbuf_as_slice(&bytes), &latest, &error));
    strbuf_free(&bytes);
    assert_true(trial_fits(&judge->trial, &latest) && contest_fits(&judge->contest, &latest));
    assert_true(tally_minus(&latest, &judge->taken[member->index], &delta));
    judge->taken[member->index] = latest;
    tally_add(pooled, &delta);
}

void judge_takes(struct judge *judge, const struct tally *pooled, int64_t elapsed_ms) {
    assert_true(trial_take(&judge->trial, pooled, elapsed_ms));
    assert_true(contest_take(&judge->contest, pooled));
    trial_judge(&judge->trial, judge->outcomes, &judge->judgement);
}

static void near(double a, double b, double within) {
    if (isnan(a) && isnan(b))
        return;
    if (!(a == b || fabs(a - b) <= within * fmax(1, fmax(fabs(a), fabs(b)))))
        fail_msg("%.17g is not %.17g", a, b);
}

static void outcomes_agree(const struct guard_outcome *a, const struct guard_outcome *b, double within) {
    assert_int_equal(a->verdict, b->verdict);
    assert_int_equal(a->step_verdict, b->step_verdict);
    assert_true(a->baseline_count == b->baseline_count && a->candidate_count == b->candidate_count);
    assert_true(a->baseline_events == b->baseline_events && a->candidate_events == b->candidate_events);
    near(a->log_harm, b->log_harm, within);
    near(a->log_fine, b->log_fine, within);
    near(a->log_step, b->log_step, within);
    near(a->requests_left, b->requests_left, within);
    near(a->baseline_estimate, b->baseline_estimate, within);
    near(a->candidate_estimate, b->candidate_estimate, within);
    near(a->low, b->low, within);
    near(a->high, b->high, within);
}

void judges_agree(const struct judge *a, const struct judge *b, double within) {
    assert_int_equal(a->judgement.guards, b->judgement.guards);
    assert_int_equal(a->judgement.step, b->judgement.step);
    assert_int_equal(a->trial.step_requests, b->trial.step_requests);
    near(a->trial.share, b->trial.share, within);
    for (unsigned i = 0; i < a->trial.guard_count; i++) {
        outcomes_agree(&a->outcomes[i], &b->outcomes[i], within);
        assert_int_equal(a->trial.guards[i].silent_ms, b->trial.guards[i].silent_ms);
        near(a->trial.guards[i].design.effect, b->trial.guards[i].design.effect, within);
    }
    assert_int_equal(contest_winner(&a->contest), contest_winner(&b->contest));
    for (unsigned i = 0; i < ARMS; i++) {
        double count_a, count_b;
        near(contest_estimate(&a->contest, i, &count_a), contest_estimate(&b->contest, i, &count_b), within);
        assert_true(count_a == count_b);
        for (unsigned k = 0; k < ARMS; k++) {
            struct contest_view view_a, view_b;
            contest_compare(&a->contest, i, k, &view_a);
            contest_compare(&b->contest, i, k, &view_b);
            near(view_a.log_e, view_b.log_e, within);
            near(view_a.low, view_b.low, within);
            near(view_a.high, view_b.high, within);
        }
    }
}
