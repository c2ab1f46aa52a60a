#include "fleet_scene.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/fetch.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fleet_scene fleet_scene;
static struct fleet_one *const all = fleet_scene.all;
static const char *endpoints[1];

void fleet_scene_copy(char *to, size_t size, struct slice from) {
    snprintf(to, size, "%.*s", (int)from.len, from.at ? from.at : "");
}

// ---- what each is told

static void on_role(enum fleet_role role, void *context) {
    (void)role, (void)context;
}

static void on_members(void *context) {
    (void)context;
}

static void on_state(struct slice route, struct slice text, int64_t revision, void *context) {
    struct fleet_one *one = context;
    struct fleet_state *state = &one->states[one->state_count++ % STATES_KEPT];
    fleet_scene_copy(state->route, sizeof state->route, route);
    fleet_scene_copy(state->text, sizeof state->text, text);
    state->revision = revision;
    one->state_bytes += text.len;
}

static void on_ask(struct slice ask, int64_t revision, struct slice text, void *context) {
    struct fleet_one *one = context;
    one->asked++;
    one->ask_revision = revision;
    fleet_scene_copy(one->ask, sizeof one->ask, ask);
    fleet_scene_copy(one->ask_text, sizeof one->ask_text, text);
    if (one->answers)
        fleet_answer(one->fleet, ask, revision, SLICE("done"));
}

static void on_evidence(struct slice id, enum fleet_report what, struct slice bytes, void *context) {
    struct fleet_one *one = context;
    fleet_scene_copy(one->evidence_of, sizeof one->evidence_of, id);
    one->evidence_count[what] += bytes.len > 0;
    one->gone[what] += bytes.len == 0;
    if (bytes.len)
        fleet_scene_copy(one->evidence[what], sizeof one->evidence[what], bytes);
}

// ---- who is there

void fleet_scene_join(unsigned index, const char *name) {
    struct fleet_one *one = &all[index];
    memset(one, 0, sizeof *one);
    one->answers = true;
    one->config =
        (struct fleet_config){.etcd = {.endpoints = {endpoints, 1}, .prefix = "/sluice/test", .ttl = TTL_MS}};
    endpoints[0] = fleet_scene.server.url;
    struct fleet_settings settings = {
        .base = fleet_scene.base,
        .config = &one->config,
        .name = name,
        .user_agent = "test",
        .listener = {on_role, on_state, on_ask, on_evidence, on_members, one},
    };
    one->fleet = fleet_new(&settings);
}

void fleet_scene_leave(unsigned index) {
    fleet_free(all[index].fleet);
    all[index].fleet = NULL;
}

void fleet_scene_join_all(void) {
    if (!etcd_server_installed()) {
        print_message("etcd is not installed\n");
        skip();
    }
    fleet_scene_join(0, "one");
    fleet_scene_join(1, "two");
    fleet_scene_join(2, "three");
    assert_true(fleet_scene_until(fleet_scene_one_leads, 10000));
}

unsigned fleet_scene_count(enum fleet_role role) {
    unsigned count = 0;
    for (unsigned i = 0; i < MEMBERS; i++)
        count += all[i].fleet && fleet_role(all[i].fleet) == role;
    return count;
}

bool fleet_scene_one_leads(void) {
    unsigned there = 0;
    for (unsigned i = 0; i < MEMBERS; i++)
        there += all[i].fleet != NULL;
    for (unsigned i = 0; i < MEMBERS; i++)
        if (all[i].fleet &&
            (fleet_member_count(all[i].fleet) != there || !*fleet_figures(all[i].fleet).leader))
            return false;
    return fleet_scene_count(FLEET_LEADER) == 1 && fleet_scene_count(FLEET_MEMBER) == there - 1;
}

bool fleet_scene_all_apart(void) {
    return fleet_scene_count(FLEET_LEADER) + fleet_scene_count(FLEET_MEMBER) == 0;
}

unsigned fleet_scene_leader(void) {
    for (unsigned i = 0; i < MEMBERS; i++)
        if (all[i].fleet && fleet_role(all[i].fleet) == FLEET_LEADER)
            return i;
    fail_msg("nobody leads");
    return 0;
}

// ---- time

static void turn(void) {
    must(event_base_loop(fleet_scene.base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
    usleep(1000);
}

bool fleet_scene_until(bool (*holds)(void), int64_t most_ms) {
    uint64_t end = clock_monotonic_ns() + (uint64_t)most_ms * NS_PER_MS;
    while (!holds()) {
        if (clock_monotonic_ns() > end)
            return false;
        turn();
    }
    return true;
}

void fleet_scene_pass(int64_t ms) {
    uint64_t end = clock_monotonic_ns() + (uint64_t)ms * NS_PER_MS;
    while (clock_monotonic_ns() < end)
        turn();
}

int fleet_scene_open(void **unused) {
    (void)unused;
    memset(&fleet_scene, 0, sizeof fleet_scene);
    fetch_setup();
    fleet_scene.base = event_base_new();
    if (etcd_server_installed())
        etcd_server_open(&fleet_scene.server, false);
    return fleet_scene.base ? 0 : -1;
}

int fleet_scene_close(void **unused) {
    (void)unused;
    for (unsigned i = 0; i < MEMBERS; i++)
        fleet_scene_leave(i);
    if (etcd_server_installed())
        etcd_server_close(&fleet_scene.server);
    event_base_free(fleet_scene.base);
    return 0;
}

// ---- writes

void fleet_scene_written(enum fleet_written written, int64_t revision, void *context) {
    (void)context;
    fleet_scene.outcome = written;
    fleet_scene.written_at = revision;
    fleet_scene.written++;
}

bool fleet_scene_was_written(void) {
    return fleet_scene.written > 0;
}

enum fleet_written fleet_scene_write(unsigned index, const char *text, int64_t before, uint64_t number) {
    struct fleet_write write = {.route = SLICE("chat"),
                                .state = slice_of(text),
                                .decision = number ? SLICE("{}") : slice_make("", 0),
                                .number = number,
                                .before = before};
    fleet_scene.written = 0;
    fleet_write(all[index].fleet, &write, fleet_scene_written, NULL);
    assert_int_equal(fleet_scene.written, 0); // never from inside
    assert_true(fleet_scene_until(fleet_scene_was_written, 5000));
    return fleet_scene.outcome;
}
