// What this instance counts: read from its own workers as it would be alone, and added up for the fleet.
#include "base/base64.h"
#include "base/clock.h"
#include "control/emit.h"
#include "evidence_series.h"
#include "share_inside.h"

#include <string.h>

#define LOOK_NS NS_PER_S

void share_count_anew(struct share *share) {
    struct controller *controller = share->controller;
    uint64_t next = experiment_tick(clock_monotonic_ns()) + 1;
    trial_reset(&share->own, next);
    if (share->own_contest)
        contest_reset(share->own_contest, next);
    experiment_reset_groups(controller->experiment);
    experiment_forget_units(controller->experiment);
    tally_reset(&share->tally, share->record.epoch);
    tally_groups_reset(share->groups, share->record.epoch);
    rollouts_count_anew(controller->control->rollouts);
}

void share_count(struct share *share, uint64_t now_ns, int64_t elapsed_ms) {
    static struct tally more; // large; one thread
    struct controller *controller = share->controller;
    struct trial_source source = controller_source(controller);
    controller_watch(controller, &share->own);
    if (now_ns - share->looked_ns >= LOOK_NS) {
        share->looked_ns = now_ns;
        controller_look(controller, &share->own, share->own_contest);
    }
    tally_reset(&more, share->tally.epoch);
    trial_collect(&share->own, experiment_tick(now_ns), &source, &more);
    trial_take(&share->own, &more, elapsed_ms); // for the limits, while etcd is away
    if (share->own_contest)
        contest_collect(share->own_contest, experiment_tick(now_ns), &source, &more);
    tally_add(&share->tally, &more);
}

bool share_score(struct share *share, const char *metric, size_t variant, double score, uint64_t unit_hash) {
    struct controller *controller = share->controller;
    struct contest *contest = share->own_contest;
    bool goal = contest && contest->settings.goal.kind == GUARD_SCORE &&
                strcmp(contest->settings.goal.name, metric) == 0;
    if (goal)
        contest_collect_score(contest, variant, score, unit_hash, &share->tally, share->groups);
    size_t arm = variant == controller->plan.baseline ? share->own.settings.baseline : variant;
    return trial_collect_score(&share->own, metric, arm, score, unit_hash, &share->tally, share->groups) ||
           goal;
}

// ---- what it reports

static void emit_bytes(struct emit *emit, const char *name, struct strbuf *bytes) {
    struct strbuf text = {0};
    base64_write(strbuf_as_slice(bytes), &text);
    emit_slice(emit_name(emit, name), strbuf_as_slice(&text));
    strbuf_free(&text);
    strbuf_free(bytes);
}

static void emit_tally(const struct share *share, struct emit *emit) {
    struct strbuf bytes = {0};
    tally_write(&share->tally, &bytes);
    emit_u64(emit_name(emit, "shares"), share->record.shares);
    emit_number(emit_name(emit, "sample_ratio"), share->own.log_ratio, 6);
    emit_bytes(emit, "tally", &bytes);
}

static void emit_groups(const struct share *share, struct emit *emit) {
    struct strbuf bytes = {0};
    for (size_t arm = 0; arm < share->own.settings.arms; arm++)
        experiment_groups(share->controller->experiment, arm, share->groups->arms[arm]);
    tally_groups_write(share->groups, &bytes);
    emit_bytes(emit, "groups", &bytes);
}

bool share_counts(const struct share *share) {
    return share_agrees(share) && rollout_state_judged(share->controller->machine.state);
}

void share_expose(const struct share *share, const char *fleet, const char *member, struct exposition *out,
                  enum family family) {
    char epoch[12], shares[12];
    struct label labels[5] = {{"fleet", fleet},
                              {"member", member},
                              {"route", share->controller->name},
                              {"epoch", epoch},
                              {"shares", shares}};
    if (!share_counts(share))
        return;
    snprintf(epoch, sizeof epoch, "%u", (unsigned)share->record.epoch);
    snprintf(shares, sizeof shares, "%u", (unsigned)share->record.shares);
    if (family == FAMILY_FLEET_EVIDENCE)
        evidence_series_write(&share->tally, labels, 4, out);
    else
        exposition_double(out, family, labels, 5, share->own.log_ratio);
}

void share_report(const struct share *share, enum fleet_report what, struct emit *emit) {
    if (!share_counts(share))
        return;
    emit_object(emit_name(emit, share->controller->name));
    emit_u64(emit_name(emit, "epoch"), share->record.epoch);
    if (what == FLEET_TALLY)
        emit_tally(share, emit);
    else
        emit_groups(share, emit);
    emit_end(emit, '}');
}
