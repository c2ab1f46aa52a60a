// evidence_poller: the leader of a fleet asks Prometheus once a second what the members have counted. Knows
// nothing of fleets and rollouts. Owner: the membership. Control thread, asynchronous.
#pragma once
#include "evidence_answer.h"

struct evidence_poller_settings { // texts are copied; 0: the default
    struct event_base *base;
    const char *url, *prefix, *user_agent;
    int64_t interval_ms; // 1 s, from question to question; one that is late is left out
    int64_t timeout_ms;  // 5 s
    int64_t patience_ms; // 5 s: without an answer for longer nothing is known (evidence_poller_view.blind)
    // Of each member, borrowed for the call; never from inside a call of this interface. False: nobody knows
    // the member.
    bool (*heard)(const struct evidence *evidence, void *context);
    void *context;
};
struct evidence_poller;
struct evidence_poller *evidence_poller_new(const struct evidence_poller_settings *settings); // does not ask
void evidence_poller_free(struct evidence_poller *poller); // NULL is allowed
// Whether this instance leads; the first question is asked at once.
void evidence_poller_ask(struct evidence_poller *poller, bool asking);

struct evidence_view {
    bool asking;
    bool blind;         // asks, and has heard nothing for too long
    double age;         // seconds since the last good answer, or since it began to ask
    unsigned instances; // that the last good answer had figures of
    const char *error;  // why the last question was not answered; "": it was, or none was asked
};
struct evidence_view evidence_poller_view(const struct evidence_poller *poller);
