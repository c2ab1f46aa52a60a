// opinion: what the visitors of the demo think of the answers they get, posted to the proxy as feedback.
// Owner: demo_main; one thread.
#pragma once
#include "witness.h"
#include <event2/event.h>

#define OPINION_USUAL 0.8 // score of an answer on average

struct opinion;
struct opinion *opinion_new(struct event_base *base, unsigned admin_port);
void opinion_free(struct opinion *opinion);
// Posts a score around `mean` for an answer that has just come. Whoever comes while the post before is still
// under way is not asked.
void opinion_give(struct opinion *opinion, const struct witness_visit *visit, double mean);
