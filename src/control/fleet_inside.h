// fleet_inside: what a fleet consists of, for the files that it is written in.
#pragma once
#include "base/list.h"
#include "base/random.h"
#include "etcd_pages.h"
#include "fleet.h"

#include <jansson.h>

#define FLEET_ID_BYTES 17

enum fleet_phase { FLEET_GRANT, FLEET_SNAPSHOT, FLEET_IN, FLEET_LEAVING, FLEET_LEFT };
struct member {
    char id[FLEET_ID_BYTES];
    json_t *said;
};
struct reporting { // of one kind
    struct fleet *fleet;
    struct strbuf newest;
    struct etcd_call *writing;
    bool again; // there is a newer one
    bool there; // the newest stands there
    bool told;  // that it does not is in the log
};
struct fleet {
    struct fleet_settings settings;
    struct etcd *etcd;
    struct random_state random;
    char id[FLEET_ID_BYTES];
    enum fleet_phase phase;
    enum fleet_role told; // the listener's last role
    struct event *tick;

    // the lease
    struct etcd_call *call, *keeping; // of the phase; keep-alive
    int64_t lease;
    uint64_t until_ns, kept_ns, asked_ns; // lives until then at least; asked for the last time
    uint64_t again_ns;                    // begins anew then
    uint64_t apart_ns;                    // apart since then

    // what stands below shared/
    struct etcd_pages *snapshot; // being read
    struct etcd_watch *watch;
    int64_t applied;   // revision
    uint64_t whole_ns; // the watch brought something, or began
    uint64_t open_ns;  // it is opened again then
    uint64_t opened_ns;
    unsigned looks; // keep-alives that said that something is newer than what was applied
    struct etcd_call *looking;
    int64_t looked_for; // whether there is anything newer than this
    uint64_t behind_ns; // since then there is, and the watch has not brought it; 0: not that it is known
    bool compacted;     // … from a snapshot
    char leader_id[FLEET_ID_BYTES];
    char *leader_name;
    int64_t leader_since; // create_revision of its key; 0: there is none
    struct etcd_call *campaign;
    uint64_t campaign_ns; // not before
    bool stands;          // wants to lead
    struct etcd_call *resigning;
    uint64_t resign_ns; // not before

    // of the leader
    struct etcd_pages *reading_asks, *reading_evidence;
    struct etcd_watch *evidence;
    uint64_t evidence_ns; // read and watched again then
    bool deaf;            // it could not be read, which stands in the log
    bool asks_read;       // those from before it led

    struct member *members;
    size_t member_count;
    struct strbuf said;       // what this instance says of itself
    struct etcd_call *saying; // being written
    bool say_again;           // there is a newer one
    uint64_t say_ns;          // not before
    bool complained;          // why it is apart stands in the log
    struct reporting reports[FLEET_REPORTS];
    struct link writes, reads, asks; // under way
    uint64_t ask_number;
    struct fleet_figures figures;
    char error[256];
};

// Keys: prefix, folder and name; the buffer is the caller's to clear.
struct slice fleet_key(const struct fleet *fleet, struct strbuf *out, const char *folder, struct slice name);
// fleet.c
void fleet_cancel(struct etcd_call **call); // and it is none; none is allowed
void fleet_cancel_pages(struct etcd_pages **pages);
void fleet_begin_anew(struct fleet *fleet, const char *why);
void fleet_tell_role(struct fleet *fleet);
bool fleet_leads(const struct fleet *fleet);
// fleet_look.c
void fleet_look(struct fleet *fleet); // sets behind_ns by and by
// fleet_shared.c
void fleet_shared_open(struct fleet *fleet); // the snapshot, then the watch
void fleet_shared_close(struct fleet *fleet);
void fleet_watch_again(struct fleet *fleet, uint64_t now_ns); // when it was lost
void fleet_campaign(struct fleet *fleet, uint64_t now_ns);    // or the contrary
// fleet_writes.c
// The number has twelve digits at least, so that the keys' order is the numbers'.
struct slice fleet_decision_key(const struct fleet *fleet, struct strbuf *out, struct slice route,
                                uint64_t number);
void fleet_say(struct fleet *fleet);
void fleet_say_again(struct fleet *fleet, uint64_t now_ns); // when that failed
void fleet_report_again(struct fleet *fleet);
void fleet_writes_close(struct fleet *fleet); // everything under way ends
void fleet_asks_drop(struct fleet *fleet);    // nobody is told
void fleet_answered(struct fleet *fleet, struct slice ask, struct slice answer);
void fleet_asks_tick(struct fleet *fleet, uint64_t now_ns);
// fleet_reads.c
void fleet_reads_close(struct fleet *fleet); // everything under way fails
void fleet_reads_drop(struct fleet *fleet);  // nobody is told
