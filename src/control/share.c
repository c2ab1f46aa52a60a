#include "base/clock.h"
#include "base/log.h"
#include "control/emit.h"
#include "membership.h"
#include "share_inside.h"

#include <string.h>

// ---- what a controller has of it

struct fleet *share_fleet(const struct share *share) {
    return membership_fleet(share->controller->control->membership);
}

uint64_t share_fingerprint(const struct share *share) {
    return share->controller->config->fingerprint;
}

const char *share_version(const struct share *share) {
    const struct controller *controller = share->controller;
    const char *version = controller->config->variants[controller->plan.candidate].version;
    return version ? version : "";
}

bool share_leads(const struct share *share) {
    return share->role == FLEET_LEADER && share->ready;
}

bool share_known(const struct share *share) {
    return share->revision != 0;
}

bool share_agrees(const struct share *share) {
    return share->revision && !share->unreadable && share->record.spec == share_fingerprint(share);
}

struct slice share_text(const struct share *share) {
    return strbuf_as_slice(&share->record.text);
}

struct share *share_new(struct controller *controller) {
    struct share *share = mem_zero(1, sizeof *share);
    share->controller = controller;
    share->own = controller->trial; // nothing is measured yet in either
    if (controller->contest) {
        share->own_contest = mem_zero(1, sizeof *share->own_contest);
        *share->own_contest = *controller->contest;
    }
    share->groups = mem_zero(1, sizeof *share->groups);
    share->ledger = ledger_new(0);
    list_init(&share->events);
    list_init(&share->forwarded);
    return share;
}

// Who waits for the leader's answer elsewhere is told nothing any more.
static void drop_forwarded(struct share *share) {
    struct link *link;
    while ((link = list_pop(&share->forwarded))) {
        struct forwarded *forwarded = list_entry(link, struct forwarded, link);
        fleet_ask_cancel(forwarded->ask);
        mem_free(forwarded);
    }
}

void share_end(struct share *share, const char *why) {
    struct error error;
    struct link *link;
    share_refuse_events(share, why);
    share_drop(share, why);
    error_set(&error, "%s", why);
    while ((link = list_pop(&share->forwarded))) {
        struct forwarded *forwarded = list_entry(link, struct forwarded, link);
        fleet_ask_cancel(forwarded->ask);
        forwarded->reply.done(&error, forwarded->reply.context);
        mem_free(forwarded);
    }
}

void share_free(struct share *share) {
    struct link *link;
    if (!share)
        return;
    drop_forwarded(share);
    while ((link = list_pop(&share->events)))
        share_event_free(list_entry(link, struct share_event, link));
    if (share->proposal) {
        share_event_free(share->proposal->event);
        share->proposal->event = NULL;
        share_drop(share, "");
    }
    share_forget_reading(share);
    share_forget_past(share);
    share_forget_heard(share);
    share_record_free(&share->record);
    strbuf_free(&share->missed);
    ledger_free(share->ledger);
    mem_free(share->groups);
    mem_free(share->own_contest);
    mem_free(share);
}

// ---- a configuration comes

static void to_baseline(const struct controller *controller, uint16_t *weights) {
    memset(weights, 0, SPLIT_ARMS * sizeof *weights);
    weights[controller->plan.baseline] = SHARE_WHOLE;
}

void share_weights(const struct share *share, uint16_t *weights) {
    if (share->exposed && !share->controller->alone)
        memcpy(weights, share->weights, sizeof share->weights);
    else
        to_baseline(share->controller, weights);
}

// The controller's machine is what the record has. Where the file here differs it is only shown, and must fit
// the plan.
static void follow_machine(struct share *share, const char *version, bool same) {
    struct controller *controller = share->controller;
    struct rollout_outcome ignored;
    share->exposed = same && strcmp(version, share_version(share)) == 0;
    memcpy(share->weights, controller->machine.weights, sizeof share->weights);
    if (!share_agrees(share))
        machine_adopt(&controller->machine, &controller->plan, share_version(share), same, &ignored);
}

void share_found(struct share *share, const struct share *before, bool same) {
    struct controller *controller = share->controller;
    if (before && before->revision) {
        controller->alone = before->controller->alone;
        share->revision = before->revision; // lent until share_take, for share_agrees
        share->record.spec = before->record.spec;
        follow_machine(share, before->record.version, same);
        share->revision = 0;
        return;
    }
    controller->alone = same && controller->alone;
    share_find_listed(share);
    follow_machine(share, controller->machine.version, same);
}

static void move_list(struct link *to, struct link *from) {
    struct link *link;
    while ((link = list_pop(from)))
        list_push(to, link);
}

// What this instance counts goes on where the questions are the same; else another epoch will begin.
static void take_counts(struct share *share, struct share *before) {
    const struct trial_settings settings = share->own.settings;
    if (share_fingerprint(share) != share_fingerprint(before))
        return;
    share->own = before->own;
    trial_adopt(&share->own, &settings, experiment_tick(clock_monotonic_ns()));
    if (share->own_contest && before->own_contest) {
        struct contest_settings goal = share->own_contest->settings;
        *share->own_contest = *before->own_contest;
        share->own_contest->settings = goal;
        trial_take_goal(&share->own, &goal.goal);
    }
    share->tally = before->tally;
    struct tally_groups *groups = share->groups;
    share->groups = before->groups;
    before->groups = groups;
}

void share_take(struct share *share, struct share *before) {
    take_counts(share, before);
    share_record_free(&share->record);
    share->record = before->record;
    before->record = (struct share_record){0};
    share->revision = before->revision;
    before->revision = 0;
    share->unreadable = before->unreadable;
    share->missed = before->missed;
    before->missed = (struct strbuf){0};
    share->missed_revision = before->missed_revision;
    memcpy(share->alone_because, before->alone_because, sizeof share->alone_because);
    share->listed = before->listed;
    if (before->past) { // what is being read is read again
        share_forget_past(before);
        share_list_decision(share);
    }
    share->role = before->role;
    share->saved_ns = before->saved_ns;
    share->nonce = before->nonce;
    move_list(&share->events, &before->events);
    move_list(&share->forwarded, &before->forwarded);
    for (struct link *at = share->forwarded.next; at != &share->forwarded; at = at->next)
        list_entry(at, struct forwarded, link)->share = share;
    share->proposal = before->proposal;
    before->proposal = NULL;
    if (share->proposal)
        share->proposal->share = share;
    share_stop_leading(before);
    if (share->role == FLEET_LEADER)
        share_begin_to_lead(share); // the ledger that belongs to the record
}

bool share_give(const struct share *share, struct strbuf *record, int64_t *revision) {
    if (!share->revision || !share->record.version)
        return false;
    share_record_write(&share->record, record);
    *revision = share->revision;
    return true;
}

// ---- the record that comes

static bool fits_plan(const struct controller *controller) {
    const struct machine *machine = &controller->machine;
    return machine->step < controller->plan.step_count || controller->plan.step_count == 0;
}

// Into the controller; what it had is lost where that fails.
static bool read_into_controller(struct share *share, bool *same) {
    struct error error;
    bool alone = share->controller->alone; // of this instance, not of the fleet
    bool read = controller_restore(share->controller, share_text(share), same, &error);
    share->controller->alone = alone;
    if (read && *same && share_agrees(share) && !fits_plan(share->controller))
        read = error_set(&error, "its step is not in the plan");
    if (!read)
        log_error("the fleet's record cannot be used, the last weights stay", "route=%s error=\"%s\"",
                  share->controller->name, error.text);
    share->unreadable = !read;
    return read;
}

void share_reread(struct share *share) {
    bool same;
    if (share->revision && read_into_controller(share, &same))
        follow_machine(share, share->record.version, same);
}

// What happened elsewhere is told here too; who was asked and notified was it there.
static void tell_decision(struct share *share, uint64_t number_before, const struct machine *before) {
    struct controller *controller = share->controller;
    if (!controller->decision.len || controller->decision_number == number_before)
        return;
    controller->state_before = before->state;
    log_info("rollout, as the fleet has it", "route=%s state=%s weight=%g because=\"%s\"", controller->name,
             rollout_state_name(controller->machine.state),
             share->weights[controller->plan.candidate] / 100.0, strbuf_text(&controller->because));
    share_list_decision(share);
    if (controller->decided)
        controller->decided(controller, controller->decided_context);
}

static bool came_back(const struct share *share, const struct share_record *record) {
    struct fleet *fleet = share_fleet(share);
    return share->proposal && fleet && record->nonce == share->proposal->nonce &&
           strcmp(record->by, fleet_id(fleet)) == 0;
}

static void apply(struct share *share, bool own, bool fresh) {
    struct controller *controller = share->controller;
    struct machine before = controller->machine;
    uint64_t number = controller->decision_number;
    bool same = true;
    if (own) {
        share_carried(share);
        follow_machine(share, share->record.version, true);
    } else {
        if (!read_into_controller(share, &same))
            return;
        follow_machine(share, share->record.version, same);
    }
    if (fresh)
        share_count_anew(share);
    controller_set_weights(controller); // users first: what is told waits for the disk
    if (!own)
        tell_decision(share, number, &before);
    trial_judge(&controller->trial, controller->outcomes, &controller->judgement);
    controller_save(controller);
    if (own)
        share_tell_carried(share);
}

static void keep_missed(struct share *share, struct slice text, int64_t revision) {
    strbuf_clear(&share->missed);
    strbuf_slice(&share->missed, text);
    share->missed_revision = revision;
}

void share_state(struct share *share, struct slice text, int64_t revision) {
    struct share_record record;
    struct error error;
    if (rollouts_are_frozen(share->controller->control->rollouts)) {
        keep_missed(share, text, revision);
        return;
    }
    share->missed_revision = 0;
    bool read = text.len && share_record_read(&record, text, &error);
    if (!read) {
        if (text.len)
            log_error("the fleet's record cannot be used, the last weights stay", "route=%s error=\"%s\"",
                      share->controller->name, error.text);
        share->revision = text.len ? revision : 0;
        share->unreadable = text.len > 0;
        share_drop(share, "the fleet's record is another one");
        return;
    }
    bool own = came_back(share, &record);
    bool fresh = !share->revision || record.epoch != share->record.epoch;
    if (!own) {
        share_keep_back(share);
        share_drop(share, "another instance leads the fleet now");
    }
    share_record_free(&share->record);
    share->record = record;
    share->revision = revision;
    share->unreadable = false;
    apply(share, own, fresh);
    if (!own && share->role == FLEET_LEADER)
        share_begin_to_lead(share);
}

// ---- time

void share_tick(struct share *share, uint64_t now_ns, int64_t elapsed_ms) {
    struct controller *controller = share->controller;
    if (share->missed_revision)
        share_state(share, strbuf_as_slice(&share->missed), share->missed_revision);
    share_count(share, now_ns, elapsed_ms);
    if (share->role == FLEET_APART)
        share_watch_limits(share);
    if (share->role == FLEET_LEADER && !share->ready && !share->reading)
        share_begin_to_lead(share); // it could not be read, or was ahead of the watch
    if (share->role != FLEET_APART && share->revision)
        share_list_decision(share); // after a crash, or when older ones could not be read
    share->since_ms += elapsed_ms;
    if (share_leads(share))
        share_lead(share, now_ns);
    share_reconcile(share, now_ns);
    if (controller->journal_failing && now_ns - controller->saved_ns >= NS_PER_S)
        controller_save(controller);
}

void share_role(struct share *share, enum fleet_role role) {
    bool led = share->role == FLEET_LEADER;
    share->role = role;
    if (role == FLEET_APART && share->proposal) {
        share->proposal->unsure = true;
        share_keep_back(share);
    }
    share->alone_asked = 0;
    if (led && role != FLEET_LEADER)
        share_stop_leading(share);
    if (!led && role == FLEET_LEADER)
        share_begin_to_lead(share);
}

// ---- who agrees

static uint64_t said_fingerprint(const struct share *share, const struct fleet_member *member) {
    json_t *routes = json_object_get(member->said, "routes");
    json_t *route = json_object_get(routes, share->controller->name);
    const char *text = json_string_value(json_object_get(route, "rollout"));
    return text ? strtoull(text, NULL, 16) : 0;
}

bool share_member_agrees(const struct share *share, const struct fleet_member *member) {
    return !share->revision || said_fingerprint(share, member) == share->record.spec;
}

const char *share_differs(const struct share *share) {
    static char sentence[200];
    const struct fleet *fleet = share_fleet(share);
    for (size_t i = 0; fleet && i < fleet_member_count(fleet); i++) {
        struct fleet_member member = fleet_member(fleet, i);
        uint64_t said = said_fingerprint(share, &member);
        if (said == share_fingerprint(share))
            continue;
        snprintf(sentence, sizeof sentence, "%s in the file of instance %s",
                 said ? "this rollout is another one" : "there is no such rollout", member.name);
        return sentence;
    }
    return NULL;
}

void share_emit(const struct share *share, struct emit *emit) {
    const char *differs = share_differs(share);
    bool here = share_agrees(share) || !share->revision;
    emit_object(emit);
    emit_bool(emit_name(emit, "known"), share_known(share));
    emit_bool(emit_name(emit, "agrees"), here);
    emit_bool(emit_name(emit, "exposed"), share->exposed && !share->controller->alone);
    emit_bool(emit_name(emit, "alone"), share->controller->alone);
    emit_text(emit_name(emit, "differs"), differs);
    emit_u64(emit_name(emit, "epoch"), share->record.epoch);
    emit_end(emit, '}');
}
