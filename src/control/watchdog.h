// watchdog: tells the service manager that this daemon is alive, as often as it wants to hear it; alive is
// when the control thread and every worker answer. Nothing where nobody asks. Control thread.
#pragma once
#include "proxy/data_plane.h"

struct watchdog;
struct watchdog *watchdog_new(struct event_base *base, struct data_plane *plane); // NULL: nobody asks
void watchdog_free(struct watchdog *watchdog);                                    // NULL is allowed
