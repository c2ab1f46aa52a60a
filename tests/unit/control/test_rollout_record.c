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

// The text of write_some with `from` replaced by `to`, once.
static void replaced(struct strbuf *text, const char *from, const char *to, struct strbuf *out) {
    const char *whole = strbuf_text(text), *at = strstr(whole, from);
    if (!at)
        fail_msg("%s is not in %s", from, whole);
    strbuf_clear(out);
    strbuf_append(out, whole, (size_t)(at - whole));
    strbuf_string(out, to);
    strbuf_string(out, at + strlen(from));
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    static const char values[] = "its version, step, times or weights cannot be",
                      states[] = "its state or hold is not known";
    static const struct {
        const char *from, *to, *said;
    } cases[] = {
        {"\"format\":1", "\"format\":0", "its format is not 1"},
        {"\"format\":1", "\"format\":1,\"format\":1", "duplicate object key"},
        {"\"state\":\"step\"", "\"state\":\"stepping\"", states},
        {"\"state\":\"step\"", "\"state\":3", states},
        {"\"hold\":\"signal\"", "\"hold\":\"\"", states},
        {"\"left\":\"watch\"", "\"lost\":\"watch\"", states},
        {"\"step\":1,", "\"step\":-1,", values},
        {"\"step\":1,", "\"step\":1000001,", values},
        {"\"version\":\"v2 ", "\"revision\":\"v2 ", values},
        {"\"state_ms\":12345", "\"state_ms\":-12345", values},
        {"\"total_ms\":23456", "\"total_ms\":-1", values},
        {"\"reached\":501", "\"reached\":10001", values},
        {"\"asked\":2502", "\"asked\":-1", values},
        {"\"from_weight\":503", "\"from_weight\":65536", values},
    };
    struct scene from, to;
    struct strbuf text = {0}, edited = {0};
    struct error error;
    write_some(&from, &text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool same;
        replaced(&text, cases[i].from, cases[i].to, &edited);
        begin(&to, yaml);
        struct machine before = to.machine;
        if (rollout_record_read(&to.record, strbuf_as_slice(&edited), &same, &error) ||
            !strstr(error.text, cases[i].said))
            fail_msg("%s: %s", cases[i].to, error.text);
        assert_memory_equal(&before, &to.machine, sizeof before);
        end(&to);
    }
    char longer[sizeof from.machine.version + 32] = "\"version\":\"";
    memset(longer + strlen(longer), 'v', sizeof from.machine.version);
    replaced(&text, "\"version\":\"v2 ", longer, &edited);
    begin(&to, yaml);
    assert_false(rollout_record_read(&to.record, strbuf_as_slice(&edited), &(bool){false}, &error));
    assert_string_equal(error.text, values);
    end(&to);
    strbuf_free(&text);
    strbuf_free(&edited);
    end(&from);
}

// Weights that are not a whole together, or names that are others: it is another rollout.
static void another_rollout_is_noticed(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        bool same;
    } cases[] = {
        {"\"stable\":9500", "\"stable\":9500", true},
        {"\"stable\":9500", "\"stable\":9499", false},
        {"\"stable\":9500", "\"stable\":9500,\"gone\":0", true},
        {"\"stable\":9500", "\"stable\":9000,\"gone\":500", false},
        {"\"stable\":9500,\"canary\":500", "\"stable\":10500,\"canary\":-500", false},
        {"\"stable\":9500,\"canary\":500", "\"stable\":10000", true},
        {"\"strategy\":\"canary\"", "\"strategy\":\"rolling\"", false},
        {"\"baseline\":\"stable\"", "\"baseline\":\"canary\"", false},
        {"\"candidate\":\"canary\"", "\"candidate\":null", false},
    };
    struct scene from, to;
    struct strbuf text = {0}, edited = {0};
    write_some(&from, &text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {{0}};
        bool same = !cases[i].same;
        replaced(&text, cases[i].from, cases[i].to, &edited);
        begin(&to, yaml);
        if (!rollout_record_read(&to.record, strbuf_as_slice(&edited), &same, &error) ||
            same != cases[i].same)
            fail_msg("%s: %s", cases[i].to, error.text);
        end(&to);
    }
    strbuf_free(&text);
    strbuf_free(&edited);
    end(&from);
}

// A guard's evidence goes to the guard that asks the same, and to no other.
static void evidence_goes_to_its_question(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        bool kept;
    } cases[] = {
        {"\"name\":\"error_rate\"", "\"name\":\"error_rate\"", true},
        {"\"name\":\"error_rate\"", "\"name\":\"refusals\"", false},
        {"\"name\":\"error_rate\"", "\"label\":\"error_rate\"", false},
        {"\"role\":\"guard\"", "\"role\":\"signal\"", true}, // what it is used for may change
        {"\"role\":\"guard\"", "\"role\":\"limit\"", false},
        {"\"role\":\"guard\"", "\"role\":2", false},
        {"\"limit\":null", "\"limit\":0.5", false},
        {"\"margin\":1.0", "\"margin\":1.5", false},
        {"\"harmful\"", "\"variant\":\"canary\",\"harmful\"", false},
    };
    struct scene from, to;
    struct strbuf text = {0}, edited = {0};
    write_some(&from, &text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {{0}};
        bool same;
        replaced(&text, cases[i].from, cases[i].to, &edited);
        begin(&to, yaml);
        assert_true(rollout_record_read(&to.record, strbuf_as_slice(&edited), &same, &error));
        const struct guard *guard = &to.trial.guards[0];
        if ((guard->total.baseline > 0) != cases[i].kept || (guard->harm.batches > 0) != cases[i].kept)
            fail_msg("%s: %g requests, %u batches", cases[i].to, guard->total.baseline, guard->harm.batches);
        assert_true(to.trial.guards[1].candidate.count > 0);
        end(&to);
    }
    strbuf_free(&text);
    strbuf_free(&edited);
    end(&from);
}

enum figure {
    SEEN,
    EVENTS,
    RESTARTS,
    PRODUCT,
    LINE,
    TOTAL,
    HISTORY,
    COUNT,
    MEAN,
    DEVIATIONS,
    SHARE,
    FIGURES
};

static void spoil(struct trial *trial, enum figure figure) {
    struct guard *errors = &trial->guards[0], *scores = &trial->guards[1];
    switch (figure) {
    case SEEN:
        errors->harm.seen = -50; // with the guess's 50 it is nothing, to divide by
        errors->harm.events = -0.5;
        break;
    case EVENTS:
        errors->harm.events = errors->harm.seen + 1;
        break;
    case RESTARTS:
        errors->harm.restarts = UINT32_MAX; // the next one is the first
        break;
    case PRODUCT:
        errors->harm.product[0] = -INFINITY; // null
        break;
    case LINE:
        guard_watch(errors, true);
        errors->watch.settings.delta = -3;
        break;
    case TOTAL:
        errors->total.candidate = -1;
        break;
    case HISTORY:
        errors->history = (struct guard_batch){.baseline = -1000, .baseline_events = 5};
        break;
    case COUNT:
        scores->baseline.count = 1e300;
        break;
    case MEAN:
        scores->baseline.mean = -1e300;
        break;
    case DEVIATIONS:
        scores->baseline.deviations = -1;
        break;
    case SHARE:
        trial->share = -0.5;
        break;
    case FIGURES:
        break;
    }
}

static bool left_out(const struct trial *trial, enum figure figure) {
    const struct guard *errors = &trial->guards[0], *scores = &trial->guards[1];
    switch (figure) {
    case LINE:
        return errors->watch.count == 0;
    case TOTAL:
        return errors->total.baseline == 0;
    case HISTORY:
        return errors->history.baseline == 0;
    case COUNT:
    case MEAN:
    case DEVIATIONS:
        return scores->baseline.count == 0;
    case SHARE:
        return trial->share == 0;
    default:
        return errors->harm.batches == 0 && errors->harm.seen == 0;
    }
}

// What no experiment has makes evidence that is no number, and no harm would ever be found.
static void figures_that_cannot_be_are_left_out(void **state) {
    (void)state;
    for (int figure = 0; figure < FIGURES; figure++) {
        struct scene from, to;
        struct strbuf text = {0}, spoilt = {0};
        struct error error;
        struct guard_outcome outcomes[GUARDS_MOST];
        struct judgement judgement;
        write_some(&from, &text);
        spoil(&from.trial, (enum figure)figure);
        rollout_record_write(&from.record, &spoilt);
        begin(&to, yaml);
        assert_true(rollout_record_read(&to.record, strbuf_as_slice(&spoilt), &(bool){false}, &error));
        if (!left_out(&to.trial, (enum figure)figure))
            fail_msg("figure %d was taken", figure);
        assert_true(to.trial.guards[0].fine.batches > 0 && to.trial.guards[1].candidate.count > 0);
        guard_watch(&to.trial.guards[0], to.trial.guards[0].watching); // as every tick does
        for (int i = 0; i < 20; i++)
            guard_feed(&to.trial.guards[0], &(struct guard_batch){95, 1, 5, 4}, false);
        trial_judge(&to.trial, outcomes, &judgement);
        assert_true(isfinite(outcomes[0].log_harm) && isfinite(outcomes[1].log_harm));
        assert_int_equal(outcomes[0].verdict, VERDICT_FAIL);
        strbuf_free(&text);
        strbuf_free(&spoilt);
        end(&from);
        end(&to);
    }
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
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(another_rollout_is_noticed),
        cmocka_unit_test(evidence_goes_to_its_question),
        cmocka_unit_test(figures_that_cannot_be_are_left_out),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests_name("rollout_record", tests, NULL, NULL);
}
