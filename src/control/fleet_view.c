#include "fleet_view.h"

#include "base/clock.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// ---- what an instance says of itself: anybody's words, of any version

static void emit_age(const json_t *said, const char *name, uint64_t now_ms, struct emit *emit) {
    json_int_t then = json_integer_value(json_object_get(said, name));
    if (then <= 0)
        emit_null(emit);
    else // clocks differ
        emit_number(emit, now_ms > (uint64_t)then ? (double)(now_ms - (uint64_t)then) / 1000 : 0, 1);
}

static void emit_pid(const json_t *said, struct emit *emit) {
    json_int_t pid = json_integer_value(json_object_get(said, "pid"));
    if (pid > 0)
        emit_u64(emit, (uint64_t)pid);
    else
        emit_null(emit);
}

static void emit_routes(const json_t *routes, struct emit *emit) {
    char *text = json_is_object(routes) ? json_dumps(routes, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    emit_raw(emit, slice_of(text ? text : "{}"));
    free(text);
}

static const char *rollout_of(const json_t *routes, const char *route) {
    return json_string_value(json_object_get(json_object_get(routes, route), "rollout"));
}

static bool same_rollout(const json_t *a, const json_t *b, const char *route) {
    const char *one = rollout_of(a, route), *other = rollout_of(b, route);
    return one == other || (one && other && strcmp(one, other) == 0);
}

// Routes whose rollouts are not the same, of both; how many.
static size_t emit_differing(json_t *a, json_t *b, struct emit *emit) {
    size_t count = 0;
    const char *route;
    json_t *said;
    emit_array(emit);
    json_object_foreach(a, route, said) {
        if (same_rollout(a, b, route))
            continue;
        emit_text(emit, route);
        count++;
    }
    json_object_foreach(b, route, said) {
        if (json_object_get(a, route) || same_rollout(a, b, route))
            continue;
        emit_text(emit, route);
        count++;
    }
    emit_end(emit, ']');
    return count;
}

void fleet_view_member(const struct fleet_member *member, const void *own, uint64_t now_ms,
                       struct emit *emit) {
    const json_t *said = member->said;
    json_t *theirs = json_object_get(said, "routes"), *ours = json_object_get(own, "routes");
    emit_object(emit);
    emit_text(emit_name(emit, "name"), member->name);
    emit_text(emit_name(emit, "id"), member->id);
    emit_bool(emit_name(emit, "leader"), member->leads);
    emit_bool(emit_name(emit, "self"), member->self);
    emit_text(emit_name(emit, "version"), json_string_value(json_object_get(said, "version")));
    emit_text(emit_name(emit, "admin"), json_string_value(json_object_get(said, "admin")));
    emit_pid(said, emit_name(emit, "pid"));
    emit_age(said, "started_ms", now_ms, emit_name(emit, "started_seconds"));
    emit_age(said, "loaded_ms", now_ms, emit_name(emit, "loaded_seconds"));
    emit_routes(theirs, emit_name(emit, "routes"));
    bool known = json_is_object(theirs) && json_is_object(ours);
    size_t differing = emit_differing(known ? theirs : NULL, known ? ours : NULL, emit_name(emit, "differs"));
    if (known)
        emit_bool(emit_name(emit, "agrees"), differing == 0);
    else
        emit_null(emit_name(emit, "agrees"));
    emit_end(emit, '}');
}

// ---- all of them

static int by_name(const void *a, const void *b) {
    const struct fleet_member *one = a, *other = b;
    int order = strcmp(one->name, other->name);
    return order ? order : strcmp(one->id, other->id);
}

static void emit_members(const struct fleet *fleet, struct emit *emit) {
    size_t count = fleet_member_count(fleet);
    struct fleet_member *members = mem_zero(count ? count : 1, sizeof *members);
    const void *own = NULL;
    uint64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < count; i++) {
        members[i] = fleet_member(fleet, i);
        own = members[i].self ? members[i].said : own;
    }
    qsort(members, count, sizeof *members, by_name);
    emit_array(emit);
    for (size_t i = 0; i < count; i++)
        fleet_view_member(&members[i], own, now_ms, emit);
    emit_end(emit, ']');
    mem_free(members);
}

void fleet_view_emit(const struct fleet *fleet, struct emit *emit) {
    struct fleet_figures figures = fleet_figures(fleet);
    emit_text(emit_name(emit, "role"), fleet_role_name(fleet_role(fleet)));
    emit_text(emit_name(emit, "leader"), *figures.leader ? figures.leader : NULL);
    emit_text(emit_name(emit, "error"), *figures.error ? figures.error : NULL);
    emit_name(emit, "apart_seconds");
    if (fleet_role(fleet) == FLEET_APART)
        emit_number(emit, figures.apart, 1);
    else
        emit_null(emit);
    emit_number(emit_name(emit, "lease_seconds"), figures.lease_left, 1);
    emit_number(emit_name(emit, "watch_age_seconds"), figures.watch_age, 1);
    emit_number(emit_name(emit, "lag_seconds"), figures.lag, 1);
    emit_u64(emit_name(emit, "revision"), (uint64_t)figures.revision);
    emit_u64(emit_name(emit, "leaderships"), figures.leaderships);
    emit_u64(emit_name(emit, "rejoins"), figures.rejoined);
    emit_u64(emit_name(emit, "writes_refused"), figures.writes_refused);
    emit_members(fleet, emit_name(emit, "members"));
}

// ---- metrics

static void count(struct exposition *out, enum family family, uint64_t value) {
    exposition_family(out, family);
    exposition_u64(out, family, NULL, 0, value);
}

static void measure(struct exposition *out, enum family family, double value) {
    exposition_family(out, family);
    exposition_double(out, family, NULL, 0, value);
}

void fleet_view_metrics(const struct fleet *fleet, struct exposition *out) {
    struct fleet_figures figures = fleet_figures(fleet);
    enum fleet_role role = fleet_role(fleet);
    exposition_family(out, FAMILY_FLEET_ROLE);
    for (int i = 0; i < FLEET_ROLES; i++)
        exposition_u64(out, FAMILY_FLEET_ROLE, &(struct label){"role", fleet_role_name((enum fleet_role)i)},
                       1, (int)role == i);
    count(out, FAMILY_FLEET_MEMBERS, fleet_member_count(fleet));
    measure(out, FAMILY_FLEET_LEASE, figures.lease_left);
    measure(out, FAMILY_FLEET_WATCH_AGE, figures.watch_age);
    count(out, FAMILY_FLEET_LEADERSHIPS, figures.leaderships);
    count(out, FAMILY_FLEET_REJOINS, figures.rejoined);
    count(out, FAMILY_FLEET_WRITES_REFUSED, figures.writes_refused);
    count(out, FAMILY_FLEET_REVISION, (uint64_t)figures.revision);
    measure(out, FAMILY_FLEET_LAG, figures.lag);
}
