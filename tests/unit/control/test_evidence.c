// A tally through Prometheus and back: what an instance exposes, what the leader asks, and what it takes of
// the answer.
#include "../../../src/control/evidence_answer.h"
#include "../../../src/control/evidence_series.h"
#include "base/mem.h"
#include "base/random.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRAPED 1795412124.123

// ---- as Prometheus would answer what was exposed

static json_t *sample(json_t *labels, double time, const char *value) {
    return json_pack("{s:o,s:[f,s]}", "metric", labels, "value", time, value);
}

// name{a="b",c="d"} 1
static json_t *of_line(char *line) {
    char *open = strchr(line, '{'), *close = strrchr(line, '}'), *save;
    assert_true(open && close);
    json_t *labels = json_pack("{s:s,s:s}", "job", "sluice", "instance", "10.0.0.1:9901");
    *open = *close = '\0';
    json_object_set_new(labels, "__name__", json_string(line));
    for (char *at = strtok_r(open + 1, ",", &save); at; at = strtok_r(NULL, ",", &save)) {
        char *value = strstr(at, "=\"");
        *value = value[strlen(value) - 1] = '\0';
        json_object_set_new(labels, at, json_string(value + 2));
    }
    return sample(labels, SCRAPED + 0.5, close + 2);
}

static void time_of(json_t *vector, const char *member, const char *epoch, const char *part,
                    const char *value) {
    json_t *labels =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "job", "sluice", "instance", "10.0.0.1:9901", "fleet",
                  "/f", "route", "chat", "member", member, "epoch", epoch, "part", part);
    json_array_append_new(vector, sample(labels, SCRAPED + 0.5, value));
}

// What one member exposes of the route `chat`, scraped at `time`.
static void add_scrape(json_t *vector, const char *member, const struct tally *tally, double log_e,
                       const char *time) {
    char epoch[12], *save;
    snprintf(epoch, sizeof epoch, "%u", (unsigned)tally->epoch);
    struct label labels[] = {
        {"fleet", "/f"}, {"member", member}, {"route", "chat"}, {"epoch", epoch}, {"shares", "3"}};
    struct exposition out = {0};
    evidence_series_write(tally, labels, 4, &out);
    exposition_double(&out, FAMILY_FLEET_EVIDENCE_RATIO, labels, 5, log_e);
    strbuf_text(&out.text);
    for (char *line = strtok_r(out.text.at, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        json_array_append_new(vector, of_line(line));
    time_of(vector, member, epoch, "newest", time);
    time_of(vector, member, epoch, "oldest", time);
    strbuf_free(&out.text);
}

static bool read_vector(json_t *vector, struct evidence_answer *read, char *why) {
    json_t *root =
        json_pack("{s:s,s:{s:s,s:O}}", "status", "success", "data", "resultType", "vector", "result", vector);
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(16));
    struct fetch_answer answer = {.status = 200};
    strbuf_string(&answer.body, text);
    bool good = evidence_read(&answer, read, why);
    fetch_answer_free(&answer);
    free(text);
    json_decref(root);
    return good;
}

static struct evidence_answer taken(json_t *vector) {
    struct evidence_answer read;
    char why[PROMETHEUS_WHY];
    assert_true(read_vector(vector, &read, why));
    assert_string_equal(why, "");
    return read;
}

// ---- tallies

static double number(struct random_state *random) {
    return (double)random_below(random, 1000000) / 7;
}

static void some_batch(struct random_state *random, struct guard_batch *batch) {
    batch->baseline_events = (double)random_below(random, 1000);
    batch->baseline = batch->baseline_events + (double)random_below(random, 1000000000);
    batch->candidate_events = (double)random_below(random, 2);
    batch->candidate = batch->candidate_events + (double)random_below(random, 3);
}

static void some_sum(struct random_state *random, struct experiment_sum *sum) {
    *sum = (struct experiment_sum){0};
    if (!random_below(random, 2))
        return;
    *sum = (struct experiment_sum){.count = 1 + random_below(random, 1000000), .sum = number(random)};
    sum->squares = sum->sum * sum->sum / (double)sum->count + number(random);
}

// Of `guards` guards and `arms` arms.
static struct tally some(struct random_state *random, unsigned guards, unsigned arms) {
    struct tally tally;
    tally_reset(&tally, 1 + (uint32_t)random_below(random, 100));
    tally.baseline = random_below(random, 1000);
    tally.candidate = (uint64_t)TALLY_MOST - 1;
    for (unsigned i = 0; i < guards; i++) {
        some_batch(random, &tally.guards[i].all);
        some_batch(random, &tally.guards[i].soon);
        some_sum(random, &tally.guards[i].baseline);
        some_sum(random, &tally.guards[i].candidate);
    }
    for (unsigned i = 0; i < arms; i++) {
        tally.arms[i].events = (double)random_below(random, 9);
        tally.arms[i].requests = tally.arms[i].events + (double)random_below(random, 2);
        some_sum(random, &tally.arms[i].values);
    }
    assert_true(tally_holds(&tally));
    return tally;
}

static bool same(const struct tally *a, const struct tally *b) {
    struct strbuf one = {0}, other = {0};
    tally_write(a, &one);
    tally_write(b, &other);
    bool equal = slice_equal(strbuf_as_slice(&one), strbuf_as_slice(&other));
    strbuf_free(&one);
    strbuf_free(&other);
    return equal;
}

static struct tally usual(void) { // of one guard
    struct tally tally;
    tally_reset(&tally, 7);
    tally.baseline = 800;
    tally.candidate = 200;
    tally.guards[0].all = (struct guard_batch){790, 3, 198, 9};
    return tally;
}

// ---- the tests

static void the_question_is_the_documented_one(void **state) {
    (void)state;
    struct strbuf query = {0}, text = {0};
    evidence_query("/sluice/prod", &query);
    assert_string_equal(
        strbuf_text(&query),
        "{__name__=~\"sluice_fleet_evidence(_sample_ratio)?\",fleet=\"/sluice/prod\"}"
        " or label_replace(max without (part,guard,arm,field,shares) (timestamp("
        "{__name__=~\"sluice_fleet_evidence(_sample_ratio)?\",fleet=\"/sluice/prod\"})), \"part\", "
        "\"newest\", \"\", \"\")"
        " or label_replace(min without (part,guard,arm,field,shares) (timestamp("
        "{__name__=~\"sluice_fleet_evidence(_sample_ratio)?\",fleet=\"/sluice/prod\"})), \"part\", "
        "\"oldest\", \"\", \"\")");
    FILE *file = fopen(SOURCE_ROOT "/docs/fleet.md", "r");
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        if (c != '\n' || strbuf_text(&text)[text.len - 1] == '\n')
            strbuf_char(&text, (char)c); // its lines are one there
    fclose(file);
    assert_non_null(strstr(strbuf_text(&text), strbuf_text(&query)));
    strbuf_clear(&query);
    evidence_query("/a\"b\\c", &query);
    assert_non_null(strstr(strbuf_text(&query), "fleet=\"/a\\\"b\\\\c\"}"));
    strbuf_free(&query);
    strbuf_free(&text);
}

static void every_tally_comes_back_exactly(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 1);
    const unsigned sizes[][2] = {{1, 0}, {5, 0}, {0, 3}, {GUARDS_MOST, TALLY_ARMS}, {0, 0}};
    for (size_t i = 0; i < 5 * sizeof sizes / sizeof *sizes; i++) {
        struct tally tally = some(&random, sizes[i % 5][0], sizes[i % 5][1]);
        json_t *vector = json_array();
        add_scrape(vector, "ab12", &tally, -0.1 / 3, "1795412124.123");
        struct evidence_answer read = taken(vector);
        assert_int_equal(read.count, 1);
        assert_int_equal(read.skipped, 0);
        assert_true(same(&read.items[0].tally, &tally));
        assert_string_equal(read.items[0].member, "ab12");
        assert_string_equal(read.items[0].route, "chat");
        assert_int_equal(read.items[0].shares, 3);
        assert_true(read.items[0].log_e == -0.1 / 3 && read.items[0].scraped == SCRAPED);
        evidence_answer_free(&read);
        json_decref(vector);
    }
}

static void nothing_counted_is_a_tally_too(void **state) {
    (void)state;
    struct tally tally;
    tally_reset(&tally, 2);
    json_t *vector = json_array();
    add_scrape(vector, "a", &tally, NAN, "1");
    struct evidence_answer read = taken(vector);
    assert_int_equal(read.count, 1);
    assert_int_equal(read.items[0].tally.epoch, 2);
    assert_true(isnan(read.items[0].log_e) && same(&read.items[0].tally, &tally));
    evidence_answer_free(&read);
    assert_int_equal(json_array_clear(vector), 0);
    read = taken(vector); // nobody has anything
    assert_int_equal(read.count + read.skipped, 0);
    evidence_answer_free(&read);
    json_decref(vector);
}

static void one_figure_less_and_nothing_is_taken_of_that_member(void **state) {
    (void)state;
    struct tally tally = usual();
    json_t *one = json_array();
    add_scrape(one, "a", &tally, 0, "1");
    for (size_t i = 0; i < json_array_size(one); i++) {
        json_t *vector = json_deep_copy(one);
        json_array_remove(vector, i);
        add_scrape(vector, "b", &tally, 0, "1");
        struct evidence_answer read = taken(vector);
        assert_int_equal(read.count, 1);
        assert_int_equal(read.skipped, 1);
        assert_string_equal(read.items[0].member, "b");
        evidence_answer_free(&read);
        json_decref(vector);
    }
    json_decref(one);
}

static void of_two_scrapes_nothing_is_taken(void **state) {
    (void)state;
    struct tally tally = usual();
    json_t *vector = json_array();
    add_scrape(vector, "a", &tally, 0, "1795412124.123");
    json_t *oldest = json_array_get(vector, json_array_size(vector) - 1);
    json_array_set_new(json_object_get(oldest, "value"), 1, json_string("1795412123.123"));
    struct evidence_answer read = taken(vector);
    assert_int_equal(read.count, 0);
    assert_int_equal(read.skipped, 1);
    evidence_answer_free(&read);
    json_decref(vector);
}

// With one more sample the set is not whole.
static void spoils(const char *labels, const char *value) {
    struct tally tally = usual();
    json_t *vector = json_array(), *more = json_loads(labels, 0, NULL);
    add_scrape(vector, "a", &tally, 0, "1");
    json_t *metric = json_copy(json_object_get(json_array_get(vector, 0), "metric"));
    json_object_del(metric, "part");
    json_object_del(metric, "arm");
    json_object_update(metric, more);
    json_object_del(metric, "uncounted");
    json_array_append_new(vector, sample(metric, 1, value));
    for (size_t i = 0; i < json_array_size(vector); i++) { // it is among those that are promised
        json_t *each = json_array_get(vector, i);
        const char *part = json_string_value(json_object_get(json_object_get(each, "metric"), "part"));
        if (part && strcmp(part, "series") == 0 && !json_object_get(more, "uncounted"))
            json_array_set_new(json_object_get(each, "value"), 1, json_string("7"));
    }
    struct evidence_answer read = taken(vector);
    if (read.count != 0 || read.skipped == 0)
        fail_msg("%s %s is taken", labels, value);
    evidence_answer_free(&read);
    json_decref(more);
    json_decref(vector);
}

static void what_is_no_figure_spoils_the_set(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"part\":\"begun\",\"arm\":\"baseline\"}", "800"}, // twice
        {"{\"part\":\"all\",\"guard\":\"0\",\"arm\":\"baseline\",\"field\":\"requests\"}", "790"},
        {"{\"part\":\"all\",\"guard\":\"0\",\"arm\":\"baseline\",\"field\":\"sum\"}", "1"},
        {"{\"part\":\"all\",\"guard\":\"0\",\"arm\":\"baseline\"}", "1"},
        {"{\"part\":\"all\",\"arm\":\"baseline\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"all\",\"guard\":\"32\",\"arm\":\"baseline\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"all\",\"guard\":\"01\",\"arm\":\"baseline\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"all\",\"guard\":\"-1\",\"arm\":\"baseline\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"0\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"events\"}",
         "1"}, // of no request
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"requests\"}", "1.5"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"requests\"}", "-1"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"requests\"}", "NaN"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"requests\"}", "+Inf"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"requests\"}", "1e17"},
        {"{\"part\":\"all\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"requests\"}", "many"},
        {"{\"part\":\"values\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"sum\"}", "1"}, // of none
        {"{\"part\":\"values\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"count\"}", "1.5"},
        {"{\"part\":\"values\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"count\"}", "1e18"},
        {"{\"part\":\"values\",\"guard\":\"1\",\"arm\":\"baseline\",\"field\":\"count\"}", "-1"},
        {"{\"part\":\"contest\",\"arm\":\"16\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"contest\",\"arm\":\"1\",\"guard\":\"0\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"contest\",\"arm\":\"baseline\",\"field\":\"requests\"}", "1"},
        {"{\"part\":\"begun\",\"arm\":\"other\"}", "1"},
        {"{\"part\":\"more\",\"arm\":\"baseline\"}", "1"},
        {"{}", "1"},
        {"{\"part\":\"newest\"}", "1"}, // of this family: not the query's
        {"{\"part\":\"series\",\"uncounted\":\"1\"}", "6"},
        {"{\"__name__\":\"sluice_fleet_evidence_sample_ratio\",\"shares\":\"3\",\"uncounted\":\"1\"}", "0"},
        {"{\"__name__\":\"sluice_fleet_evidence_other\",\"uncounted\":\"1\"}", "0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        spoils(cases[i][0], cases[i][1]);
}

static void whose_it_is_must_be_told(void **state) {
    (void)state;
    static const char *const cases[] = {"member", "route", "epoch", "shares"};
    static const char *const wrong[] = {NULL, "", "-1", "x", "4294967296"};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < (i < 2 ? 1 : 5); k++) {
            struct tally tally = usual();
            json_t *vector = json_array(), *each;
            size_t at;
            add_scrape(vector, "a", &tally, 0, "1");
            json_array_foreach(vector, at, each) {
                json_t *metric = json_object_get(each, "metric");
                if (!json_object_get(metric, cases[i]))
                    continue;
                json_object_del(metric, cases[i]);
                if (wrong[k])
                    json_object_set_new(metric, cases[i], json_string(wrong[k]));
            }
            struct evidence_answer read = taken(vector);
            assert_int_equal(read.count, 0);
            evidence_answer_free(&read);
            json_decref(vector);
        }
}

static void the_newest_of_several_scrapers_is_taken(void **state) {
    (void)state;
    struct tally older = usual(), newer = usual(), next = usual();
    newer.baseline++;
    next.epoch++;
    const struct tally *orders[][2] = {{&older, &newer}, {&newer, &older}};
    for (size_t i = 0; i < 2; i++) {
        json_t *vector = json_array(), *each;
        size_t at;
        add_scrape(vector, "a", orders[i][0], 0, orders[i][0] == &newer ? "12" : "11");
        json_array_foreach(vector, at, each)
            json_object_set_new(json_object_get(each, "metric"), "replica", json_string("2"));
        add_scrape(vector, "a", orders[i][1], 0, orders[i][1] == &newer ? "12" : "11");
        add_scrape(vector, "a", &next, 0, "10");
        add_scrape(vector, "b", &older, 0, "9");
        struct evidence_answer read = taken(vector);
        assert_int_equal(read.count, 3);
        assert_int_equal(read.skipped, 0);
        assert_int_equal(read.items[0].tally.baseline, newer.baseline);
        assert_int_equal(read.items[1].tally.epoch, next.epoch);
        assert_string_equal(read.items[2].member, "b");
        evidence_answer_free(&read);
        json_decref(vector);
    }
}

static void what_is_no_vector_gives_nothing(void **state) {
    (void)state;
    static const struct {
        long status;
        const char *body, *words;
    } cases[] = {
        {200, "", "did not answer in JSON"},
        {502, "bad gateway", "answered 502"},
        {400, "{\"status\":\"error\",\"error\":\"parse error\"}", "refused the query: parse error"},
        {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}", "no result"},
        {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":{}}}", "no result"},
        {200,
         "{\"status\":\"success\",\"warnings\":[\"a store is down\"],\"data\":{\"resultType\":\"vector\","
         "\"result\":[]}}",
         "warns: a store is down"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch_answer answer = {.status = cases[i].status};
        struct evidence_answer read;
        char why[PROMETHEUS_WHY];
        strbuf_string(&answer.body, cases[i].body);
        assert_false(evidence_read(&answer, &read, why));
        assert_non_null(strstr(why, cases[i].words));
        evidence_answer_free(&read);
        fetch_answer_free(&answer);
    }
    struct fetch_answer cut = {.status = 200, .truncated = true};
    struct evidence_answer read;
    char why[PROMETHEUS_WHY];
    assert_false(evidence_read(&cut, &read, why));
    assert_non_null(strstr(why, "answered more than is read"));
    evidence_answer_free(&read);
}

static void any_bytes_are_an_answer(void **state) {
    (void)state;
    struct tally tally = usual();
    json_t *vector = json_array();
    add_scrape(vector, "a", &tally, 0, "1");
    json_t *root =
        json_pack("{s:s,s:{s:s,s:o}}", "status", "success", "data", "resultType", "vector", "result", vector);
    char *text = json_dumps(root, JSON_COMPACT);
    size_t len = strlen(text);
    for (size_t at = 0; at < len; at++)
        for (unsigned c = 1; c < 256; c += 23) {
            struct fetch_answer answer = {.status = 200};
            struct evidence_answer read;
            char why[PROMETHEUS_WHY], kept = text[at];
            text[at] = (char)c;
            strbuf_append(&answer.body, text, len);
            text[at] = kept;
            bool good = evidence_read(&answer, &read, why);
            assert_int_equal(good, why[0] == '\0');
            for (size_t i = 0; i < read.count; i++)
                assert_true(tally_holds(&read.items[i].tally));
            evidence_answer_free(&read);
            fetch_answer_free(&answer);
        }
    free(text);
    json_decref(root);
}

int test_evidence(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_question_is_the_documented_one),
        cmocka_unit_test(every_tally_comes_back_exactly),
        cmocka_unit_test(nothing_counted_is_a_tally_too),
        cmocka_unit_test(one_figure_less_and_nothing_is_taken_of_that_member),
        cmocka_unit_test(of_two_scrapes_nothing_is_taken),
        cmocka_unit_test(what_is_no_figure_spoils_the_set),
        cmocka_unit_test(whose_it_is_must_be_told),
        cmocka_unit_test(the_newest_of_several_scrapers_is_taken),
        cmocka_unit_test(what_is_no_vector_gives_nothing),
        cmocka_unit_test(any_bytes_are_an_answer),
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
