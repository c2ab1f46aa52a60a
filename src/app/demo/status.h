// status: what the demo shows of GET /api/v1/status, and what differs between two of them. Pure.
#pragma once
#include "news.h"
#include "witness.h"
#include <jansson.h>
#include <stdbool.h>

#define STATUS_ENDPOINTS 16

struct status_variant {
    char name[WITNESS_NAME], weight[16]; // percent, as text: "5", "0.5"
};
struct status_endpoint {
    char pool[WITNESS_NAME], url[128], state[32];
};
struct status {
    bool known; // one has been read
    struct status_variant variants[WITNESS_VARIANTS];
    int variant_count;
    struct status_endpoint endpoints[STATUS_ENDPOINTS];
    int endpoint_count;
    char from[16];     // the weights: "file", "command", "rollout"
    char reloaded[32]; // when, "" before the first reload
    bool reload_failed;
    char reload_error[NEWS_TEXT]; // FILE:LINE:COL: message of the first mistake
};

// The demo's own route in it, or the first when its user has renamed it; NULL: there is none.
const json_t *status_route(const json_t *json);
// False when the JSON is not a status; *status is then undefined.
bool status_read(struct status *status, const json_t *json);
// Tells what changed from `before` to `after`; nothing when `before` is not known.
void status_compare(const struct status *before, const struct status *after, struct news *news);
