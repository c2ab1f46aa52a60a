#include "membership.h"

#include "base/mem.h"
#include "control.h"
#include "evidence_poller.h"
#include "fleet.h"
#include "fleet_view.h"
#include "rollouts_fleet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct membership {
    const struct control *control;
    struct config *config; // that it began with; with a reference
    struct fleet *fleet;
    struct evidence_poller *evidence; // NULL: it comes by etcd
    char name[160];
};

// ---- what it began with

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_tls(const struct pool_tls_config *a, const struct pool_tls_config *b) {
    return a == b || (a && b && same_text(a->ca, b->ca) && same_text(a->certificate, b->certificate) &&
                      same_text(a->private_key, b->private_key) && a->verify == b->verify);
}

static bool same_fleet(const struct fleet_config *a, const struct fleet_config *b) {
    const struct fleet_etcd_config *x = &a->etcd, *y = &b->etcd;
    bool same = x->endpoints.count == y->endpoints.count && same_text(a->instance, b->instance) &&
                same_text(x->prefix, y->prefix) && x->ttl == y->ttl &&
                same_text(a->prometheus, b->prometheus) && same_text(x->username, y->username) &&
                same_text(x->password, y->password) && same_tls(x->tls, y->tls);
    for (size_t i = 0; same && i < x->endpoints.count; i++)
        same = same_text(x->endpoints.items[i], y->endpoints.items[i]);
    return same;
}

void membership_warn(const struct membership *membership, const struct config *config,
                     struct outcome *outcome) {
    const struct fleet_config *began = membership ? membership->config->fleet : NULL;
    bool same = began == config->fleet || (began && config->fleet && same_fleet(began, config->fleet));
    if (!same)
        outcome_warn(outcome, config->fleet ? config->fleet->place : (struct place){0, 0},
                     "fleet: what is said here takes effect at the next start");
}

// ---- what it says of itself

void membership_describe(struct membership *membership) {
    struct strbuf text = {0};
    struct emit emit = {.out = &text};
    if (!membership)
        return;
    const struct control *control = membership->control;
    emit_text(emit_name(&emit, "version"), control->options->version);
    emit_text(emit_name(&emit, "admin"), control->config->admin.address);
    emit_u64(emit_name(&emit, "pid"), (uint64_t)getpid());
    emit_u64(emit_name(&emit, "started_ms"), control->started_ms);
    emit_u64(emit_name(&emit, "loaded_ms"), control->loaded_ms);
    rollouts_fleet_describe(control->rollouts, emit_name(&emit, "routes"));
    fleet_describe(membership->fleet, strbuf_as_slice(&text));
    strbuf_free(&text);
}

// "web-1:8080": the host and the port of the first listener that has one.
static void name_by_host(const struct config *config, char *name, size_t size) {
    char host[65] = "";
    const char *port = "";
    gethostname(host, sizeof host - 1);
    for (size_t i = 0; i < config->listener_count && !*port; i++)
        if (strncmp(config->listeners[i].address, "unix:", 5) != 0)
            port = strrchr(config->listeners[i].address, ':');
    snprintf(name, size, "%s%s", host, port ? port : "");
}

// ---- what the fleet tells

static struct rollouts *rollouts_of(const struct membership *membership) {
    return membership->control->rollouts;
}

static void on_role(enum fleet_role role, void *context) {
    struct membership *membership = context;
    if (membership->evidence)
        evidence_poller_ask(membership->evidence, role == FLEET_LEADER);
    rollouts_fleet_role(rollouts_of(context), role);
}

static void on_state(struct slice route, struct slice state, int64_t revision, void *context) {
    rollouts_fleet_state(rollouts_of(context), route, state, revision);
}

static void on_ask(struct slice ask, int64_t revision, struct slice text, void *context) {
    rollouts_fleet_ask(rollouts_of(context), ask, revision, text);
}

static void on_evidence(struct slice id, enum fleet_report what, struct slice bytes, void *context) {
    rollouts_fleet_evidence(rollouts_of(context), id, what, bytes);
}

// Prometheus may know of other fleets with that prefix, beside another etcd.
static bool on_exposed(const struct evidence *evidence, void *context) {
    const struct membership *membership = context;
    for (size_t i = 0; i < fleet_member_count(membership->fleet); i++)
        if (strcmp(fleet_member(membership->fleet, i).id, evidence->member) == 0) {
            rollouts_fleet_tally(rollouts_of(membership), evidence);
            return true;
        }
    return false;
}

static void on_members(void *context) {
    (void)context;
}

// ---- life

struct membership *membership_new(const struct control *control) {
    char agent[64];
    if (!control->config->fleet)
        return NULL;
    struct membership *membership = mem_zero(1, sizeof *membership);
    membership->control = control;
    membership->config = config_ref(control->config);
    const struct fleet_config *config = membership->config->fleet;
    if (config->instance)
        snprintf(membership->name, sizeof membership->name, "%s", config->instance);
    else
        name_by_host(membership->config, membership->name, sizeof membership->name);
    snprintf(agent, sizeof agent, "sluice/%s", control->options->version);
    membership->fleet = fleet_new(&(struct fleet_settings){
        .base = control->base,
        .config = config,
        .name = membership->name,
        .user_agent = agent,
        .listener = {on_role, on_state, on_ask, on_evidence, on_members, membership},
    });
    if (config->prometheus)
        membership->evidence =
            evidence_poller_new(&(struct evidence_poller_settings){.base = control->base,
                                                                   .url = config->prometheus,
                                                                   .prefix = config->etcd.prefix,
                                                                   .user_agent = agent,
                                                                   .heard = on_exposed,
                                                                   .context = membership});
    membership_describe(membership);
    return membership;
}

void membership_free(struct membership *membership) {
    if (!membership)
        return;
    evidence_poller_free(membership->evidence);
    fleet_free(membership->fleet);
    config_unref(membership->config);
    mem_free(membership);
}

struct fleet *membership_fleet(const struct membership *membership) {
    return membership ? membership->fleet : NULL;
}

void membership_hurry(struct membership *membership) {
    if (membership)
        fleet_leave(membership->fleet);
}

bool membership_busy(const struct membership *membership) {
    return membership && !fleet_left(membership->fleet);
}

// ---- evidence

bool membership_exposes(const struct membership *membership) {
    return membership && membership->evidence;
}

const char *membership_blind(const struct membership *membership) {
    bool blind = membership_exposes(membership) && evidence_poller_view(membership->evidence).blind;
    return blind ? "what the instances have counted cannot be read from Prometheus" : NULL;
}

static void emit_evidence(const struct membership *membership, struct emit *emit) {
    struct evidence_view view = {.error = ""};
    if (membership->evidence)
        view = evidence_poller_view(membership->evidence);
    emit_object(emit);
    emit_text(emit_name(emit, "source"), membership->evidence ? "prometheus" : "etcd");
    emit_number(emit_name(emit, "age_seconds"), view.asking ? view.age : (double)NAN, 1);
    emit_number(emit_name(emit, "instances"), view.asking ? (double)view.instances : (double)NAN, 0);
    emit_text(emit_name(emit, "error"), *view.error ? view.error : NULL);
    emit_end(emit, '}');
}

static void expose_evidence(const struct membership *membership, struct exposition *out) {
    struct evidence_view view = evidence_poller_view(membership->evidence);
    rollouts_fleet_expose(rollouts_of(membership), membership->config->fleet->etcd.prefix,
                          fleet_id(membership->fleet), out);
    exposition_family(out, FAMILY_FLEET_EVIDENCE_AGE);
    if (view.asking)
        exposition_double(out, FAMILY_FLEET_EVIDENCE_AGE, NULL, 0, view.age);
}

// ---- what it shows

void membership_emit(const struct membership *membership, struct emit *emit) {
    if (!membership) {
        emit_null(emit);
        return;
    }
    emit_object(emit);
    emit_text(emit_name(emit, "prefix"), membership->config->fleet->etcd.prefix);
    emit_text(emit_name(emit, "instance"), membership->name);
    emit_evidence(membership, emit_name(emit, "evidence"));
    fleet_view_emit(membership->fleet, emit);
    emit_end(emit, '}');
}

void membership_metrics(const struct membership *membership, struct exposition *out) {
    if (membership)
        fleet_view_metrics(membership->fleet, out);
    if (membership_exposes(membership))
        expose_evidence(membership, out);
}
