// fleet_text: the instances of a fleet, for people, from `fleet` of the API's status (docs/fleet.md).
// Appended to a text, with colours where stdout has them.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

void fleet_text_write(struct strbuf *out, const json_t *fleet);
