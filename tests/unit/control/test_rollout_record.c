// What the journal keeps of a rollout comes back as it was; what is damaged is refused and never crashes.
#include "../../../src/control/rollout_record.h"
#include "base/random.h"
#include "unit.h"

#include <math.h>
#include <string.h>

static const char yaml[] =
    "listeners: [{address: '127.0.0.1:0'}]\n"
    "pools: {blue: {endpoints: [http://127.0.0.1:9000]}}\n"
    "routes:\n"
    "  - name: chat\n"
    "    variants: {stable: {pool: blue, weight: 95}, canary: {pool: blue, weight: 5, version: v2}}\n"
    "    rollout: {strategy: canary, steps: [{weight: 5}, {weight: 100}], guards: {error_rate: {margin: 1}, "
    "quality: {}}}\n";

struct scene {
    struct config *config;
    struct machine machine;
    struct trial trial;
    struct rollout_record record;
};

static void begin(struct scene *scene, const char *text) {
    struct diagnostics diagnostics;
    memset(scene, 0, sizeof *scene);
    scene->config = config_parse("test.yaml", slice_of(text), &diagnostics);
    assert_non_null(scene->config);
    struct rollout_plan plan;
    const struct route_config *route = &scene->config->routes[0];
    rollout_plan_read(&plan, route, NULL);
    machine_init(&scene->machine, &plan);
    trial_init(&scene->trial, &(struct trial_settings){.config = route->rollout, .candidate = 1, .arms = 3},
               1000);
    scene->record =
        (struct rollout_record){.route = route, .machine = &scene->machine, .trial = &scene->trial};
}

static void end(struct scene *scene) {
    strbuf_free(&scene->record.decision);
    strbuf_free(&scene->record.because);
    config_unref(scene->config);
}

static void write_some(struct scene *scene, struct strbuf *text) {
    begin(scene, yaml);
    struct guard *guard = &scene->trial.guards[0];
    for (int i = 0; i < 25; i++)
        guard_feed(guard, &(struct guard_batch){95, i % 3 == 0, 5, i % 7 == 0}, i % 2);
    for (int i = 0; i < 50; i++)
        guard_score(&scene->trial.guards[1], i % 2, 0.1 * (i % 9), SCORE_WITHOUT_UNIT);
    scene->trial.designs[DESIGN_FAILED] = (struct design){7.5, 1000, 2, 500};
    scene->machine.state = ROLLOUT_STEP;
    scene->machine.hold = HOLD_SIGNAL;
    scene->machine.step = 1;
    scene->machine.state_ms = 12345;
    scene->machine.total_ms = 23456;
    scene->machine.reached = 501;
    scene->machine.asked = 2502;
    scene->machine.from_weight = 503;
    scene->machine.left = ROLLOUT_WATCH;
    scene->machine.members = UINT64_MAX - 5;
    scene->machine.winner = 1;
    scene->machine.warm = scene->machine.skipped_by_person = true;
    strcpy(scene->machine.version, "v2 \"quoted\"");
    scene->record.decision_number = 7;
    strbuf_string(&scene->record.decision, "{\"number\":7}");
    strbuf_string(&scene->record.because, "because of \xc3\xbc");
    rollout_record_write(&scene->record, text);
}

// By field: what stands between them is not kept.
static void same_process(const struct two_sample *a, const struct two_sample *b) {
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->product, b->product, sizeof a->product);
    assert_memory_equal(a->restarted, b->restarted, sizeof a->restarted);
    assert_true(a->seen == b->seen && a->events == b->events);
    assert_int_equal(a->batches, b->batches);
    assert_int_equal(a->restarts, b->restarts);
}

static void same_machine(const struct machine *a, const struct machine *b) {
    assert_true(a->state == b->state && a->hold == b->hold && a->step == b->step && a->left == b->left);
    assert_string_equal(a->version, b->version);
    assert_memory_equal(a->weights, b->weights, sizeof a->weights);
    assert_true(a->reached == b->reached && a->asked == b->asked && a->from_weight == b->from_weight);
    assert_true(a->state_ms == b->state_ms && a->total_ms == b->total_ms && a->members == b->members);
    assert_int_equal(a->winner, b->winner);
    assert_true(a->warm && b->warm && a->skipped_by_person && b->skipped_by_person);
}

static void it_comes_back(void **state) {
    (void)state;
    struct scene from, to;
    struct strbuf text = {0}, again = {0};
    struct error error;
    bool same = false;
    write_some(&from, &text);
    begin(&to, yaml);
    assert_true(rollout_record_read(&to.record, strbuf_as_slice(&text), &same, &error));
    assert_true(same);
    same_machine(&from.machine, &to.machine);
    assert_memory_equal(&from.trial.designs, &to.trial.designs, sizeof from.trial.designs);
    for (int i = 0; i < 2; i++) {
        const struct guard *a = &from.trial.guards[i], *b = &to.trial.guards[i];
        if (i == 0) {
            same_process(&a->harm, &b->harm);
            same_process(&a->soon, &b->soon);
            same_process(&a->fine, &b->fine);
        }
        assert_memory_equal(&a->total, &b->total, sizeof a->total);
        assert_memory_equal(&a->candidate, &b->candidate, sizeof a->candidate);
    }
    assert_int_equal(to.record.decision_number, 7);
    assert_string_equal(strbuf_text(&to.record.decision), "{\"number\":7}");
    rollout_record_write(&to.record, &again);
    // All but the time at which it was written.
    assert_string_equal(strstr(strbuf_text(&text), "\"machine\""),
                        strstr(strbuf_text(&again), "\"machine\""));
    strbuf_free(&text);
    strbuf_free(&again);
    end(&from);
    end(&to);
}

// Another margin is another question; a variant that is gone takes its weight with it.
static void what_changed_is_noticed(void **state) {
    (void)state;
    struct scene from, to;
    struct strbuf text = {0};
    struct error error;
    bool same = true;
    write_some(&from, &text);
    char edited[sizeof yaml];
    memcpy(edited, yaml, sizeof yaml);
    *(strstr(edited, "{margin: 1}") + strlen("{margin: ")) = '2';
    begin(&to, edited);
    assert_true(rollout_record_read(&to.record, strbuf_as_slice(&text), &same, &error));
    assert_true(same);
    assert_float_equal(to.trial.guards[0].total.baseline, 0, 0);
    assert_true(to.trial.guards[1].candidate.count > 0);
    end(&to);
    strbuf_free(&text);
    end(&from);
}

static void damage_is_refused(void **state) {
    (void)state;
    struct scene from, to;
    struct strbuf text = {0};
    struct error error;
    struct random_state random;
    bool same;
    write_some(&from, &text);
    random_seed_fixed(&random, 3);
    begin(&to, yaml);
    assert_false(rollout_record_read(&to.record, SLICE(""), &same, &error));
    assert_false(rollout_record_read(&to.record, SLICE("[]"), &same, &error));
    assert_false(rollout_record_read(&to.record, SLICE("{\"format\":2}"), &same, &error));
    assert_non_null(strstr(error.text, "format"));
    for (int i = 0; i < 3000;
         i++) { // any byte, cut anywhere: refused or read, never a crash or a weight that cannot be
        char *copy = mem_alloc(text.len);
        memcpy(copy, text.at, text.len);
        size_t len = random_below(&random, 4) ? text.len : random_below(&random, text.len);
        for (uint64_t k = random_below(&random, 4); k > 0; k--)
            copy[random_below(&random, text.len)] = (char)random_below(&random, 256);
        struct scene one;
        begin(&one, yaml);
        if (rollout_record_read(&one.record, slice_make(copy, len), &same, &error)) {
            assert_true(one.machine.step < 1000001 && one.machine.state_ms >= 0);
            assert_true((unsigned)one.machine.state < ROLLOUT_STATES);
        } else {
            assert_true(error.text[0]);
        }
        end(&one);
        mem_free(copy);
    }
    strbuf_free(&text);
    end(&to);
    end(&from);
}

int test_rollout_record(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(what_changed_is_noticed),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests_name("rollout_record", tests, NULL, NULL);
}
