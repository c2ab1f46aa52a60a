// record: what is counted and logged about a finished exchange; the only writer of the metric lanes. Worker's
// thread.
#pragma once
#include "exchange.h"

void record_exchange(struct exchange *exchange, enum finish finish);
// The decided variant has failed and the fallback takes over: its account is closed now.
void record_fallback(struct exchange *exchange, unsigned status, enum error_reason reason);
