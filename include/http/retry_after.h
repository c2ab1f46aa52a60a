// retry_after: how long an answer asks to be left alone (RFC 9110 10.2.3). Pure; any thread.
#pragma once
#include "http/head.h"

// Milliseconds from now on; 0: one may come at once (also a date that has passed); -1: it does not say, or
// nothing that can be understood. A date is held against the answer's own `Date` where it has one, so that
// clocks need not agree; else against wall_ms (Unix time).
int64_t retry_after_ms(const struct head *head, uint64_t wall_ms);
