// health: active checks of the endpoints whose pool asks for them. Endpoints begin as ready; each check's
// outcome counts, `unhealthy_after` failures or `healthy_after` passes in a row turn it. Control thread.
#pragma once
#include "control/fetch.h"
#include "publisher.h"

struct health;
struct health *health_new(struct event_base *base, struct publisher *publisher, const char *version);
void health_free(struct health *health);
// After a commit: checks go on for endpoints that stayed, begin at once for new ones, end for the rest.
void health_adopt(struct health *health, struct config *config, const struct directory *directory);
