// ejection: passive health. An endpoint that fails too many requests in a row is given none for a while,
// longer each time it happens again soon. Control thread.
#pragma once
#include "publisher.h"

struct ejector;
struct ejector *ejector_new(struct event_base *base, struct publisher *publisher,
                            const struct directory *directory);
void ejector_free(struct ejector *ejector);
void ejector_failing(struct ejector *ejector, struct endpoint *endpoint); // what a worker reported
void ejector_adopt(struct ejector *ejector);                              // after a commit

// How long the nth ejection in a row lasts, milliseconds.
int64_t ejection_time(int64_t base_time, unsigned in_a_row);
// Whether one more of `endpoints` may be ejected, at most `max_share` percent of them.
bool ejection_allowed(size_t ejected, size_t endpoints, int64_t max_share);
