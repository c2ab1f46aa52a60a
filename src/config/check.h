// check: what the schema's tables cannot say: references, sums, forms that depend on other keys. Reports all
// mistakes.
#pragma once
#include "names.h"
#include "report.h"

struct check {
    struct arena *arena;
    struct report *report;
    struct config *config; // being settled: derived fields are filled in
};
void check_file(struct check *check);                                   // everything
void check_routes(struct check *check);                                 // check_route.c
void check_rollout(struct check *check, struct route_config *route);    // check_rollout.c
void check_experiment(struct check *check, struct route_config *route); // check_experiment.c: one route's …
void check_experiments(struct check *check);                            // … and what its routes must share
void check_probe(struct check *check, const struct probe_request_config *request,
                 struct probe_expect_config *expect);                                // check.c
void check_listener_tls(struct check *check, const struct listener_tls_config *tls); // check_tls.c
void check_pool_tls(struct check *check, const struct pool_tls_config *tls);         // check_tls.c
void check_admin(struct check *check);                                               // check_admin.c
void check_url(struct check *check, const char *const *field, const char *key);      // NULL passes

void check_fleet(struct check *check); // check_fleet.c
// check_secret.c: the first line of the file that *field (the key `key`) names; NULL with a diagnostic.
const char *check_secret_file(struct check *check, const char *const *field, const char *key,
                              struct place otherwise);

void check_edits(struct check *check, const struct variant_config *variant); // check_edits.c

// ---- check_variants.c
// Pools, edits and weights; `pools` is sorted.
void check_variants(struct check *check, struct route_config *route, const struct named *pools);
// The index of the variant that *field names, or variant_count with a diagnostic.
size_t check_variant(struct check *check, const struct route_config *route, const char *const *field,
                     const char *key);
const char *percent_text(struct check *check, int64_t points); // basis points as one would write them
const char *route_label(struct check *check, const struct route_config *route); // "route `chat`"

// Where the field's value stands in the file; `otherwise` when it is a default.
static inline struct place place_of_field(struct check *check, const void *field, struct place otherwise) {
    return report_place(check->report, field, otherwise);
}
