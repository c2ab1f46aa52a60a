// The promise behind every judgement, by enumeration instead of chance: whatever the true rates are, as long
// as they do not contradict "it is no worse", the expected e-value is at most 1; so the chance that it ever
// reaches 1/alpha is at most alpha. All outcomes of small designs, all rates of a grid.
#include "base/mem.h"
#include "rollout/two_sample.h"
#include "unit.h"

#include <math.h>
#include <string.h>

// cmocka compares in single precision.
#define NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

#define GRID               40
#define ROUNDED            1e-12

static double chance_of(int n, int k, double p) {
    double chance = 1;
    for (int i = 0; i < k; i++)
        chance *= (double)(n - i) / (k - i);
    return chance * pow(p, k) * pow(1 - p, n - k);
}

struct line {
    enum two_sample_direction direction;
    double rho, delta;
};
static const struct line lines[] = {
    {TWO_SAMPLE_HARM, 1, 0},
    {TWO_SAMPLE_HARM, 1.5, 0.001},
    {TWO_SAMPLE_HARM, 1, 0.05},
    {TWO_SAMPLE_HARM, 0, 0.25},
    {TWO_SAMPLE_NON_INFERIOR, 1, 0},
    {TWO_SAMPLE_NON_INFERIOR, 1.5, 0.001},
    {TWO_SAMPLE_NON_INFERIOR, 1, 0.05},
    {TWO_SAMPLE_NON_INFERIOR, 0, 0.25},
};
#define LINES (sizeof lines / sizeof *lines)

// Whether these true rates are on the side that the e-value is evidence against.
static bool null_holds(const struct line *line, double baseline, double candidate) {
    double limit = line->rho * baseline + line->delta;
    return line->direction == TWO_SAMPLE_HARM ? candidate <= limit : candidate >= limit;
}

static struct two_sample process_of(const struct line *line, double prior) {
    struct two_sample process;
    two_sample_init(&process, &(struct two_sample_settings){.direction = line->direction,
                                                            .rho = line->rho,
                                                            .delta = line->delta,
                                                            .prior_mean = prior,
                                                            .prior_weight = 2,
                                                            .restart_every = 1,
                                                            .decay = 0.9});
    return process;
}

// ---- one batch and one alternative

struct design {
    int nb, nc;
    double tb, tc, rho, delta;
};

static double expected(const struct design *design, double baseline, double candidate) {
    double sum = 0;
    for (int kb = 0; kb <= design->nb; kb++)
        for (int kc = 0; kc <= design->nc; kc++)
            sum += chance_of(design->nb, kb, baseline) * chance_of(design->nc, kc, candidate) *
                   exp(two_sample_batch(design->nb, kb, design->nc, kc, design->tb, design->tc, design->rho,
                                        design->delta));
    return sum;
}

static void a_batch_expects_at_most_one(void **state) {
    (void)state;
    static const struct design designs[] = {
        {5, 1, 0.1, 0.4, 1, 0},       {19, 1, 0.01, 0.5, 1, 0},      {10, 10, 0.2, 0.1, 1, 0.05},
        {4, 8, 0.05, 0.6, 1.5, 0.01}, {12, 3, 0.3, 0.05, 0.5, 0.02}, {6, 6, 0.5, 0.9, 1.25, 0.1},
        {1, 30, 0.02, 0.2, 1, 0.1},   {7, 7, 0.4, 0.9, 0, 0.5},
    };
    for (size_t i = 0; i < sizeof designs / sizeof *designs; i++) {
        const struct design *design = &designs[i];
        struct line line = {design->tc > design->rho * design->tb + design->delta ? TWO_SAMPLE_HARM
                                                                                  : TWO_SAMPLE_NON_INFERIOR,
                            design->rho, design->delta};
        double b0, c0;
        for (int b = 0; b <= GRID; b++)
            for (int c = 0; c <= GRID; c++)
                if (null_holds(&line, (double)b / GRID, (double)c / GRID))
                    assert_true(expected(design, (double)b / GRID, (double)c / GRID) <= 1 + ROUNDED);
        // Nothing is given away: at the nearest point of the line it is 1, at the alternative it is more.
        two_sample_project(design->nb, design->nc, design->tb, design->tc, design->rho, design->delta, &b0,
                           &c0);
        NEAR(expected(design, b0, c0), 1, 1e-9);
        assert_true(expected(design, design->tb, design->tc) > 1.05);
    }
}

// ---- several batches, with guesses that follow what was seen, restarts and all alternatives

#define BATCHES 3
#define NB      2
#define NC      2
#define KINDS   ((NB + 1) * (NC + 1))

static void outcomes(const struct two_sample *before, int batch, double design_effect, double *e,
                     size_t *count) {
    for (int kb = 0; kb <= NB; kb++) {
        for (int kc = 0; kc <= NC; kc++) {
            struct two_sample process = *before; // plain data: a copy is a branch
            two_sample_update(&process, NB, kb, NC, kc);
            if (batch + 1 < BATCHES)
                outcomes(&process, batch + 1, design_effect, e, count);
            else
                e[(*count)++] = exp(two_sample_evidence(&process, design_effect));
        }
    }
}

// The rates may change from batch to batch: rates[batch][arm].
static double expected_after(const double *e, double rates[BATCHES][2]) {
    double chances[BATCHES][KINDS], sum = 0;
    size_t at = 0;
    for (int batch = 0; batch < BATCHES; batch++)
        for (int kb = 0; kb <= NB; kb++)
            for (int kc = 0; kc <= NC; kc++)
                chances[batch][kb * (NC + 1) + kc] =
                    chance_of(NB, kb, rates[batch][0]) * chance_of(NC, kc, rates[batch][1]);
    for (int first = 0; first < KINDS; first++)
        for (int second = 0; second < KINDS; second++)
            for (int third = 0; third < KINDS; third++)
                sum += chances[0][first] * chances[1][second] * chances[2][third] * e[at++];
    return sum;
}

// The largest expectation over the grid; each batch is at its own rates.
static double most_expected(const struct line *line, const double *e) {
    double most = 0;
    for (int b = 0; b <= GRID; b += 2) {
        for (int c = 0; c <= GRID; c += 2) {
            double first = (double)b / GRID, second = (double)c / GRID;
            // Drift that both arms share, and that only one has: every batch within the null.
            double rates[2][BATCHES][2] = {
                {{first, second}, {first, second}, {first, second}},
                {{first, second}, {1 - first, second}, {first / 2, second / 2}},
            };
            for (int way = 0; way < 2; way++) {
                bool holds = true;
                for (int i = 0; i < BATCHES; i++)
                    holds = holds && null_holds(line, rates[way][i][0], rates[way][i][1]);
                if (holds)
                    most = fmax(most, expected_after(e, rates[way]));
            }
        }
    }
    return most;
}

static void a_sequence_expects_at_most_one(void **state) {
    (void)state;
    static double e[KINDS * KINDS * KINDS];
    for (size_t i = 0; i < LINES; i++) {
        for (int prior = 0; prior < 2; prior++) {
            struct two_sample process = process_of(&lines[i], prior ? 0.4 : 0.05);
            size_t count = 0;
            outcomes(&process, 0, 1, e, &count);
            assert_int_equal(count, KINDS * KINDS * KINDS);
            double most = most_expected(&lines[i], e);
            assert_true(most <= 1 + ROUNDED);
            assert_true(most > 0.5);
        }
    }
}

static void tempered_evidence_expects_less(void **state) {
    (void)state;
    static double e[KINDS * KINDS * KINDS];
    for (size_t i = 0; i < LINES; i++) {
        struct two_sample process = process_of(&lines[i], 0.2);
        size_t count = 0;
        outcomes(&process, 0, 3, e, &count);
        assert_true(most_expected(&lines[i], e) <= 1 + ROUNDED);
    }
}

// Every restart takes a share of the stake, and no more than all of it together.
static void restarts_share_one_stake(void **state) {
    (void)state;
    struct line line = {TWO_SAMPLE_HARM, 1, 0};
    struct two_sample process = process_of(&line, 0.01);
    for (int i = 0; i < 5000; i++) {
        two_sample_update(&process, 1, 0, 0, 0); // says nothing
        NEAR(two_sample_log_e(&process, 1), 0, 1e-9);
    }
    assert_int_equal(process.restarts, 4999);
}

int test_exact(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_expects_at_most_one),
        cmocka_unit_test(a_sequence_expects_at_most_one),
        cmocka_unit_test(tempered_evidence_expects_less),
        cmocka_unit_test(restarts_share_one_stake),
    };
    return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
