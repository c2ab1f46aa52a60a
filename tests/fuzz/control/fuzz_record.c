// record: what the journal keeps of a rollout, read back. Whatever the text: refused with a sentence, or a
// machine that can be; what was read is written so that reading it gives the same again; and the evidence,
// with some more that is counted, is a number.
#include "../../../src/control/rollout_record.h"
#include "../fuzz.h"

#include <math.h>

static const char yaml[] =
    "listeners: [{address: '127.0.0.1:0'}]\n"
    "pools: {blue: {endpoints: [http://127.0.0.1:9000]}}\n"
    "routes:\n"
    "  - name: chat\n"
    "    variants: {stable: {pool: blue, weight: 95}, canary: {pool: blue, weight: 5, version: v2}}\n"
    "    rollout: {strategy: canary, steps: [{weight: 5}, {weight: 100}], guards: {error_rate: {margin: 1}, "
    "quality: {}}}\n";

static const struct route_config *route(void) {
    static struct config *config;
    struct diagnostics diagnostics;
    if (!config)
        config = config_parse("/nowhere/fuzz.yaml", slice_of(yaml), &diagnostics);
    must(config);
    return &config->routes[0];
}

struct scene {
    struct machine machine;
    struct trial trial;
    struct contest contest;
    struct rollout_record record;
};

static void begin(struct scene *scene, bool contest) {
    struct rollout_plan plan;
    memset(scene, 0, sizeof *scene);
    rollout_plan_read(&plan, route(), NULL);
    machine_init(&scene->machine, &plan);
    trial_init(&scene->trial, &(struct trial_settings){.config = route()->rollout, .candidate = 1, .arms = 2},
               1000);
    scene->record =
        (struct rollout_record){.route = route(), .machine = &scene->machine, .trial = &scene->trial};
    if (contest) {
        struct contest_settings settings = {.alpha = 0.05, .arms = {0, 1}, .count = 2, .horizon = 4};
        guard_read_metric("error_rate", &settings.goal);
        contest_init(&scene->contest, &settings, 1000);
        scene->record.contest = &scene->contest;
    }
}

static void end(struct scene *scene) {
    strbuf_free(&scene->record.decision);
    strbuf_free(&scene->record.because);
}

static void check_machine(const struct machine *machine) {
    unsigned sum = 0;
    must((unsigned)machine->state < ROLLOUT_STATES && (unsigned)machine->left < ROLLOUT_STATES);
    must((unsigned)machine->hold < ROLLOUT_HOLDS && machine->step <= 1000000);
    must(machine->state_ms >= 0 && machine->total_ms >= 0 && machine->winner < 2);
    must(machine->reached <= SHARE_WHOLE && machine->asked <= SHARE_WHOLE &&
         machine->from_weight <= SHARE_WHOLE);
    for (size_t i = 0; i < SPLIT_ARMS; i++)
        sum += machine->weights[i];
    must(sum <= 2 * SHARE_WHOLE);
}

// All but the time at which it was written.
static struct slice without_time(const struct strbuf *text) {
    const char *machine = memmem(text->at, text->len, "\"machine\"", 9);
    must(machine);
    return slice_from(strbuf_as_slice(text), (size_t)(machine - text->at));
}

static void check_written(const struct scene *from, bool same_before, bool contest) {
    static struct scene to;
    struct strbuf text = {0}, again = {0};
    struct error error;
    bool same = false;
    rollout_record_write(&from->record, &text);
    begin(&to, contest);
    must(rollout_record_read(&to.record, strbuf_as_slice(&text), &same, &error));
    must(same || !same_before);
    check_machine(&to.machine);
    rollout_record_write(&to.record, &again);
    must(slice_equal(without_time(&text), without_time(&again)));
    end(&to);
    strbuf_free(&text);
    strbuf_free(&again);
}

static void check_evidence(struct scene *scene) {
    struct guard_outcome outcomes[GUARDS_MOST];
    struct judgement judgement;
    struct tally more;
    tally_reset(&more, 0);
    more.guards[0].all = more.guards[0].soon = (struct guard_batch){95, 1, 5, 1};
    more.guards[1].baseline = more.guards[1].candidate = (struct experiment_sum){3, 1.5, 1};
    more.arms[0] = more.arms[1] = (struct tally_arm){.requests = 100, .events = 2};
    for (int i = 0; i < 12; i++) // also when a process begins afresh
        must(trial_take(&scene->trial, &more, 1000));
    trial_judge(&scene->trial, outcomes, &judgement);
    for (unsigned i = 0; i < scene->trial.guard_count; i++)
        must(isfinite(outcomes[i].log_harm) && isfinite(outcomes[i].log_fine) &&
             isfinite(outcomes[i].log_step));
    for (unsigned i = 0; i < 2 && scene->record.contest; i++) {
        struct contest_view view;
        must(contest_take(&scene->contest, &more));
        contest_compare(&scene->contest, i, 1 - i, &view);
        must(isfinite(view.log_e));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct scene scene;
    struct slice text = slice_make((const char *)data, size);
    struct error error = {""};
    bool same = false, contest = memmem(data, size, "\"contest\"", 9) != NULL;
    begin(&scene, contest);
    if (rollout_record_read(&scene.record, text, &same, &error)) {
        check_machine(&scene.machine);
        check_written(&scene, same, contest);
        check_evidence(&scene);
    } else {
        must(error.text[0]);
    }
    end(&scene);
    return 0;
}
