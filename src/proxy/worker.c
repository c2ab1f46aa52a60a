#include "worker.h"
#include "access_log.h"
#include "base/clock.h"
#include "crew.h"
#include "exchange.h"
#include "listener.h"
#include "shadow.h"
#include "span_lane.h"
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#define BUFFER_ROOM 65536

const char *refusal_name(enum refusal refusal) {
    switch (refusal) {
    case REFUSED_NO_ROUTE:
        return own_error_name(OWN_ERROR_NO_ROUTE);
    case REFUSED_BODY_TOO_LARGE:
        return own_error_name(OWN_ERROR_BODY_TOO_LARGE);
    case REFUSED_HEADER_TIMEOUT:
        return own_error_name(OWN_ERROR_HEADER_TIMEOUT);
    case REFUSED_BODY_TIMEOUT:
        return own_error_name(OWN_ERROR_BODY_TIMEOUT);
    case REFUSED_CONNECTIONS:
        return own_error_name(OWN_ERROR_CONNECTIONS);
    case REFUSED_REQUESTS:
        return own_error_name(OWN_ERROR_REQUESTS);
    case REFUSED_MEMORY:
        return own_error_name(OWN_ERROR_MEMORY);
    case REFUSED_HANDSHAKES:
        return "handshakes";
    case REFUSED_TLS_HANDSHAKE:
        return "tls_handshake";
    case REFUSED_PROXY_PROTOCOL:
        return "proxy_protocol";
    case REFUSED_BODY_TOO_LARGE_TO_EDIT:
        return own_error_name(OWN_ERROR_BODY_TOO_LARGE_TO_EDIT);
    case REFUSED_BODY_CODED:
        return own_error_name(OWN_ERROR_BODY_CODED);
    case REFUSED_BODY_NOT_JSON:
        return own_error_name(OWN_ERROR_BODY_NOT_JSON);
    case REFUSED_BODY_TOO_DEEP:
        return own_error_name(OWN_ERROR_BODY_TOO_DEEP);
    case REFUSED_BODY_NO_PLACE:
        return own_error_name(OWN_ERROR_BODY_NO_PLACE);
    default:
        return reject_name((enum reject)refusal);
    }
}

// ---- events

void worker_enter(struct worker *worker) {
    worker->now_ns = clock_monotonic_ns();
    ceiling_tell(&worker->share, worker_held(worker));
}

bool worker_starved(const struct worker *worker) {
    return ceiling_reached(&worker->share, worker_held(worker), worker->hold->plan->config->limits.memory);
}

void worker_leave(struct worker *worker) {
    if (!list_empty(&worker->connector.dead))
        connector_bury(&worker->connector);
    struct link *at;
    while ((at = list_pop(&worker->dead_sessions)))
        mem_free(list_entry(at, struct session, link));
}

static void connector_enter(struct connector *connector) {
    worker_enter(list_entry(connector, struct worker, connector));
}
static void connector_leave(struct connector *connector) {
    worker_leave(list_entry(connector, struct worker, connector));
}

static void connection_happened(struct connection *connection, short what) {
    if (connection->user_kind == SHADOW_CONNECTION)
        shadow_event(connection, what);
    else
        exchange_connection_event(connection, what);
}

// ---- pipes

// A body with at least so much still to come goes through a pipe, when nobody has to look at it. What costs
// least was measured (docs/performance.md): a wide pipe for uploads and for answers of many megabytes; one of
// the usual size, which passes on what it has while the rest arrives, for those of one.
#define SPLICE_LEAST (64u << 10)
#define WIDE_LEAST   (4u << 20)
#define WIDE_BYTES   (256 << 10)

struct pipe *worker_pipe(struct worker *worker, uint64_t left, uint64_t all, bool upstream) {
    if (left < SPLICE_LEAST)
        return NULL;
    return pipe_take(upstream || all >= WIDE_LEAST ? &worker->wide_pipes : &worker->pipes);
}

// ---- plans

struct plan_hold *worker_hold(struct worker *worker) {
    worker->hold->users++;
    return worker->hold;
}

void worker_release(struct worker *worker, struct plan_hold *hold) {
    (void)worker;
    if (--hold->users > 0)
        return;
    plan_unref(hold->plan);
    mem_free(hold);
}

// Onto the core that is its own, or back onto all of them.
static void settle(struct worker *worker, bool pin) {
    cpu_set_t cores = worker->cores;
    if (pin == worker->pinned || CPU_COUNT(&worker->cores) == 0)
        return;
    if (pin) {
        unsigned before = worker->index % (unsigned)CPU_COUNT(&worker->cores);
        size_t core = 0;
        while (!CPU_ISSET(core, &worker->cores) || before-- > 0)
            core++;
        CPU_ZERO(&cores);
        CPU_SET(core, &cores);
    }
    int code = pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
    if (code == 0)
        worker->pinned = pin;
    else
        log_warn("a worker's cores cannot be set", "worker=%u error=\"%s\"", worker->index, strerror(code));
}

static void adopt(struct worker *worker, struct plan_message *message) {
    struct plan_hold *old = worker->hold, *hold = mem_alloc(sizeof *hold);
    *hold = (struct plan_hold){.plan = message->plan, .users = 1};
    worker->hold = hold;
    settle(worker, hold->plan->config->cpu_affinity);
    worker->connector.tcp_user_ms = hold->plan->config->timeouts.tcp_user;
    worker->busy_ms = hold->plan->config->busy_poll;
    if (worker->busy_ms > 0)
        event_base_loopexit(worker->base, NULL); // and begins anew
    if (old)
        worker_release(worker, old);
    for (unsigned i = 0; i < message->open_count; i++) {
        if (worker->draining)
            listener_discard(&message->open[i]);
        else
            listener_open(worker, &message->open[i]);
    }
    for (unsigned i = 0; i < message->keep_count; i++)
        listener_settings(worker, &message->keep[i]);
    for (unsigned i = 0; i < message->close_count; i++)
        listener_close_id(worker, message->close[i]);
    connector_drop_idle(&worker->connector, false);
    crew_adopted(worker->plane, worker->index, hold->plan->number);
    mem_free(message->open);
    mem_free(message->keep);
    mem_free(message->close);
}

// ---- queues

static void serve_waiters(struct worker *worker, struct pool *pool) {
    struct waiter *waiter, *last = NULL;
    while ((waiter = pool_waiter(pool, worker->index)) && waiter != last) {
        last = waiter; // still the oldest after its turn: there is no room
        exchange_room(list_entry(waiter, struct exchange, waiter));
    }
}

void worker_room(struct worker *worker, struct pool *pool) {
    int lane = pool_lane_to_serve(pool);
    if (lane < 0)
        return;
    if ((unsigned)lane == worker->index) {
        serve_waiters(worker, pool);
        return;
    }
    struct wake_message *message = mem_zero(1, sizeof *message);
    message->message.kind = WORKER_WAKE;
    message->pool = pool_ref(pool);
    crew_post(worker->plane, (unsigned)lane, &message->message);
}

// Woken for room that another worker's request left. With nobody here any more it is passed on.
static void take_room(struct worker *worker, struct pool *pool) {
    serve_waiters(worker, pool);
    if (!pool_waiter(pool, worker->index))
        worker_room(worker, pool);
}

// ---- draining and stopping

void worker_maybe_drained(struct worker *worker) {
    if (!worker->draining || !list_empty(&worker->sessions))
        return;
    span_lane_flush(worker->spans); // there will be no more
    crew_drained(worker->plane, worker->index);
}

static void drain(struct worker *worker) {
    if (worker->draining)
        return;
    worker->draining = true;
    listener_close_all(worker);
    shadow_cut_all(worker);
    struct link *next;
    for (struct link *at = worker->sessions.next; at != &worker->sessions; at = next) {
        next = at->next;
        session_drain(list_entry(at, struct session, link));
    }
    worker_maybe_drained(worker);
}

static void leave(struct worker *worker, const struct leave_message *message) {
    for (size_t i = 0; i < message->count; i++)
        listener_leave_id(worker, message->ids[i]);
}

static void stop(struct worker *worker) {
    worker->draining = true;
    listener_close_all(worker);
    shadow_cut_all(worker);
    while (!list_empty(&worker->sessions)) {
        struct session *session = list_entry(worker->sessions.next, struct session, link);
        if (session->exchange)
            exchange_finish(session->exchange, FINISH_STOPPED);
        session_close(session);
    }
    connector_drop_idle(&worker->connector, true);
    event_base_loopbreak(worker->base);
}

// ---- mail

static void deliver(struct worker *worker, struct message *message) {
    switch ((enum worker_message_kind)message->kind) {
    case WORKER_PLAN:
        adopt(worker, (struct plan_message *)message);
        break;
    case WORKER_WAKE: {
        struct wake_message *wake = (struct wake_message *)message;
        take_room(worker, wake->pool);
        pool_unref(wake->pool);
        break;
    }
    case WORKER_MOVE: {
        struct move_message *move = (struct move_message *)message;
        connector_move(&worker->connector, move->endpoint, move->addresses);
        endpoint_unref(move->endpoint);
        break;
    }
    case WORKER_BEAT:
        counter_add(&worker->beats, 1);
        break;
    case WORKER_LEAVE:
        leave(worker, (struct leave_message *)message);
        break;
    case WORKER_DRAIN:
        drain(worker);
        break;
    case WORKER_STOP:
        stop(worker);
        break;
    }
    mem_free(message);
}

static void mail(int fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct worker *worker = context;
    worker_enter(worker);
    struct message *message = mailbox_take(&worker->mailbox);
    while (message) {
        struct message *next = message->next;
        deliver(worker, message);
        message = next;
    }
    worker_leave(worker);
}

void worker_report_failing(struct worker *worker, struct endpoint *endpoint) {
    crew_failing(worker->plane, endpoint);
}

struct seal *worker_seal(struct worker *worker) {
    const unsigned char *key = worker->seal ? NULL : crew_id_key(worker->plane);
    if (key)
        worker->seal = seal_new(key);
    return worker->seal;
}

// ---- life

static struct event_base *base_new(void) {
    struct event_config *config = event_config_new();
    must(config);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct worker *worker_new(struct data_plane *plane, unsigned index, struct access_log *log,
                          struct error *error) {
    struct worker *worker = mem_zero_aligned(64, sizeof *worker);
    worker->index = index;
    worker->plane = plane;
    if (!mailbox_open(&worker->mailbox, error)) {
        mem_free(worker);
        return NULL;
    }
    if (sched_getaffinity(0, sizeof worker->cores, &worker->cores) != 0)
        CPU_ZERO(&worker->cores);
    worker->base = base_new();
    must(worker->base);
    deadlines_init(&worker->deadlines, worker->base);
    buffer_pool_init(&worker->buffers, BUFFER_ROOM);
    worker->wide_pipes.bytes = WIDE_BYTES;
    const struct descriptors *fds = crew_descriptors(plane);
    worker->pipes.fd_most = worker->wide_pipes.fd_most = fds->pipes;
    worker->share.ceiling = crew_ceiling(plane);
    random_seed(&worker->random);
    list_init(&worker->listeners);
    list_init(&worker->sessions);
    list_init(&worker->dead_sessions);
    list_init(&worker->shadows);
    worker->connector = (struct connector){
        .lane = index,
        .base = worker->base,
        .deadlines = &worker->deadlines,
        .now_ns = &worker->now_ns,
        .fd_most = fds->data,
        .happened = connection_happened,
        .enter = connector_enter,
        .leave = connector_leave,
    };
    connector_init(&worker->connector);
    worker->log = log_lane_new(log, worker->base);
    worker->spans = span_lane_new(plane, worker->base);
    listener_init(worker);
    turns_init(&worker->turns, worker->base, session_turn);
    event_assign(&worker->mail_event, worker->base, worker->mailbox.wake_fd, EV_READ | EV_PERSIST, mail,
                 worker);
    must(event_add(&worker->mail_event, NULL) == 0);
    return worker;
}

// With `busy_poll` the loop comes round without sleeping until nothing has happened for that long; without,
// it goes on by itself until a plan says otherwise (adopt).
static void serve(struct worker *worker) {
    int flags = 0;
    do {
        uint64_t last_ns = worker->now_ns;
        event_base_loop(worker->base, flags);
        uint64_t busy_ns = (uint64_t)worker->busy_ms * NS_PER_MS;
        if (worker->busy_ms <= 0)
            flags = 0;
        else if (worker->now_ns != last_ns || clock_monotonic_ns() - last_ns < busy_ns)
            flags = EVLOOP_ONCE | EVLOOP_NONBLOCK;
        else
            flags = EVLOOP_ONCE;
    } while (!event_base_got_break(worker->base));
}

static void *run(void *context) {
    struct worker *worker = context;
    char name[16] = "worker-";
    name[7] = (char)('0' + worker->index / 10 % 10);
    name[8] = (char)('0' + worker->index % 10);
    prctl(PR_SET_NAME, name);
    serve(worker);
    return NULL;
}

bool worker_start(struct worker *worker, struct error *error) {
    int code = pthread_create(&worker->thread, NULL, run, worker);
    return code == 0 || error_set(error, "cannot start a worker thread: %s", strerror(code));
}

static void throw_mail_away(struct worker *worker) {
    struct message *message = mailbox_take(&worker->mailbox);
    while (message) {
        struct message *next = message->next;
        if (message->kind == WORKER_WAKE)
            pool_unref(((struct wake_message *)message)->pool);
        if (message->kind == WORKER_MOVE) {
            address_list_unref(((struct move_message *)message)->addresses);
            endpoint_unref(((struct move_message *)message)->endpoint);
        }
        if (message->kind == WORKER_PLAN) {
            struct plan_message *plan = (struct plan_message *)message;
            for (unsigned i = 0; i < plan->open_count; i++)
                listener_discard(&plan->open[i]);
            for (unsigned i = 0; i < plan->keep_count; i++)
                front_unref(plan->keep[i].front);
            plan_unref(plan->plan);
            mem_free(plan->open);
            mem_free(plan->keep);
            mem_free(plan->close);
        }
        mem_free(message);
        message = next;
    }
}

// The thread has ended, or was never started: everything of it is this thread's now.
void worker_free(struct worker *worker) {
    connector_drop_idle(&worker->connector, true);
    worker_leave(worker);
    throw_mail_away(worker);
    listener_finish(worker);
    while (worker->free_exchanges) {
        struct exchange *exchange = worker->free_exchanges;
        worker->free_exchanges = exchange->next_free;
        exchange_free(exchange);
    }
    if (worker->hold)
        worker_release(worker, worker->hold);
    log_lane_free(worker->log);
    span_lane_free(worker->spans);
    seal_free(worker->seal);
    deadlines_free(&worker->deadlines);
    buffer_pool_free(&worker->buffers);
    pipe_pool_free(&worker->pipes);
    pipe_pool_free(&worker->wide_pipes);
    strbuf_free(&worker->scratch);
    turns_finish(&worker->turns);
    event_del(&worker->mail_event);
    event_base_free(worker->base);
    mailbox_close(&worker->mailbox);
    mem_free(worker);
}

void worker_join(struct worker *worker) {
    pthread_join(worker->thread, NULL);
}
