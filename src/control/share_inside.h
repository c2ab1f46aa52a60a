// share_inside: what a share consists of, for the files that it is written in.
#pragma once
#include "base/list.h"
#include "controller_inside.h"
#include "rollout/ledger.h"
#include "share.h"
#include "share_record.h"

#define SHARE_ALONE \
    "on this instance alone, etcd cannot be reached: " // why, of a decision that is no fleet's

struct share_event { // waits for its turn on the leader
    struct link link;
    enum rollout_event_kind kind;
    char *because; // NULL: none
    uint16_t weights[SPLIT_ARMS];
    struct strbuf ask; // of whom, elsewhere; empty: somebody here, or nobody
    int64_t ask_revision;
    struct rollout_reply reply; // done NULL: nobody
};

// What was written and has not come back yet. Freed when neither the share nor the fleet knows it any more.
struct proposal {
    struct share *share;       // NULL: it counts no more
    struct share_event *event; // that it comes from; NULL: time
    struct machine before, after;
    struct rollout_outcome outcome;
    enum rollout_event_kind kind;
    struct strbuf decision, because;
    uint64_t number, nonce, made_ns;
    bool unsure;  // it may or may not stand there
    bool written; // the fleet has told what came of it
};

struct heard { // of one instance in this epoch, on the leader
    char id[64];
    struct tally tally;
    bool news;       // a tally that was not taken yet
    uint32_t shares; // of log_e
    double log_e;    // its sample ratio
    struct strbuf groups;
};

struct forwarded { // a command that the leader was asked to carry out
    struct link link;
    struct share *share;
    struct fleet_ask *ask;
    struct rollout_reply reply;
};

struct share {
    struct controller *controller;
    // what stands there
    struct share_record record; // revision 0: not known
    int64_t revision;
    bool unreadable;
    uint64_t listed;         // number of the newest decision in the list here
    struct share_past *past; // older ones are being read; NULL: none
    struct strbuf missed;    // came while another process had the rollouts
    int64_t missed_revision;
    // what follows from it here
    bool exposed;                 // the variants here are those that the weights are about
    uint16_t weights[SPLIT_ARMS]; // in this file's order
    char alone_because[400];      // with controller->alone: why the candidate was taken back here
    uint64_t alone_asked_ns;      // the fleet was asked to follow
    unsigned alone_asked;         // so many times since it can be
    // what is counted here
    struct trial own; // its ticks go into the tally; judges the limits while etcd is away
    struct contest *own_contest;
    struct tally tally;
    struct tally_groups *groups; // of scores; the arms' are read when they are reported
    uint64_t looked_ns;
    // of the leader
    enum fleet_role role;
    bool ready; // the ledger is there
    struct ledger *ledger;
    struct share_reading *reading; // of the ledger; NULL: none
    struct heard **heard;          // by id; who has left stays
    size_t heard_count, heard_room;
    bool groups_news;
    uint64_t groups_ns; // they were added up
    int64_t since_ms;   // since the machine was told of time
    uint64_t saved_ns;
    uint64_t nonce;
    struct proposal *proposal;
    struct link events, forwarded;
};

struct fleet *share_fleet(const struct share *share); // NULL: it is not there yet
uint64_t share_fingerprint(const struct share *share);
const char *share_version(const struct share *share); // of the candidate, in the file here
bool share_leads(const struct share *share);          // and may propose

// share_count.c
void share_count(struct share *share, uint64_t now_ns, int64_t elapsed_ms);
void share_count_anew(struct share *share); // another epoch
// share_judge.c
void share_take_evidence(struct share *share, int64_t elapsed_ms);
void share_forget_heard(struct share *share);
// share_lead.c
void share_lead(struct share *share, uint64_t now_ns);
void share_begin_to_lead(struct share *share);
void share_stop_leading(struct share *share);
void share_forget_reading(struct share *share);
// share_propose.c
enum share_evidence { SHARE_KEEP, SHARE_RENUMBER, SHARE_FRESH }; // an epoch of its own; and nothing measured
void share_propose(struct share *share, const struct machine *after, const struct rollout_outcome *outcome,
                   enum rollout_event_kind kind, enum share_evidence evidence, struct share_event *event);
void share_carried(struct share *share);               // the record that came is the proposal
void share_tell_carried(struct share *share);          // … and this instance does what it says
void share_keep_back(struct share *share);             // what the proposal has taken back already stays so
void share_drop(struct share *share, const char *why); // the proposal under way, if any
void share_reread(struct share *share);                // what was changed for a proposal that does not stand
// share_commands.c
struct share_event *share_event_new(enum rollout_event_kind kind, const char *because,
                                    const uint16_t *weights);
void share_event_done(struct share *share, struct share_event *event, const char *refused); // and freed
void share_event_free(struct share_event *event);
void share_refuse_events(struct share *share, const char *why);
struct rollout_event share_event_of(const struct share *share, const struct share_event *event);
// share_past.c
void share_find_listed(struct share *share); // a crash may have left the journal's state before or behind it
void share_list_decision(struct share *share); // the controller's newest, unless it is there
void share_forget_past(struct share *share);
// share_alone.c
void share_watch_limits(struct share *share);
void share_take_back(struct share *share, const char *because, bool by_person);
void share_reconcile(struct share *share, uint64_t now_ns);
