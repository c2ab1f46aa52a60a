// The evidence against numbers of an independent implementation: every vector of the file, to 1e-9 of its
// size. STATISTICS_VECTORS names another file of the same form. A kind, an input or an expectation that is
// not known here fails: nothing is passed over.
#include "rollout/cluster.h"
#include "rollout/exceedance.h"
#include "rollout/mean.h"
#include "rollout/sample_ratio.h"
#include "rollout/sample_size.h"
#include "rollout/two_sample.h"
#include "rollout/winner.h"
#include "unit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 4096

struct vector {
    const char *id;
    json_t *input, *expected;
    double tolerance;
};

static void only(const struct vector *vector, json_t *object, const char *const *known) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        const char *const *at = known;
        while (*at && strcmp(*at, key) != 0)
            at++;
        if (!*at)
            fail_msg("%s: \"%s\" is not known to this test", vector->id, key);
    }
    for (const char *const *at = known; *at; at++)
        if (!json_object_get(object, *at))
            fail_msg("%s: \"%s\" is missing", vector->id, *at);
}
#define KNOWN(vector, object, ...) only(vector, object, (const char *const[]){__VA_ARGS__, NULL})

static double number(const struct vector *vector, json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("%s: \"%s\" is no number", vector->id, key);
    return json_number_value(value);
}

static double in(const struct vector *vector, const char *key) {
    return number(vector, vector->input, key);
}

static void same(const struct vector *vector, const char *what, double got, double want) {
    if (!(fabs(got - want) <= vector->tolerance * fmax(1, fabs(want))))
        fail_msg("%s: %s is %.17g, not %.17g", vector->id, what, got, want);
}

static void expect(const struct vector *vector, const char *key, double got) {
    same(vector, key, got, number(vector, vector->expected, key));
}

static size_t numbers(const struct vector *vector, json_t *list, double *out) {
    size_t i;
    json_t *item;
    assert_true(json_is_array(list) && json_array_size(list) <= MOST);
    json_array_foreach(list, i, item) {
        if (!json_is_number(item))
            fail_msg("%s: item %zu is no number", vector->id, i);
        out[i] = json_number_value(item);
    }
    return json_array_size(list);
}

static size_t counts(const struct vector *vector, const char *key, uint64_t *out) {
    static double values[MOST];
    size_t count = numbers(vector, json_object_get(vector->input, key), values);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint64_t)values[i];
    return count;
}

static void batch(const struct vector *vector) {
    KNOWN(vector, vector->input, "n_b", "k_b", "n_c", "k_c", "theta_b", "theta_c", "rho", "delta");
    KNOWN(vector, vector->expected, "theta_b0", "theta_c0", "log_e");
    double nb = in(vector, "n_b"), nc = in(vector, "n_c"), tb = in(vector, "theta_b"),
           tc = in(vector, "theta_c");
    double rho = in(vector, "rho"), delta = in(vector, "delta"), b0, c0;
    if (!json_is_null(json_object_get(vector->expected, "theta_b0"))) {
        two_sample_project(nb, nc, tb, tc, rho, delta, &b0, &c0);
        expect(vector, "theta_b0", b0);
        expect(vector, "theta_c0", c0);
    }
    expect(vector, "log_e",
           two_sample_batch(nb, in(vector, "k_b"), nc, in(vector, "k_c"), tb, tc, rho, delta));
}

static void sequence(const struct vector *vector) {
    KNOWN(vector, vector->input, "direction", "rho", "delta", "prior_mean", "prior_n", "restart_every",
          "decay", "deff", "baseline_history", "batches_nb_kb_nc_kc");
    KNOWN(vector, vector->expected, "log_e", "first_batch_e_ge_20");
    const char *direction = json_string_value(json_object_get(vector->input, "direction"));
    assert_non_null(direction);
    bool harm = strcmp(direction, "harm") == 0;
    assert_true(harm || strcmp(direction, "ni") == 0);
    struct two_sample process;
    two_sample_init(&process, &(struct two_sample_settings){
                                  .direction = harm ? TWO_SAMPLE_HARM : TWO_SAMPLE_NON_INFERIOR,
                                  .rho = in(vector, "rho"),
                                  .delta = in(vector, "delta"),
                                  .prior_mean = in(vector, "prior_mean"),
                                  .prior_weight = in(vector, "prior_n"),
                                  .restart_every = (unsigned)in(vector, "restart_every"),
                                  .decay = in(vector, "decay"),
                              });
    static double wanted[MOST];
    double history[2], four[4];
    assert_int_equal(numbers(vector, json_object_get(vector->input, "baseline_history"), history), 2);
    two_sample_seed(&process, history[0], history[1]);
    json_t *batches = json_object_get(vector->input, "batches_nb_kb_nc_kc"), *item;
    size_t i, first = 0, count = numbers(vector, json_object_get(vector->expected, "log_e"), wanted);
    assert_int_equal(json_array_size(batches), count);
    json_array_foreach(batches, i, item) {
        assert_int_equal(numbers(vector, item, four), 4);
        two_sample_update(&process, four[0], four[1], four[2], four[3]);
        double log_e = two_sample_log_e(&process, in(vector, "deff"));
        same(vector, "log_e", log_e, wanted[i]);
        first = first == 0 && log_e >= log(20) ? i + 1 : first;
    }
    json_t *at = json_object_get(vector->expected, "first_batch_e_ge_20");
    assert_int_equal(first, json_is_null(at) ? 0 : json_integer_value(at));
}

static void exceedance(const struct vector *vector) {
    KNOWN(vector, vector->input, "baseline_past", "baseline_batch", "canary_batch", "q", "margin",
          "per_octave");
    KNOWN(vector, vector->expected, "bucket", "shift", "baseline", "canary");
    static uint64_t past[MOST], now[MOST], canary[MOST];
    size_t count = counts(vector, "baseline_past", past);
    assert_int_equal(counts(vector, "baseline_batch", now), count);
    assert_int_equal(counts(vector, "canary_batch", canary), count);
    size_t bucket = exceedance_bucket(past, count, in(vector, "q"));
    size_t shift = exceedance_shift(in(vector, "margin"), (unsigned)in(vector, "per_octave"));
    expect(vector, "bucket", (double)bucket);
    expect(vector, "shift", (double)shift);
    double pair[2];
    uint64_t all, above = exceedance_count(now, count, bucket, &all);
    assert_int_equal(numbers(vector, json_object_get(vector->expected, "baseline"), pair), 2);
    same(vector, "baseline n", (double)all, pair[0]);
    same(vector, "baseline k", (double)above, pair[1]);
    above = exceedance_count(canary, count, bucket + shift, &all);
    assert_int_equal(numbers(vector, json_object_get(vector->expected, "canary"), pair), 2);
    same(vector, "canary n", (double)all, pair[0]);
    same(vector, "canary k", (double)above, pair[1]);
}

static void mean(const struct vector *vector) {
    KNOWN(vector, vector->input, "n_b", "mean_b", "m2_b", "n_c", "mean_c", "m2_c", "scale", "shift", "deff_b",
          "deff_c", "alpha", "n_opt");
    KNOWN(vector, vector->expected, "d", "V", "n_h", "rho2", "log_e_canary_above", "log_e_canary_below",
          "lower", "upper");
    struct mean baseline = {in(vector, "n_b"), in(vector, "mean_b"), in(vector, "m2_b")};
    struct mean candidate = {in(vector, "n_c"), in(vector, "mean_c"), in(vector, "m2_c")};
    struct mean_margins margins = {in(vector, "scale"), in(vector, "shift"), in(vector, "deff_b"),
                                   in(vector, "deff_c")};
    struct mean_difference difference;
    assert_true(mean_compare(&baseline, &candidate, &margins, &difference));
    double alpha = in(vector, "alpha"), tuning = mean_tuning(in(vector, "n_opt"), alpha);
    expect(vector, "d", difference.difference);
    expect(vector, "V", difference.variance);
    expect(vector, "n_h", difference.size);
    expect(vector, "rho2", tuning);
    expect(vector, "log_e_canary_above", mean_log_e(&difference, tuning));
    double margin = mean_margin(&difference, tuning, alpha);
    expect(vector, "lower", difference.difference - margin);
    expect(vector, "upper", difference.difference + margin);
    difference.difference = -difference.difference;
    expect(vector, "log_e_canary_below", mean_log_e(&difference, tuning));
}

static void srm(const struct vector *vector) {
    KNOWN(vector, vector->input, "counts", "p", "concentration");
    KNOWN(vector, vector->expected, "log_e");
    static uint64_t units[MOST];
    static double shares[MOST];
    size_t arms = counts(vector, "counts", units);
    assert_int_equal(numbers(vector, json_object_get(vector->input, "p"), shares), arms);
    expect(vector, "log_e", sample_ratio_log_e(units, shares, arms, in(vector, "concentration")));
}

static void cluster(const struct vector *vector) {
    KNOWN(vector, vector->input, "n", "x");
    KNOWN(vector, vector->expected, "ratio", "variance", "clusters", "deff");
    static double requests[MOST], events[MOST];
    size_t groups = numbers(vector, json_object_get(vector->input, "n"), requests);
    assert_int_equal(numbers(vector, json_object_get(vector->input, "x"), events), groups);
    struct cluster_ratio ratio = cluster_ratio(requests, events, groups);
    expect(vector, "ratio", ratio.ratio);
    expect(vector, "variance", ratio.variance);
    expect(vector, "clusters", (double)ratio.groups);
    expect(vector, "deff", cluster_design_effect(requests, events, groups, -1));
}

static void size(const struct vector *vector) {
    KNOWN(vector, vector->input, "theta_b", "theta_c", "share", "rho", "delta", "alpha", "grid", "power",
          "restart");
    KNOWN(vector, vector->expected, "requests", "growth");
    struct sample_question question = {
        .baseline = in(vector, "theta_b"),
        .candidate = in(vector, "theta_c"),
        .share = in(vector, "share"),
        .rho = in(vector, "rho"),
        .delta = in(vector, "delta"),
        .alpha = in(vector, "alpha"),
        .alternatives = (unsigned)in(vector, "grid"),
        .power = in(vector, "power"),
        .restarts = json_is_true(json_object_get(vector->input, "restart")),
    };
    expect(vector, "requests", sample_size(&question));
    expect(vector, "growth", sample_growth(&question));
}

static void winner(const struct vector *vector) {
    KNOWN(vector, vector->input, "log_e", "alpha");
    KNOWN(vector, vector->expected, "winner");
    static double matrix[64 * 64];
    json_t *rows = json_object_get(vector->input, "log_e"), *row;
    size_t i, count = json_array_size(rows);
    assert_true(count > 0 && count <= 64);
    json_array_foreach(rows, i, row) assert_int_equal(numbers(vector, row, matrix + i * count), count);
    expect(vector, "winner", winner_of(matrix, (int)count, in(vector, "alpha")));
}

static const struct {
    const char *name;
    void (*check)(const struct vector *vector);
} kinds[] = {{"batch", batch}, {"sequence", sequence}, {"exceedance", exceedance},
             {"mean", mean},   {"srm", srm},           {"cluster", cluster},
             {"size", size},   {"winner", winner}};

static void check(json_t *item) {
    struct vector vector = {
        .id = json_string_value(json_object_get(item, "id")),
        .input = json_object_get(item, "input"),
        .expected = json_object_get(item, "expected"),
        .tolerance = json_number_value(json_object_get(item, "tolerance")),
    };
    const char *kind = json_string_value(json_object_get(item, "kind"));
    assert_non_null(vector.id);
    assert_non_null(kind);
    vector.tolerance = vector.tolerance > 0 && vector.tolerance <= 1e-9 ? vector.tolerance : 1e-9;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            kinds[i].check(&vector);
            return;
        }
    }
    fail_msg("%s: vectors of kind \"%s\" are not known to this test", vector.id, kind);
}

static void every_vector(void **state) {
    (void)state;
    const char *path = getenv("STATISTICS_VECTORS");
    json_error_t error;
    json_t *root = json_load_file(path ? path : TEST_DATA "/statistics/vectors.json", 0, &error), *item;
    if (!root)
        fail_msg("%s:%d: %s", error.source, error.line, error.text);
    json_t *vectors = json_object_get(root, "vectors");
    size_t i;
    assert_true(json_array_size(vectors) > 0);
    json_array_foreach(vectors, i, item) check(item);
    printf("%zu vectors\n", i);
    json_decref(root);
}

int test_vectors(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_vector)};
    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
