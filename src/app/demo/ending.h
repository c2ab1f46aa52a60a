// ending: what `sluice demo` leaves on the terminal: how the rollout ended and why, its decisions, what the
// clients got, what to try next. Pure but for the colours.
#pragma once
#include "table.h"

void ending_write(const struct table *table, struct strbuf *out);
