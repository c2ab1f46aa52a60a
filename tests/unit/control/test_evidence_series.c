// A tally as samples: which there are, and what goes into a tally again.
#include "../../../src/control/evidence_series.h"
#include "unit.h"

static void only_what_is_not_zero_is_exposed(void **state) {
    (void)state;
    struct tally tally;
    tally_reset(&tally, 7);
    tally.baseline = 800;
    tally.candidate = 200;
    tally.guards[0].all = (struct guard_batch){790, 3, 198, 9};
    struct label whose[] = {{"fleet", "/f"}, {"member", "ab"}, {"route", "chat"}, {"epoch", "7"}};
    struct exposition out = {0};
    evidence_series_write(&tally, whose, 4, &out);
#define WHOSE "sluice_fleet_evidence{fleet=\"/f\",member=\"ab\",route=\"chat\",epoch=\"7\",part="
    assert_string_equal(strbuf_text(&out.text), WHOSE
                        "\"begun\",arm=\"baseline\"} 800\n" WHOSE "\"begun\",arm=\"candidate\"} 200\n" WHOSE
                        "\"all\",guard=\"0\",arm=\"baseline\",field=\"requests\"} 790\n" WHOSE
                        "\"all\",guard=\"0\",arm=\"baseline\",field=\"events\"} 3\n" WHOSE
                        "\"all\",guard=\"0\",arm=\"candidate\",field=\"requests\"} 198\n" WHOSE
                        "\"all\",guard=\"0\",arm=\"candidate\",field=\"events\"} 9\n" WHOSE
                        "\"series\"} 6\n");
    strbuf_free(&out.text);
}

static bool put(struct tally *tally, const char *part, const char *guard, const char *arm, const char *field,
                double value) {
    return evidence_series_put(tally, &(struct evidence_labels){part, guard, arm, field}, value);
}

static void a_figure_goes_where_its_labels_say(void **state) {
    (void)state;
    struct tally tally;
    tally_reset(&tally, 1);
    assert_true(put(&tally, "begun", NULL, "candidate", NULL, 5));
    assert_true(put(&tally, "all", "31", "baseline", "requests", 9));
    assert_true(put(&tally, "soon", "2", "candidate", "events", 1));
    assert_true(put(&tally, "values", "3", "candidate", "squares", 0.1));
    assert_true(put(&tally, "contest", NULL, "15", "count", 4));
    assert_true(tally.candidate == 5 && tally.guards[31].all.baseline == 9);
    assert_true(tally.guards[2].soon.candidate_events == 1 && tally.guards[3].candidate.squares == 0.1);
    assert_int_equal(tally.arms[15].values.count, 4);
    assert_false(put(&tally, "begun", NULL, "candidate", NULL, 5)); // it was
    assert_false(put(&tally, "all", "31", "baseline", "requests", 9));
    assert_false(put(&tally, "series", NULL, NULL, NULL, 5));
    assert_false(put(&tally, NULL, NULL, NULL, NULL, 5));
}

int test_evidence_series(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_not_zero_is_exposed),
        cmocka_unit_test(a_figure_goes_where_its_labels_say),
    };
    return cmocka_run_group_tests_name("evidence_series", tests, NULL, NULL);
}
