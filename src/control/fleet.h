// fleet: this instance's place among the proxies that share their rollouts through etcd (decision 22): its
// lease, who else is there, who leads, and what stands below the prefix as it changes, in order of revision.
// Knows nothing of rollouts: routes are names, their states bytes. Owner: the control's. Control thread;
// nothing blocks.
#pragma once
#include "base/error.h"
#include "config/fleet.h"
#include "control/emit.h"
#include "etcd.h"

enum fleet_role {
    FLEET_APART,  // etcd cannot be reached, or this instance's lease ran out
    FLEET_MEMBER, // somebody else leads, or nobody yet
    FLEET_LEADER,
    FLEET_ROLES
};
const char *fleet_role_name(enum fleet_role role); // "apart", "member", "leader": metrics, API

// What an instance reports; each kind has a key of its own.
enum fleet_report {
    FLEET_TALLY,  // what it has counted
    FLEET_GROUPS, // … per group of units
    FLEET_REPORTS
};

// Slices are borrowed for the call. Never called from inside a call of this interface, but for fleet_leave
// and fleet_free: they tell the role, of each write under way that nobody knows what became of it, and of
// each reading that it failed.
struct fleet_listener {
    void (*role)(enum fleet_role role, void *context);
    // The state of a route as it stands there: each of them after every (re)joining, then every change.
    // `revision`: of its key; empty: there is none any more.
    void (*state)(struct slice route, struct slice state, int64_t revision, void *context);
    // Of the leader only: somebody asks for something; `ask` names it, with its revision (fleet_write,
    // fleet_answer). It may come twice.
    void (*ask)(struct slice ask, int64_t revision, struct slice text, void *context);
    // Of the leader only: what an instance has reported; empty: it is gone.
    void (*evidence)(struct slice id, enum fleet_report what, struct slice bytes, void *context);
    void (*members)(void *context); // somebody came, went, or says other things of itself
    void *context;
};
struct fleet_settings { // borrowed for the call; the configuration and the name outlive the fleet
    struct event_base *base;
    const struct fleet_config *config;
    const char *name, *user_agent;
    struct fleet_listener listener;
};
struct fleet;
struct fleet *fleet_new(const struct fleet_settings *settings); // apart at first
// Others notice when its lease has run out (fleet_leave); what was not answered never is. NULL is
// allowed.
void fleet_free(struct fleet *fleet);
// Before the end: the lease is given back. True when there is nothing to wait for any more.
void fleet_leave(struct fleet *fleet);
bool fleet_left(const struct fleet *fleet);

enum fleet_role fleet_role(const struct fleet *fleet);
const char *fleet_id(const struct fleet *fleet);   // of this process: hexadecimal digits
const char *fleet_name(const struct fleet *fleet); // of this instance

// What this instance says of itself: an object's members without its braces, JSON. Written when it changes.
void fleet_describe(struct fleet *fleet, struct slice members);
// Of each kind the newest counts; one that is under way is followed by the newest when it is done, what
// stands there already is not written again, but after every (re)joining.
void fleet_report(struct fleet *fleet, enum fleet_report what, struct slice bytes);

// False: this instance does not lead; if it does, it gives that up and goes on as a member, which the role
// tells once etcd has it. True at first. Cheap when nothing changes.
void fleet_stand(struct fleet *fleet, bool stands);

// The leader proposes a route's new state. It was applied when the listener gets it with that revision, which
// may be before `done`. `ask` (may be empty): answered by `answer` in the same transaction, which fails when
// it was answered or withdrawn before. `decision` (may be empty) goes to the list under `number`.
// `ledger` (may be empty) replaces the route's, which nobody watches (fleet_read_ledger).
// done(FLEET_WRITE_UNKNOWN): it may or may not stand there; nothing is written from inside that.
enum fleet_written { FLEET_WRITTEN, FLEET_WRITE_REFUSED, FLEET_WRITE_UNKNOWN };
struct fleet_write { // borrowed for the call
    struct slice route, state, ledger, decision, ask, answer;
    uint64_t number;
    int64_t ask_revision;
    int64_t before; // revision of the state that it follows; 0: there is none
};
void fleet_write(struct fleet *fleet, const struct fleet_write *write,
                 void (*done)(enum fleet_written written, int64_t revision, void *context), void *context);
// Answers an ask that changes nothing.
void fleet_answer(struct fleet *fleet, struct slice ask, int64_t revision, struct slice answer);

// What stands there of a route, whoever leads. done: once, never from inside this call, with an error from
// etcd, or when this instance begins anew, leaves or is freed before it is answered. From inside that others
// may be read, but for fleet_free, after which nobody is answered. Several may be under way.
// The ledger; empty: there is none.
void fleet_read_ledger(struct fleet *fleet, struct slice route,
                       void (*done)(struct slice ledger, const struct error *error, void *context),
                       void *context);
// The decisions of the list with a number past `after`, in order; of many the newest FLEET_DECISIONS.
#define FLEET_DECISIONS 100
void fleet_read_decisions(struct fleet *fleet, struct slice route, uint64_t after,
                          void (*done)(const struct slice *decisions, size_t count, const struct error *error,
                                       void *context),
                          void *context);

// Asks the leader, whoever it is. done: its answer; NULL at: there is none within `patience_ms`, or etcd
// cannot be reached, and *error says so. Never from inside this call.
struct fleet_ask;
struct fleet_ask *fleet_ask(struct fleet *fleet, struct slice text, int64_t patience_ms,
                            void (*done)(struct slice answer, const struct error *error, void *context),
                            void *context);
void fleet_ask_cancel(struct fleet_ask *ask); // done is not called any more

struct fleet_member {
    const char *id, *name;
    bool self, leads;
    const void *said; // json_t of jansson: its object
};
size_t fleet_member_count(const struct fleet *fleet);
struct fleet_member fleet_member(const struct fleet *fleet, size_t index);

struct fleet_figures {       // for /metrics and status
    uint64_t rejoined;       // times that it was in and had to begin anew
    uint64_t leaderships;    // times that it became the leader
    double watch_age;        // seconds since the watch was last known to be whole
    double lease_left;       // seconds; 0: none
    double apart;            // seconds; 0: it is not
    double lag;              // seconds since it is known to lack something that stands there; 0: it is not
    int64_t revision;        // applied
    uint64_t writes_refused; // by the comparison: somebody else led, or knew more
    const char *error;       // why it is apart; "" otherwise
    const char *leader;      // name; "" when nobody leads
};
struct fleet_figures fleet_figures(const struct fleet *fleet);
