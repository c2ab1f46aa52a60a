// fingerprint: what a file says of a route's rollout, as one number (struct route_config says what counts).
// Written through the schema's tables, so that a new key counts by itself, and as text, so that it is the
// same on every machine. Pure.
#pragma once
#include "config/config.h"

// Of a configuration without mistakes; 0 for a route without a rollout, else never 0.
uint64_t fingerprint_of(const struct config *config, const struct route_config *route);
