// evidence_answer: what the leader of a fleet asks Prometheus for evidence, and the members' tallies in its
// answer (docs/fleet.md). Pure.
#pragma once
#include "prometheus_query.h"
#include "rollout/tally.h"

// An instant query: the samples of all members of the fleet, and beside them when the newest and the oldest
// of each member's were scraped.
void evidence_query(const char *prefix, struct strbuf *out);

struct evidence {               // what one member has counted for one route
    const char *member, *route; // fleet_id, name
    uint32_t shares;            // of log_e
    double log_e;               // its sample ratio; NAN: unknown
    double scraped;             // seconds since 1970, by Prometheus' clock
    struct tally tally;         // with its epoch; holds (tally_holds)
};
struct evidence_answer { // owner: the caller
    struct evidence *items;
    size_t count;
    unsigned skipped; // members' figures that are not whole
    json_t *samples;  // that the names are of
};
// Of each member, route and epoch one: where several scrapes have it (two Prometheus), the newest. What is
// not of one scrape, not whole, or does not hold is skipped. False: nothing can be taken, `why` has a
// sentence.
bool evidence_read(const struct fetch_answer *answer, struct evidence_answer *read, char why[PROMETHEUS_WHY]);
void evidence_answer_free(struct evidence_answer *read);
