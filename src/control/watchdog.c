#include "watchdog.h"

#include "base/mem.h"
#include "proxy/handover.h"
#include "service.h"

struct watchdog {
    struct data_plane *plane;
    struct event *timer;
};

// Of the workers it counts what they were asked the last time.
static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    const struct watchdog *watchdog = context;
    if (data_plane_beat(watchdog->plane))
        service_alive();
}

struct watchdog *watchdog_new(struct event_base *base, struct data_plane *plane) {
    uint64_t us = service_watchdog() / 3; // one answer may be late
    struct timeval every = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    if (us == 0)
        return NULL;
    struct watchdog *watchdog = mem_zero(1, sizeof *watchdog);
    watchdog->plane = plane;
    watchdog->timer = event_new(base, -1, EV_PERSIST, on_timer, watchdog);
    must(watchdog->timer && event_add(watchdog->timer, &every) == 0);
    return watchdog;
}

void watchdog_free(struct watchdog *watchdog) {
    if (!watchdog)
        return;
    event_free(watchdog->timer);
    mem_free(watchdog);
}
