#include "events.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

#define UNSENT_MOST ((size_t)4 << 20) // of one client; past it decisions are lost anyway: it is let go
#define LATE_MOST   10 // statuses that a client may miss in a row because it has not read the last

struct follower {
    struct link link;
    struct call *call;
    unsigned late;
};
struct events {
    struct link followers;
    size_t count;
    struct event *timer;
    struct timeval interval;
    void (*write_status)(const void *context, struct strbuf *out);
    const void *context;
};

static void let_go(struct events *events, struct follower *follower) {
    list_remove(&follower->link);
    events->count--;
    mem_free(follower);
    if (events->count == 0)
        event_del(events->timer);
}

// False: it has gone, by itself or because it does not read.
static bool keeps_up(struct events *events, struct follower *follower) {
    size_t unsent = call_stream_unsent(follower->call);
    follower->late = unsent ? follower->late + 1 : 0;
    if (call_stream_open(follower->call) && unsent <= UNSENT_MOST && follower->late <= LATE_MOST)
        return true;
    if (call_stream_open(follower->call))
        log_info("a client of /api/v1/events does not keep up and is let go", "unsent=%zu", unsent);
    call_stream_drop(follower->call);
    let_go(events, follower);
    return false;
}

static void write_event(struct strbuf *out, const char *event, struct slice json) {
    strbuf_format(out, "event: %s\ndata: ", event);
    strbuf_slice(out, slice_trim(json));
    strbuf_literal(out, "\n\n");
}

static void write_status(const struct events *events, struct strbuf *out) {
    struct strbuf json = {0};
    events->write_status(events->context, &json);
    write_event(out, "status", strbuf_as_slice(&json));
    strbuf_free(&json);
}

static void on_interval(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct events *events = context;
    struct strbuf status = {0};
    for (struct link *at = events->followers.next, *next; at != &events->followers; at = next) {
        struct follower *follower = list_entry(at, struct follower, link);
        next = at->next;
        if (!keeps_up(events, follower) || follower->late)
            continue; // who has not read the last status gets no further one on top
        if (status.len == 0)
            write_status(events, &status);
        call_stream_send(follower->call, strbuf_as_slice(&status));
    }
    strbuf_free(&status);
}

struct events *events_new(struct event_base *base, unsigned interval_ms,
                          void (*status)(const void *context, struct strbuf *out), const void *context) {
    struct events *events = mem_zero(1, sizeof *events);
    list_init(&events->followers);
    events->write_status = status;
    events->context = context;
    events->interval.tv_sec = interval_ms / 1000;
    events->interval.tv_usec = (suseconds_t)(interval_ms % 1000 * 1000);
    events->timer = event_new(base, -1, EV_PERSIST, on_interval, events);
    must(events->timer != NULL);
    return events;
}

void events_free(struct events *events) {
    if (!events)
        return;
    while (!list_empty(&events->followers)) {
        struct follower *follower = list_entry(events->followers.next, struct follower, link);
        call_stream_drop(follower->call);
        let_go(events, follower);
    }
    event_free(events->timer);
    mem_free(events);
}

size_t events_count(const struct events *events) {
    return events->count;
}

// Those that have gone since the last interval make room.
static void sweep(struct events *events) {
    for (struct link *at = events->followers.next, *next; at != &events->followers; at = next) {
        struct follower *follower = list_entry(at, struct follower, link);
        next = at->next;
        if (call_stream_open(follower->call))
            continue;
        call_stream_drop(follower->call);
        let_go(events, follower);
    }
}

bool events_join(struct events *events, struct call *call) {
    sweep(events);
    if (events->count == EVENTS_CLIENTS)
        return false;
    struct follower *follower = mem_zero(1, sizeof *follower);
    struct strbuf status = {0};
    follower->call = call;
    list_push(&events->followers, &follower->link);
    if (events->count++ == 0)
        event_add(events->timer, &events->interval);
    call_stream(call, "text/event-stream; charset=utf-8");
    write_status(events, &status);
    call_stream_send(call, strbuf_as_slice(&status));
    strbuf_free(&status);
    return true;
}

void events_tell(struct events *events, const char *event, struct slice json) {
    struct strbuf text = {0};
    write_event(&text, event, json);
    for (struct link *at = events->followers.next; at != &events->followers; at = at->next)
        call_stream_send(list_entry(at, struct follower, link)->call, strbuf_as_slice(&text));
    strbuf_free(&text);
}

void events_end(struct events *events) {
    while (!list_empty(&events->followers)) {
        struct follower *follower = list_entry(events->followers.next, struct follower, link);
        call_stream_end(follower->call);
        let_go(events, follower);
    }
}
