#include "traffic.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "visitor.h"

#include <math.h>

#define VISITORS_MOST 2000
#define STREAM_SHARE  3               // of 10 requests
#define IDLE_MOST_NS  (30 * NS_PER_S) // well under the proxy's own: it never closes on us while we ask
#define BEHIND_MOST   (NS_PER_S / 2)  // more than that is not made up for

struct traffic {
    struct event_base *base;
    const struct settings *settings;
    struct witness *witness;
    bool (*expected)(const struct witness_visit *visit, void *context);
    void (*answered)(const struct witness_visit *visit, void *context);
    void *context;
    struct random_state random;
    struct event *timer;
    uint64_t next_ns;
    struct link all, idle;
    unsigned count, active;
    uint64_t put_off;
};

static void on_done(struct visitor *visitor, const struct witness_visit *seen, void *context) {
    struct traffic *traffic = context;
    struct witness_visit visit = *seen;
    visit.expected = !visit.good && traffic->expected(&visit, traffic->context);
    witness_advance(traffic->witness, clock_monotonic_ns());
    witness_add(traffic->witness, &visit);
    traffic->answered(&visit, traffic->context);
    traffic->active--;
    list_push_front(&traffic->idle, &visitor->idle); // the warmest is asked next
}

// NULL when too many are busy.
static struct visitor *take_visitor(struct traffic *traffic) {
    if (!list_empty(&traffic->idle))
        return list_entry(traffic->idle.next, struct visitor, idle);
    if (traffic->count == VISITORS_MOST)
        return NULL;
    struct visitor *visitor =
        visitor_new(traffic->base, traffic->settings->host, traffic->settings->port, on_done, traffic);
    list_push(&traffic->all, &visitor->all);
    traffic->count++;
    return visitor;
}

static void drop_old(struct traffic *traffic, uint64_t now_ns) {
    while (!list_empty(&traffic->idle)) {
        struct visitor *coldest = list_entry(traffic->idle.prev, struct visitor, idle);
        if (now_ns - coldest->idle_since_ns < IDLE_MOST_NS)
            return;
        visitor_free(coldest);
        traffic->count--;
    }
}

static void send_one(struct traffic *traffic, uint64_t now_ns) {
    struct visitor *visitor = take_visitor(traffic);
    unsigned user = (unsigned)random_below(&traffic->random, traffic->settings->users);
    if (!visitor) {
        traffic->put_off++;
        return;
    }
    traffic->active++;
    unsigned question = (unsigned)random_below(&traffic->random, 1000);
    visitor_ask(visitor, user, question, random_below(&traffic->random, 10) < STREAM_SHARE, now_ns);
}

// Exponentially distributed, as the gaps between requests of many independent users are.
static uint64_t gap_ns(struct traffic *traffic) {
    double uniform = (double)((random_next(&traffic->random) >> 11) + 1) * 0x1p-53;
    return (uint64_t)(-log(uniform) * (double)NS_PER_S / traffic->settings->rate);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    struct traffic *traffic = context;
    uint64_t now = clock_monotonic_ns();
    (void)fd, (void)what;
    if (now > traffic->next_ns + BEHIND_MOST)
        traffic->next_ns = now;
    for (; traffic->next_ns <= now; traffic->next_ns += gap_ns(traffic))
        send_one(traffic, now);
    drop_old(traffic, now);
    uint64_t wait_us = (traffic->next_ns - now) / 1000;
    struct timeval wait = {.tv_sec = (time_t)(wait_us / 1000000),
                           .tv_usec = (suseconds_t)(wait_us % 1000000)};
    evtimer_add(traffic->timer, &wait);
}

struct traffic *traffic_new(struct event_base *base, const struct settings *settings, struct witness *witness,
                            bool (*expected)(const struct witness_visit *visit, void *context),
                            void (*answered)(const struct witness_visit *visit, void *context),
                            void *context) {
    struct traffic *traffic = mem_zero(1, sizeof *traffic);
    *traffic = (struct traffic){.base = base,
                                .settings = settings,
                                .witness = witness,
                                .expected = expected,
                                .answered = answered,
                                .context = context,
                                .timer = evtimer_new(base, on_timer, traffic)};
    must(traffic->timer != NULL);
    random_seed(&traffic->random);
    list_init(&traffic->all);
    list_init(&traffic->idle);
    return traffic;
}

void traffic_free(struct traffic *traffic) {
    if (!traffic)
        return;
    while (!list_empty(&traffic->all))
        visitor_free(list_entry(traffic->all.next, struct visitor, all));
    event_free(traffic->timer);
    mem_free(traffic);
}

void traffic_start(struct traffic *traffic) {
    traffic->next_ns = clock_monotonic_ns();
    if (traffic->settings->rate)
        event_active(traffic->timer, EV_TIMEOUT, 0);
}

void traffic_stop(struct traffic *traffic) {
    event_del(traffic->timer);
}

unsigned traffic_active(const struct traffic *traffic) {
    return traffic->active;
}

uint64_t traffic_put_off(const struct traffic *traffic) {
    return traffic->put_off;
}
