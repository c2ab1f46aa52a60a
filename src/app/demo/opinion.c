#include "opinion.h"

#include "base/mem.h"
#include "base/random.h"
#include "caller.h"
#include "visitor.h"

#include <jansson.h>
#include <stdlib.h>

#define SPREAD 0.2 // either side of the mean

struct opinion {
    struct caller *caller;
    struct random_state random;
};

struct opinion *opinion_new(struct event_base *base, unsigned admin_port) {
    struct opinion *opinion = mem_zero(1, sizeof *opinion);
    opinion->caller = caller_new(base, admin_port);
    random_seed(&opinion->random);
    return opinion;
}

void opinion_free(struct opinion *opinion) {
    if (!opinion)
        return;
    caller_free(opinion->caller);
    mem_free(opinion);
}

// What became of it does not matter: a score that is lost is one that was not given.
static void on_posted(const json_t *json, void *context) {
    (void)json, (void)context;
}

void opinion_give(struct opinion *opinion, const struct witness_visit *visit, double mean) {
    char unit[VISITOR_NAME];
    if (caller_busy(opinion->caller))
        return;
    double score = mean + SPREAD * ((double)random_below(&opinion->random, 2001) / 1000 - 1);
    visitor_name(visit->user, unit);
    json_t *json =
        json_pack("{ss ss ss sf}", "route", "chat", "variant", visit->variant, "unit", unit, "score", score);
    must(json != NULL);
    char *body = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
    must(body != NULL);
    caller_ask(opinion->caller, "/api/v1/feedback", body, on_posted, opinion);
    free(body);
    json_decref(json);
}
