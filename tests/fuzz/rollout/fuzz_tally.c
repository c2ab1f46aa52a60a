// tally: what another instance of a fleet says that it has counted, and how its units hang together. Whatever
// the bytes: refused with a sentence, or figures that hold; they are written as those bytes and no others;
// what is new since then is nothing, and since an empty one everything; and a trial or a contest that they
// fit says something of them that is a number.
#include "../fuzz.h"
#include "rollout/contest.h"

#include <math.h>

static const char yaml[] = "listeners: [{address: '127.0.0.1:0'}]\n"
                           "pools: {blue: {endpoints: [http://127.0.0.1:9000]}}\n"
                           "routes:\n"
                           "  - name: chat\n"
                           "    variants:\n"
                           "      stable: {pool: blue, weight: 95, price: {input: 1, output: 1}}\n"
                           "      canary: {pool: blue, weight: 5, price: {input: 1, output: 1}}\n"
                           "    rollout: {strategy: canary, steps: [{weight: 5}], guards: {error_rate: "
                           "{margin: 1}, latency_p95: {margin: 20}, cost_per_request: {margin: 10}, quality: "
                           "{}}}\n";

static void begin(struct trial *trial) {
    static struct config *config;
    struct diagnostics diagnostics;
    if (!config)
        config = config_parse("/nowhere/fuzz.yaml", slice_of(yaml), &diagnostics);
    must(config);
    trial_init(trial,
               &(struct trial_settings){.config = config->routes[0].rollout, .candidate = 1, .arms = 3},
               1000);
}

static bool same_figures(const struct tally *a, const struct tally *b) {
    return a->baseline == b->baseline && a->candidate == b->candidate &&
           memcmp(a->guards, b->guards, sizeof a->guards) == 0 &&
           memcmp(a->arms, b->arms, sizeof a->arms) == 0;
}

static void check_differences(const struct tally *tally) {
    struct tally none, delta, sum;
    tally_reset(&none, tally->epoch);
    must(tally_minus(tally, &none, &delta) && same_figures(&delta, tally));
    must(tally_minus(tally, tally, &delta) && same_figures(&delta, &none));
    must(tally_minus(&none, tally, &delta) == same_figures(tally, &none));
    sum = none;
    tally_add(&sum, tally);
    must(same_figures(&sum, tally));
    none.epoch++;
    must(!tally_minus(tally, &none, &delta));
}

static void check_outcomes(struct trial *trial) {
    struct guard_outcome outcomes[GUARDS_MOST];
    struct judgement judgement;
    trial_judge(trial, outcomes, &judgement);
    for (unsigned i = 0; i < trial->guard_count; i++) {
        must(isfinite(outcomes[i].log_harm) && isfinite(outcomes[i].log_fine) &&
             isfinite(outcomes[i].log_step));
        must(outcomes[i].baseline_count >= 0 && outcomes[i].candidate_count >= 0);
    }
    must(trial->share >= 0 && trial->share <= 1);
}

// The trial has one candidate and four guards; each is fed with the whole tally at once, and once more.
static void check_evidence(const struct tally *tally) {
    static struct trial trial;
    begin(&trial);
    for (int i = 0; i < 2 && trial_take(&trial, tally, 1000); i++)
        check_outcomes(&trial);
}

static void check_contest(const struct tally *tally, const char *goal, double margin) {
    static struct contest contest;
    struct contest_settings settings = {
        .margin = margin, .alpha = 0.05, .arms = {0, 1, 2}, .count = 3, .horizon = 4};
    guard_read_metric(goal, &settings.goal);
    contest_init(&contest, &settings, 1000);
    if (!contest_take(&contest, tally))
        return;
    for (unsigned i = 0; i < settings.count; i++) {
        for (unsigned k = 0; k < settings.count; k++) {
            struct contest_view view;
            contest_compare(&contest, i, k, &view);
            must(isfinite(view.log_e));
        }
    }
    must(contest_winner(&contest) < (int)settings.count);
    must(!(contest_left(&contest) < 0));
}

static void check_tally(struct slice bytes) {
    struct tally tally;
    struct error error = {""};
    if (!tally_read(bytes, &tally, &error)) {
        must(error.text[0]);
        return;
    }
    struct strbuf again = {0};
    must(tally_holds(&tally));
    tally_write(&tally, &again);
    must(slice_equal(bytes, strbuf_as_slice(&again)));
    strbuf_free(&again);
    check_differences(&tally);
    check_evidence(&tally);
    check_contest(&tally, "error_rate", 1);
    check_contest(&tally, "cost_per_request", 10);
    check_contest(&tally, "quality", 0.02);
}

static void check_group(const struct experiment_group *group) {
    must(group->failed <= group->requests && group->slow[0] <= group->requests &&
         group->slow[1] <= group->requests);
    for (int i = 0; i < EXPERIMENT_MEANS; i++)
        must(group->values[i] <= group->requests && isfinite(group->sums[i]) && group->sums[i] >= 0 &&
             (group->values[i] || group->sums[i] == 0));
}

// What the groups are of comes in a tally, which need not be that of the same moment: usual figures, and some
// with hardly a variance.
static void take_some(struct trial *trial) {
    static const struct experiment_sum costs[] = {{90000, 195, 0.55}, {10000, 23.1, 0.069}},
                                       scores[] = {{500, 5e-324, 1e-321}, {400, 200, 100}};
    struct tally tally;
    tally_reset(&tally, 0);
    tally.guards[0].all = tally.guards[1].all = (struct guard_batch){90000, 450, 10000, 900};
    tally.guards[2].baseline = costs[0];
    tally.guards[2].candidate = costs[1];
    tally.guards[3].baseline = scores[0];
    tally.guards[3].candidate = scores[1];
    must(tally_holds(&tally) && trial_take(trial, &tally, 1000));
}

static void check_groups(struct slice bytes) {
    static struct tally_groups groups;
    static struct trial trial;
    struct error error = {""};
    if (!tally_groups_read(bytes, &groups, &error)) {
        must(error.text[0]);
        return;
    }
    struct strbuf again = {0};
    tally_groups_write(&groups, &again);
    must(slice_equal(bytes, strbuf_as_slice(&again)));
    strbuf_free(&again);
    for (int arm = 0; arm < EXPERIMENT_ARMS; arm++)
        for (int i = 0; i < EXPERIMENT_GROUPS; i++)
            check_group(&groups.arms[arm][i]);
    begin(&trial);
    take_some(&trial);
    trial_take_groups(&trial, &groups);
    for (int kind = 0; kind < DESIGN_KINDS; kind++)
        must(trial.designs[kind].effect >= 1 && isfinite(trial.designs[kind].effect));
    must(trial.guards[3].design.effect >= 1 && isfinite(trial.guards[3].design.effect));
    check_outcomes(&trial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = slice_make((const char *)data, size);
    check_tally(bytes);
    check_groups(bytes);
    return 0;
}
