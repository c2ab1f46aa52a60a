// sluice_score: what was posted, bounded.
#include "../../../src/control/scores.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config *two_variants(void) {
    struct diagnostics diagnostics;
    struct config *config = config_parse(
        "test.yaml",
        slice_of("listeners: [{address: 127.0.0.1:0}]\npools: {p: {endpoints: [http://127.0.0.1:1]}}\n"
                 "routes: [{name: chat, variants: {a: {pool: p, weight: 50}, b: {pool: p, weight: 50}}}]\n"),
        &diagnostics);
    assert_non_null(config);
    return config;
}

static void sums_and_counts(void **state) {
    (void)state;
    struct config *config = two_variants();
    struct scores *scores = scores_new(10);
    struct exposition out = {0};
    scores_add(scores, "chat", "a", "quality", 0.25);
    scores_add(scores, "chat", "a", "quality", 0.5);
    scores_add(scores, "chat", "b", "helpful", 1);
    scores_add(scores, "gone", "a", "quality", 1);
    scores_add(scores, "chat", "gone", "quality", 1);
    scores_write(scores, config, &out);
    const char *text = strstr(strbuf_text(&out.text), "\nsluice_score");
    assert_string_equal(text, "\nsluice_score_sum{route=\"chat\",variant=\"a\",metric=\"quality\"} 0.75\n"
                              "sluice_score_count{route=\"chat\",variant=\"a\",metric=\"quality\"} 2\n"
                              "sluice_score_sum{route=\"chat\",variant=\"b\",metric=\"helpful\"} 1\n"
                              "sluice_score_count{route=\"chat\",variant=\"b\",metric=\"helpful\"} 1\n");
    strbuf_free(&out.text);
    scores_free(scores);
    config_unref(config);
}

static void names_are_bounded(void **state) {
    (void)state;
    struct config *config = two_variants();
    struct scores *scores = scores_new(3);
    struct exposition out = {0};
    for (int i = 0; i < 500; i++) {
        char metric[20];
        snprintf(metric, sizeof metric, "m%d", i % 100);
        scores_add(scores, "chat", i % 2 ? "a" : "b", metric, 1);
    }
    scores_write(scores, config, &out);
    unsigned lines = 0, counted = 0;
    for (const char *at = strbuf_text(&out.text); (at = strstr(at, "sluice_score_count{")) != NULL; at++) {
        lines++;
        counted += (unsigned)atoi(strchr(at, '}') + 1);
    }
    assert_int_equal(lines, 5); // three, and "other" of each variant
    assert_int_equal(counted, 500);
    assert_non_null(strstr(strbuf_text(&out.text), "variant=\"a\",metric=\"other\""));
    strbuf_free(&out.text);
    scores_free(scores);
    config_unref(config);
}

int test_scores(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_and_counts),
                                       cmocka_unit_test(names_are_bounded)};
    return cmocka_run_group_tests_name("scores", tests, NULL, NULL);
}
