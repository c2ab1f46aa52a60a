// fleet_scene: members of a fleet in one process, beside a real etcd, and what each of them was told. One per
// process; it belongs to the test that is running.
#pragma once
#include "../../../src/control/fleet.h"
#include "etcd_server.h"

#define MEMBERS     3
#define TTL_MS      2000
#define STATES_KEPT 256 // the last ones

struct fleet_state {
    char route[32], text[64];
    int64_t revision;
};
struct fleet_one {
    struct fleet *fleet; // NULL: it is not there
    struct fleet_config config;
    struct fleet_state states[STATES_KEPT];
    unsigned state_count, asked, evidence_count[FLEET_REPORTS], gone[FLEET_REPORTS];
    char ask[64], ask_text[64], evidence[FLEET_REPORTS][64], evidence_of[64];
    size_t state_bytes; // of all states together
    int64_t ask_revision;
    bool answers; // asks, at once
};
struct fleet_scene {
    struct event_base *base;
    struct etcd_server server;
    struct fleet_one all[MEMBERS];
    // the last write's
    enum fleet_written outcome;
    unsigned written; // how many came to an end
    int64_t written_at;
};
extern struct fleet_scene fleet_scene;

// Setup and teardown of cmocka.
int fleet_scene_open(void **unused);
int fleet_scene_close(void **unused);
bool fleet_scene_until(bool (*holds)(void), int64_t most_ms);
void fleet_scene_pass(int64_t ms);
void fleet_scene_join(unsigned index, const char *name);
void fleet_scene_join_all(void);        // until one leads; without etcd the test is skipped
void fleet_scene_leave(unsigned index); // without a word: its lease has to run out
unsigned fleet_scene_leader(void);      // there must be one
unsigned fleet_scene_count(enum fleet_role role);
bool fleet_scene_one_leads(void); // and all that are there know each other
bool fleet_scene_all_apart(void);

// For fleet_write's `done`.
void fleet_scene_written(enum fleet_written written, int64_t revision, void *context);
bool fleet_scene_was_written(void);
// Of the route "chat", waits for its end. number: of its decision; 0: none.
enum fleet_written fleet_scene_write(unsigned index, const char *text, int64_t before, uint64_t number);
void fleet_scene_copy(char *to, size_t size, struct slice from);
