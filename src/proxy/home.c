// Mail from the workers to the control thread.
#include "base/clock.h"
#include "plane.h"
#include "span_lane.h"

enum plane_message_kind { PLANE_ADOPTED, PLANE_DRAINED, PLANE_FAILING, PLANE_LEARNED, PLANE_SPANS };
struct plane_message {
    struct message message;
    unsigned worker;
    uint64_t number, at_ns;    // PLANE_ADOPTED
    struct endpoint *endpoint; // with a reference
    struct strbuf spans;       // PLANE_SPANS
    unsigned span_count;
};

// ---- workers

static void post_home(struct data_plane *plane, struct plane_message message) {
    struct plane_message *copy = mem_alloc(sizeof *copy);
    *copy = message;
    mailbox_post(&plane->mailbox, &copy->message);
}

void crew_post(struct data_plane *plane, unsigned worker, struct message *take_message) {
    mailbox_post(&plane->workers[worker]->mailbox, take_message);
}

void crew_adopted(struct data_plane *plane, unsigned worker, uint64_t number) {
    post_home(plane, (struct plane_message){
                         {NULL, PLANE_ADOPTED}, worker, number, clock_monotonic_ns(), NULL, {0}, 0});
}

void crew_drained(struct data_plane *plane, unsigned worker) {
    post_home(plane, (struct plane_message){.message = {NULL, PLANE_DRAINED}, .worker = worker});
}

void crew_failing(struct data_plane *plane, struct endpoint *endpoint) {
    post_home(plane,
              (struct plane_message){.message = {NULL, PLANE_FAILING}, .endpoint = endpoint_ref(endpoint)});
}

void crew_learned(struct data_plane *plane) {
    post_home(plane, (struct plane_message){.message = {NULL, PLANE_LEARNED}});
}

void crew_spans(struct data_plane *plane, struct strbuf take_spans, unsigned count) {
    if (atomic_load(&plane->spans_queued) > SPANS_BACKLOG) {
        atomic_fetch_add(&plane->spans_dropped, count);
        strbuf_free(&take_spans);
        return;
    }
    atomic_fetch_add(&plane->spans_queued, take_spans.len);
    post_home(plane, (struct plane_message){
                         .message = {NULL, PLANE_SPANS}, .spans = take_spans, .span_count = count});
}

void data_plane_spans_done(struct data_plane *plane, size_t bytes) {
    atomic_fetch_sub(&plane->spans_queued, bytes);
}

uint64_t data_plane_spans_dropped(const struct data_plane *plane) {
    return atomic_load(&plane->spans_dropped);
}

// ---- the control thread

static void announce_adopted(struct data_plane *plane) {
    uint64_t least = plane->adopted[0];
    for (unsigned i = 1; i < plane->worker_count; i++)
        if (plane->adopted[i] < least)
            least = plane->adopted[i];
    if (least <= plane->announced)
        return;
    plane->announced = least;
    plane->events.plan_adopted(least, plane->adopted_ns, plane->events.context);
}

static void receive(struct data_plane *plane, const struct plane_message *message) {
    switch ((enum plane_message_kind)message->message.kind) {
    case PLANE_ADOPTED:
        plane->adopted[message->worker] = message->number;
        if (message->at_ns > plane->adopted_ns)
            plane->adopted_ns = message->at_ns;
        announce_adopted(plane);
        break;
    case PLANE_DRAINED:
        if (++plane->drained == plane->worker_count)
            plane->events.drained(plane->events.context);
        break;
    case PLANE_LEARNED:
        plane->events.tasks_learned(plane->events.context);
        break;
    case PLANE_SPANS:
        plane->events.spans(message->spans, message->span_count, plane->events.context);
        break;
    case PLANE_FAILING:
        plane->events.endpoint_failing(message->endpoint, plane->events.context);
        endpoint_unref(message->endpoint);
        break;
    }
}

static void mail(int fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct data_plane *plane = context;
    struct message *message = mailbox_take(&plane->mailbox);
    while (message) {
        struct message *next = message->next;
        receive(plane, (struct plane_message *)message);
        mem_free(message);
        message = next;
    }
}

static void throw_mail_away(struct data_plane *plane) {
    struct message *message = mailbox_take(&plane->mailbox);
    while (message) {
        struct message *next = message->next;
        endpoint_unref(((struct plane_message *)message)->endpoint);
        strbuf_free(&((struct plane_message *)message)->spans);
        mem_free(message);
        message = next;
    }
}

bool home_open(struct data_plane *plane, struct event_base *base, struct error *error) {
    if (!mailbox_open(&plane->mailbox, error))
        return false;
    plane->mail_event = event_new(base, plane->mailbox.wake_fd, EV_READ | EV_PERSIST, mail, plane);
    must(plane->mail_event && event_add(plane->mail_event, NULL) == 0);
    return true;
}

void home_close(struct data_plane *plane) {
    throw_mail_away(plane);
    event_free(plane->mail_event);
    mailbox_close(&plane->mailbox);
}
