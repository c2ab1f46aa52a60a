#include "rollouts_fleet.h"

#include "base/clock.h"
#include "base/log.h"
#include "membership.h"
#include "rollouts_inside.h"

#include <string.h>

#define REPORT_NS       NS_PER_S
#define GROUPS_FIRST_NS (UINT64_C(4) * NS_PER_S) // of new evidence; then after twice as long, and so on
#define GROUPS_NS       (UINT64_C(60) * NS_PER_S)
#define GROUPS_BYTES    400000 // of one report: an etcd takes no request of more than 1.5 MiB, in base64

struct unclaimed { // a record of a route that has no rollout here
    struct link link;
    char *route;
    struct strbuf record;
    int64_t revision;
};

static struct fleet *fleet_of(const struct rollouts *rollouts) {
    return membership_fleet(rollouts->control->membership);
}

static struct share *share_at(const struct rollouts *rollouts, size_t i) {
    return rollouts->controllers[i] ? rollouts->controllers[i]->share : NULL;
}

static struct share *share_named(const struct rollouts *rollouts, struct slice route) {
    struct controller *controller = rollouts_named(rollouts, route);
    return controller ? controller->share : NULL;
}

// ---- records of routes without a rollout

static void forget(struct unclaimed *unclaimed) {
    list_remove(&unclaimed->link);
    mem_free(unclaimed->route);
    strbuf_free(&unclaimed->record);
    mem_free(unclaimed);
}

static struct unclaimed *find_unclaimed(struct rollouts *rollouts, struct slice route) {
    for (struct link *at = rollouts->unclaimed.next; at != &rollouts->unclaimed; at = at->next) {
        struct unclaimed *unclaimed = list_entry(at, struct unclaimed, link);
        if (slice_equal(slice_of(unclaimed->route), route))
            return unclaimed;
    }
    return NULL;
}

static void keep_unclaimed(struct rollouts *rollouts, struct slice route, struct slice record,
                           int64_t revision) {
    struct unclaimed *unclaimed = find_unclaimed(rollouts, route);
    if (unclaimed)
        forget(unclaimed);
    if (!record.len)
        return;
    unclaimed = mem_zero(1, sizeof *unclaimed);
    unclaimed->route = mem_zero(route.len + 1, 1);
    memcpy(unclaimed->route, route.at, route.len);
    strbuf_slice(&unclaimed->record, record);
    unclaimed->revision = revision;
    list_push(&rollouts->unclaimed, &unclaimed->link);
}

void rollouts_forget_unclaimed(struct rollouts *rollouts) {
    while (!list_empty(&rollouts->unclaimed))
        forget(list_entry(rollouts->unclaimed.next, struct unclaimed, link));
}

void rollouts_claim(struct rollouts *rollouts, struct controller *controller, struct controller *before) {
    struct fleet *fleet = fleet_of(rollouts);
    struct unclaimed *unclaimed = find_unclaimed(rollouts, slice_of(controller->name));
    if (before) {
        share_take(controller->share, before->share);
        return;
    }
    if (fleet)
        share_role(controller->share, fleet_role(fleet));
    if (unclaimed) {
        share_state(controller->share, strbuf_as_slice(&unclaimed->record), unclaimed->revision);
        forget(unclaimed);
    }
}

// The route has no rollout any more; or its share was taken over, and nothing is left of it.
void rollouts_unclaim(struct rollouts *rollouts, struct controller *gone) {
    struct strbuf record = {0};
    int64_t revision;
    share_end(gone->share, "the route has no rollout any more");
    if (share_give(gone->share, &record, &revision))
        keep_unclaimed(rollouts, slice_of(gone->name), strbuf_as_slice(&record), revision);
    strbuf_free(&record);
}

// ---- what the fleet tells

void rollouts_fleet_role(struct rollouts *rollouts, enum fleet_role role) {
    if (role == FLEET_APART) // everything comes again
        rollouts_forget_unclaimed(rollouts);
    for (size_t i = 0; i < rollouts->count; i++)
        if (share_at(rollouts, i))
            share_role(share_at(rollouts, i), role);
}

void rollouts_fleet_state(struct rollouts *rollouts, struct slice route, struct slice state,
                          int64_t revision) {
    struct share *share = share_named(rollouts, route);
    if (share)
        share_state(share, state, revision);
    else
        keep_unclaimed(rollouts, route, state, revision);
}

void rollouts_fleet_ask(struct rollouts *rollouts, struct slice ask, int64_t revision, struct slice text) {
    json_t *root = json_loadb(text.at, text.len, 0, NULL);
    const char *route = json_string_value(json_object_get(root, "route"));
    struct share *share = route ? share_named(rollouts, slice_of(route)) : NULL;
    if (rollouts->frozen) {
        json_decref(root);
        return; // who leads next carries it out
    }
    if (share)
        share_ask(share, ask, revision, root);
    else
        fleet_answer(fleet_of(rollouts), ask, revision,
                     SLICE("{\"refused\":\"the fleet's leader has no such rollout in its file\"}"));
    json_decref(root);
}

void rollouts_fleet_evidence(struct rollouts *rollouts, struct slice id, enum fleet_report what,
                             struct slice bytes) {
    json_t *root = bytes.len ? json_loadb(bytes.at, bytes.len, 0, NULL) : NULL;
    const char *route;
    json_t *reported;
    if (bytes.len && !json_is_object(root))
        log_debug("an instance's figures are not taken", "instance=%.*s", (int)id.len, id.at);
    json_object_foreach(root, route, reported) {
        struct share *share = share_named(rollouts, slice_of(route));
        if (share && !rollouts->frozen)
            share_hear(share, id, what, reported);
    }
    json_decref(root);
}

void rollouts_fleet_tally(struct rollouts *rollouts, const struct evidence *evidence) {
    struct share *share = share_named(rollouts, slice_of(evidence->route));
    if (share && !rollouts->frozen)
        share_hear_tally(share, slice_of(evidence->member), &evidence->tally, evidence->shares,
                         evidence->log_e);
}

// ---- what the fleet is told

void rollouts_fleet_expose(const struct rollouts *rollouts, const char *fleet, const char *member,
                           struct exposition *out) {
    static const enum family families[] = {FAMILY_FLEET_EVIDENCE, FAMILY_FLEET_EVIDENCE_RATIO};
    for (size_t k = 0; k < 2; k++) {
        exposition_family(out, families[k]);
        for (size_t i = 0; i < rollouts->count && !rollouts->frozen; i++)
            if (share_at(rollouts, i))
                share_expose(share_at(rollouts, i), fleet, member, out, families[k]);
    }
}

void rollouts_fleet_describe(const struct rollouts *rollouts, struct emit *emit) {
    emit_object(emit);
    for (size_t i = 0; i < rollouts->count; i++) {
        const struct controller *controller = rollouts->controllers[i];
        char text[17];
        if (!controller)
            continue;
        snprintf(text, sizeof text, "%016llx", (unsigned long long)controller->config->fingerprint);
        emit_object(emit_name(emit, controller->name));
        emit_text(emit_name(emit, "rollout"), text);
        emit_end(emit, '}');
    }
    emit_end(emit, '}');
}

static void report_tallies(struct rollouts *rollouts, struct fleet *fleet) {
    struct strbuf text = {0};
    struct emit emit = {.out = &text};
    emit_object(&emit);
    for (size_t i = 0; i < rollouts->count; i++)
        if (share_at(rollouts, i))
            share_report(share_at(rollouts, i), FLEET_TALLY, &emit);
    emit_end(&emit, '}');
    if (text.len > 2)
        fleet_report(fleet, FLEET_TALLY, strbuf_as_slice(&text));
    strbuf_free(&text);
}

// Of so many routes that they do not fit into one report, each has its turn: the leader keeps what it heard.
static void report_groups(struct rollouts *rollouts, struct fleet *fleet) {
    struct strbuf text = {0};
    struct emit emit = {.out = &text};
    size_t from = rollouts->grouped_from, i = 0;
    emit_object(&emit);
    for (; i < rollouts->count && text.len < GROUPS_BYTES; i++) {
        struct share *share = share_at(rollouts, (from + i) % rollouts->count);
        if (share)
            share_report(share, FLEET_GROUPS, &emit);
    }
    emit_end(&emit, '}');
    rollouts->grouped_from = rollouts->count ? (from + i) % rollouts->count : 0;
    if (text.len > 2)
        fleet_report(fleet, FLEET_GROUPS, strbuf_as_slice(&text));
    strbuf_free(&text);
}

void rollouts_count_anew(struct rollouts *rollouts) {
    rollouts->group_every_ns = GROUPS_FIRST_NS;
}

static bool agrees_here(const struct rollouts *rollouts) {
    for (size_t i = 0; i < rollouts->count; i++) {
        const struct share *share = share_at(rollouts, i);
        if (share && share_known(share) && !share_agrees(share))
            return false;
    }
    return true;
}

static bool member_agrees(const struct rollouts *rollouts, const struct fleet_member *member) {
    for (size_t i = 0; i < rollouts->count; i++)
        if (share_at(rollouts, i) && !share_member_agrees(share_at(rollouts, i), member))
            return false;
    return true;
}

// Who leads judges by its own file: one whose file is another than the records' leaves that to one whose file
// is not, if there is any.
static bool stands(const struct rollouts *rollouts, const struct fleet *fleet) {
    if (agrees_here(rollouts))
        return true;
    for (size_t i = 0; i < fleet_member_count(fleet); i++) {
        struct fleet_member member = fleet_member(fleet, i);
        if (!member.self && member_agrees(rollouts, &member))
            return false;
    }
    return true;
}

void rollouts_share_tick(struct rollouts *rollouts, uint64_t now_ns) {
    struct fleet *fleet = fleet_of(rollouts);
    if (!fleet)
        return;
    fleet_stand(fleet, stands(rollouts, fleet));
    if (now_ns - rollouts->reported_ns >= REPORT_NS) {
        rollouts->reported_ns = now_ns;
        if (!membership_exposes(rollouts->control->membership)) // else Prometheus has it
            report_tallies(rollouts, fleet);
    }
    if (now_ns - rollouts->grouped_ns >= rollouts->group_every_ns) {
        uint64_t twice = 2 * rollouts->group_every_ns;
        rollouts->grouped_ns = now_ns;
        rollouts->group_every_ns = twice < GROUPS_NS ? twice : GROUPS_NS;
        report_groups(rollouts, fleet);
    }
}

void rollouts_end_shares(struct rollouts *rollouts, const char *why) {
    for (size_t i = 0; i < rollouts->count; i++)
        if (share_at(rollouts, i))
            share_end(share_at(rollouts, i), why);
}
