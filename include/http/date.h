// date: a point in time as HTTP writes it (RFC 9110 5.6.7), in each of the three forms that a recipient must
// understand. (base/clock.h writes the one form that is sent.) Pure; any thread.
#pragma once
#include "base/slice.h"

// Unix time in seconds. False: it is none of the three, or no day of the calendar.
bool date_read(struct slice text, int64_t *seconds);
