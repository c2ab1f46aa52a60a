#include "farewell.h"

#include "base/clock.h"
#include "control.h"
#include "membership.h"
#include "rollouts.h"
#include "span_exporter.h"

#define FAREWELL_NS (UINT64_C(2) * NS_PER_S) // at most, for what nobody has been told yet

static void wake_up(int fd, short what, void *context) {
    (void)fd, (void)what, (void)context;
}

void farewell(struct control *control) {
    static const struct timeval look = {0, 20000};
    uint64_t until = clock_monotonic_ns() + FAREWELL_NS;
    struct event *timer = event_new(control->base, -1, EV_PERSIST, wake_up, NULL);
    must(timer && event_add(timer, &look) == 0);
    rollouts_hurry(control->rollouts);
    span_exporter_hurry(control->spans);
    membership_hurry(control->membership);
    while ((rollouts_busy(control->rollouts) || span_exporter_busy(control->spans) ||
            membership_busy(control->membership)) &&
           clock_monotonic_ns() < until)
        event_base_loop(control->base, EVLOOP_ONCE);
    event_free(timer);
}
