// linked: the arm of a linked experiment on its way to the next sluice.
#pragma once
#include "exchange.h"

// Writes the `baggage` that goes upstream where it is not to go as it came, and marks (drop) what came: with
// the arm of the variant that is asked, on routes of an experiment; without any of ours, from a peer that is
// not trusted, on every route. `came`: the request has such a field.
void linked_write(const struct exchange *exchange, struct head *head, bool came, struct strbuf *out);
