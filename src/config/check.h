// check: what the schema's tables cannot say: references, sums, forms that depend on other keys. Reports all
// mistakes.
#pragma once
#include "report.h"

struct check {
    struct arena *arena;
    struct report *report;
    struct config *config; // being settled: derived fields are filled in
};
void check_file(struct check *check);                                // everything
void check_routes(struct check *check);                              // check_route.c
void check_rollout(struct check *check, struct route_config *route); // check_rollout.c
// The named variant's index, or variant_count with a diagnostic at `place`.
size_t check_variant(struct check *check, const struct route_config *route, struct place place,
                     const char *key, const char *name);
