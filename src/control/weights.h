// weights: what a person asks for by {"weights": {"stable": 95, "canary": 5}}. Pure.
#pragma once
#include "base/error.h"
#include "config/config.h"

// Percent with at most two decimals by variant, those not named get 0; the sum must be 100. False: *error
// names what is wrong.
bool weights_read(struct slice body, const struct route_config *route, uint16_t *weights,
                  struct error *error);
