#include "fleet_inside.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS     100
#define AGAIN_MS    500 // after a failure; and up to as much more
#define KEEPS_A_TTL 3
#define LOOK_EVERY  6 // keep-alives: etcd reads all that is shared for it

const char *fleet_role_name(enum fleet_role role) {
    static const char *const names[FLEET_ROLES] = {"apart", "member", "leader"};
    must((unsigned)role < FLEET_ROLES);
    return names[role];
}

struct slice fleet_key(const struct fleet *fleet, struct strbuf *out, const char *folder, struct slice name) {
    strbuf_string(out, fleet->settings.config->etcd.prefix);
    strbuf_string(out, folder);
    strbuf_slice(out, name);
    return strbuf_as_slice(out);
}

// ---- roles

bool fleet_leads(const struct fleet *fleet) {
    return fleet->phase == FLEET_IN && fleet->leader_since && strcmp(fleet->leader_id, fleet->id) == 0;
}

enum fleet_role fleet_role(const struct fleet *fleet) {
    return fleet->phase != FLEET_IN ? FLEET_APART : fleet_leads(fleet) ? FLEET_LEADER : FLEET_MEMBER;
}

void fleet_tell_role(struct fleet *fleet) {
    enum fleet_role role = fleet_role(fleet);
    if (role == fleet->told)
        return;
    fleet->figures.leaderships += role == FLEET_LEADER;
    log_info("fleet: role changed", "role=%s instance=%s leader=%s", fleet_role_name(role),
             fleet->settings.name, fleet->leader_name ? fleet->leader_name : "");
    fleet->told = role;
    if (role == FLEET_APART)
        fleet->apart_ns = clock_monotonic_ns();
    fleet->settings.listener.role(role, fleet->settings.listener.context);
}

// ---- the lease

void fleet_cancel(struct etcd_call **call) {
    if (*call)
        etcd_cancel(*call);
    *call = NULL;
}

void fleet_cancel_pages(struct etcd_pages **pages) {
    if (*pages)
        etcd_pages_cancel(*pages);
    *pages = NULL;
}

// Nothing of what was known holds any more.
static void leave_all(struct fleet *fleet) {
    fleet_cancel(&fleet->call);
    fleet_cancel(&fleet->keeping);
    fleet_cancel(&fleet->looking);
    fleet_shared_close(fleet);
    fleet_writes_close(fleet);
    fleet_reads_close(fleet);
    fleet->lease = 0;
    fleet->leader_since = 0;
}

void fleet_begin_anew(struct fleet *fleet, const char *why) {
    uint64_t now = clock_monotonic_ns();
    if (!fleet->complained) // each endpoint has words of its own, and is asked again and again
        log_warn("fleet: apart, the last weights stay", "instance=%s error=\"%s\"", fleet->settings.name,
                 why);
    fleet->complained = true;
    fleet->figures.rejoined += fleet->phase == FLEET_IN;
    snprintf(fleet->error, sizeof fleet->error, "%s", why);
    fleet->phase = FLEET_GRANT;
    leave_all(fleet);
    fleet->again_ns = now + (AGAIN_MS + random_below(&fleet->random, AGAIN_MS)) * NS_PER_MS;
    fleet_tell_role(fleet);
}

static void granted(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    fleet->call = NULL;
    if (answer->error) {
        fleet_begin_anew(fleet, answer->error);
        return;
    }
    fleet->lease = answer->lease;
    fleet->until_ns = fleet->asked_ns + (uint64_t)answer->ttl_s * NS_PER_S;
    fleet->kept_ns = fleet->asked_ns;
    fleet->phase = FLEET_SNAPSHOT;
    fleet_shared_open(fleet);
}

static void kept(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    fleet->keeping = NULL;
    if (answer->error)
        return; // it is asked again until the lease has run out
    if (answer->ttl_s <= 0) {
        fleet_begin_anew(fleet, "the lease has run out");
        return;
    }
    fleet->until_ns = fleet->kept_ns + (uint64_t)answer->ttl_s * NS_PER_S;
    // The more members, the more keys are read for each look: together they stay as many as there are
    // members.
    size_t often = LOOK_EVERY + fleet->member_count / 10;
    if (answer->revision > fleet->applied && fleet->looks++ % often == 0)
        fleet_look(fleet);
}

static void keep(struct fleet *fleet, uint64_t now) {
    uint64_t every = (uint64_t)fleet->settings.config->etcd.ttl * NS_PER_MS / KEEPS_A_TTL;
    if (now >= fleet->until_ns) {
        fleet_begin_anew(fleet, "etcd did not answer before the lease ran out");
        return;
    }
    if (fleet->keeping || now - fleet->kept_ns < every)
        return;
    fleet->kept_ns = now;
    fleet->keeping = etcd_keep_alive(fleet->etcd, fleet->lease, kept, fleet);
}

static void on_tick(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct fleet *fleet = context;
    uint64_t now = clock_monotonic_ns();
    if (fleet->phase == FLEET_GRANT && !fleet->call && now >= fleet->again_ns) {
        fleet->asked_ns = now;
        fleet->call = etcd_grant(fleet->etcd, fleet->settings.config->etcd.ttl / 1000, granted, fleet);
    }
    if (fleet->phase == FLEET_SNAPSHOT || fleet->phase == FLEET_IN)
        keep(fleet, now);
    if (fleet->phase == FLEET_IN) {
        fleet_watch_again(fleet, now);
        fleet_say_again(fleet, now);
        fleet_campaign(fleet, now);
    }
    fleet_asks_tick(fleet, now);
}

// ---- beginning and end

struct fleet *fleet_new(const struct fleet_settings *settings) {
    static const struct timeval every = {0, TICK_MS * 1000};
    const struct fleet_etcd_config *config = &settings->config->etcd;
    struct fleet *fleet = mem_zero(1, sizeof *fleet);
    fleet->settings = *settings;
    fleet->apart_ns = clock_monotonic_ns();
    random_seed(&fleet->random);
    snprintf(fleet->id, sizeof fleet->id, "%016llx", (unsigned long long)random_next(&fleet->random));
    fleet->etcd = etcd_new(settings->base, &(struct etcd_settings){.endpoints = config->endpoints.items,
                                                                   .endpoint_count = config->endpoints.count,
                                                                   .tls = config->tls,
                                                                   .username = config->username,
                                                                   .password = config->password,
                                                                   .user_agent = settings->user_agent,
                                                                   .timeout_ms = config->ttl / KEEPS_A_TTL});
    fleet->stands = true;
    for (int i = 0; i < FLEET_REPORTS; i++)
        fleet->reports[i].fleet = fleet;
    list_init(&fleet->writes);
    list_init(&fleet->reads);
    list_init(&fleet->asks);
    fleet->tick = event_new(settings->base, -1, EV_PERSIST, on_tick, fleet);
    must(fleet->tick && event_add(fleet->tick, &every) == 0);
    return fleet;
}

static void left(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    (void)answer; // it ends by itself where that failed
    fleet->call = NULL;
    fleet->phase = FLEET_LEFT;
}

void fleet_leave(struct fleet *fleet) {
    int64_t lease = fleet->lease;
    if (fleet->phase == FLEET_LEAVING || fleet->phase == FLEET_LEFT)
        return;
    fleet->phase = lease ? FLEET_LEAVING : FLEET_LEFT;
    leave_all(fleet);
    if (lease)
        fleet->call = etcd_revoke(fleet->etcd, lease, left, fleet);
    fleet_tell_role(fleet);
}

bool fleet_left(const struct fleet *fleet) {
    return fleet->phase == FLEET_LEFT;
}

void fleet_free(struct fleet *fleet) {
    if (!fleet)
        return;
    leave_all(fleet);
    fleet_reads_drop(fleet);
    fleet_asks_drop(fleet);
    etcd_free(fleet->etcd);
    event_free(fleet->tick);
    for (size_t i = 0; i < fleet->member_count; i++)
        json_decref(fleet->members[i].said);
    mem_free(fleet->members);
    mem_free(fleet->leader_name);
    strbuf_free(&fleet->said);
    for (int i = 0; i < FLEET_REPORTS; i++)
        strbuf_free(&fleet->reports[i].newest);
    mem_free(fleet);
}

// ---- what others ask

const char *fleet_name(const struct fleet *fleet) {
    return fleet->settings.name;
}

const char *fleet_id(const struct fleet *fleet) {
    return fleet->id;
}

size_t fleet_member_count(const struct fleet *fleet) {
    return fleet->member_count;
}

struct fleet_member fleet_member(const struct fleet *fleet, size_t index) {
    const struct member *member = &fleet->members[index];
    const char *name = json_string_value(json_object_get(member->said, "name"));
    return (struct fleet_member){.id = member->id,
                                 .name = name ? name : member->id,
                                 .self = strcmp(member->id, fleet->id) == 0,
                                 .leads = fleet->leader_since && strcmp(member->id, fleet->leader_id) == 0,
                                 .said = member->said};
}

static double seconds_between(uint64_t from_ns, uint64_t to_ns) {
    return to_ns > from_ns ? (double)(to_ns - from_ns) / (double)NS_PER_S : 0;
}

struct fleet_figures fleet_figures(const struct fleet *fleet) {
    uint64_t now = clock_monotonic_ns();
    struct fleet_figures figures = fleet->figures;
    figures.watch_age =
        fleet->watch ? (double)etcd_watch_age_ms(fleet->watch) / 1000 : seconds_between(fleet->whole_ns, now);
    figures.lease_left = fleet->lease ? seconds_between(now, fleet->until_ns) : 0;
    figures.apart = fleet->phase == FLEET_IN ? 0 : seconds_between(fleet->apart_ns, now);
    figures.lag = fleet->behind_ns ? seconds_between(fleet->behind_ns, now) : 0;
    figures.revision = fleet->applied;
    figures.error = fleet->phase == FLEET_IN ? "" : fleet->error;
    figures.leader = fleet->leader_since && fleet->leader_name ? fleet->leader_name : "";
    return figures;
}
