#include "access_log.h"
#include "base/log.h"
#include "io/liveness.h"
#include "opened.h"
#include "plane.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct data_plane_change {
    struct data_plane *plane;
    const struct config *config;
    struct opened *opened;
    size_t opened_count;
    unsigned *closed; // ids
    size_t closed_count;
    int log_fd; // -1: none; only looked at when log_changed
    bool log_changed;
};

// ---- what workers ask

const unsigned char *crew_id_key(const struct data_plane *plane) {
    return plane->has_id_key ? plane->id_key : NULL;
}

void data_plane_set_id_key(struct data_plane *plane, const unsigned char key[SEAL_KEY]) {
    memcpy(plane->id_key, key, SEAL_KEY);
    plane->has_id_key = true;
}

bool crew_full(const struct data_plane *plane, int64_t limit) {
    return data_plane_connections(plane) >= data_plane_connections_limit(plane, limit);
}

const struct descriptors *crew_descriptors(const struct data_plane *plane) {
    return &plane->descriptors;
}

struct ceiling *crew_ceiling(struct data_plane *plane) {
    return &plane->ceiling;
}

bool crew_busy(const struct data_plane *plane, int64_t limit) {
    return limit > 0 && data_plane_requests(plane) > (uint64_t)limit;
}

bool crew_shaking(const struct data_plane *plane, int64_t limit) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < plane->worker_count; i++)
        sum += counter_read(&plane->workers[i]->handshakes);
    return sum >= (uint64_t)limit;
}

// ---- life

static void forget(struct running_listener *listener) {
    front_unref(listener->front);
    socket_file_remove(&listener->file);
    mem_free(listener->configured);
    mem_free(listener->fds);
}

// Ends `started` threads and frees everything.
static void plane_free(struct data_plane *plane, unsigned started) {
    for (unsigned i = 0; i < started; i++) {
        struct message *stop = mem_zero(1, sizeof(struct wake_message));
        stop->kind = WORKER_STOP;
        mailbox_post(&plane->workers[i]->mailbox, stop);
    }
    for (unsigned i = 0; i < started; i++)
        worker_join(plane->workers[i]);
    for (unsigned i = 0; i < plane->worker_count; i++)
        if (plane->workers[i])
            worker_free(plane->workers[i]);
    home_close(plane);
    access_log_free(plane->log);
    for (size_t i = 0; i < plane->listener_count; i++)
        forget(&plane->listeners[i]);
    mem_free(plane->listeners);
    mem_free(plane->adopted);
    mem_free(plane->workers);
    mem_free(plane);
}

struct data_plane *data_plane_start(unsigned workers, struct event_base *base,
                                    const struct data_plane_events *events, struct error *error) {
    struct data_plane *plane = mem_zero_aligned(64, sizeof *plane);
    plane->descriptors = descriptors_read();
    plane->events = *events;
    if (!home_open(plane, base, error)) {
        mem_free(plane);
        return NULL;
    }
    plane->log = access_log_new();
    plane->worker_count = workers;
    plane->adopted = mem_zero(workers, sizeof *plane->adopted);
    plane->workers = mem_zero(workers, sizeof *plane->workers);
    // All are there before the first runs: workers post to each other.
    for (unsigned i = 0; i < workers; i++) {
        plane->workers[i] = worker_new(plane, i, plane->log, error);
        if (!plane->workers[i]) {
            plane_free(plane, 0);
            return NULL;
        }
    }
    for (unsigned i = 0; i < workers; i++) {
        if (!worker_start(plane->workers[i], error)) {
            plane_free(plane, i);
            return NULL;
        }
    }
    return plane;
}

void data_plane_stop(struct data_plane *plane) {
    plane_free(plane, plane->worker_count);
}

void data_plane_drain(struct data_plane *plane) {
    // Before the workers close their sockets: nobody finds a file that leads nowhere, and who comes next may
    // take the place.
    for (size_t i = 0; i < plane->listener_count; i++)
        socket_file_remove(&plane->listeners[i].file);
    handover_leave_lent(plane);
    for (unsigned i = 0; i < plane->worker_count; i++) {
        struct message *message = mem_zero(1, sizeof *message);
        message->kind = WORKER_DRAIN;
        mailbox_post(&plane->workers[i]->mailbox, message);
    }
}

void data_plane_reopen_log(struct data_plane *plane) {
    access_log_reopen(plane->log);
}

// ---- reload: prepare

static struct running_listener *running(struct data_plane *plane, const char *configured) {
    for (size_t i = 0; i < plane->listener_count; i++)
        if (strcmp(plane->listeners[i].configured, configured) == 0)
            return &plane->listeners[i];
    return NULL;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

// Clients may be there before a worker has seen its socket: what they inherit is set here already.
static bool open_listener(struct data_plane_change *change, const struct listener_config *config,
                          struct front *take_front, struct error *error) {
    struct opened *opened = &change->opened[change->opened_count++];
    struct data_plane *plane = change->plane;
    if (!opened_open(opened, config, plane->worker_count, plane->inherited, take_front, error))
        return false;
    for (size_t i = 0; i < opened->sockets; i++)
        liveness_set(opened->fds[i], change->config->timeouts.tcp_user);
    return true;
}

static bool prepare_listener(struct data_plane_change *change, const struct listener_config *config,
                             struct tls_context *context, struct error *error) {
    struct running_listener *known = running(change->plane, config->address);
    struct front *front = front_new(config, context, known ? known->front : NULL);
    if (!known)
        return open_listener(change, config, front, error);
    known->front_after = front;
    known->mode_after = (mode_t)config->mode;
    return true;
}

struct data_plane_change *data_plane_prepare(struct data_plane *plane, const struct config *config,
                                             struct tls_context *const *contexts, struct error *error) {
    struct data_plane_change *change = mem_zero(1, sizeof *change);
    bool ok = true;
    change->plane = plane;
    change->config = config;
    change->log_fd = -1;
    change->opened = mem_zero(config->listener_count, sizeof *change->opened);
    change->closed = mem_zero(plane->listener_count + 1, sizeof *change->closed);
    for (size_t i = 0; ok && i < config->listener_count; i++)
        ok = prepare_listener(change, &config->listeners[i], contexts[i], error);
    for (size_t i = 0; i < plane->listener_count; i++)
        if (!plane->listeners[i].front_after)
            change->closed[change->closed_count++] = plane->listeners[i].id;
    if (ok && !same_text(access_log_path(plane->log), config->access_log.path)) {
        change->log_changed = true;
        change->log_fd = access_log_open(config->access_log.path, error);
        ok = change->log_fd != -2;
    }
    if (ok)
        return change;
    data_plane_abandon(change);
    return NULL;
}

static void change_free(struct data_plane_change *change) {
    for (size_t i = 0; i < change->opened_count; i++)
        mem_free(change->opened[i].fds); // none, after a commit
    mem_free(change->opened);
    mem_free(change->closed);
    mem_free(change);
}

void data_plane_abandon(struct data_plane_change *change) {
    for (size_t i = 0; i < change->opened_count; i++)
        opened_abandon(&change->opened[i]);
    change->opened_count = 0;
    for (size_t i = 0; i < change->plane->listener_count; i++) {
        front_unref(change->plane->listeners[i].front_after);
        change->plane->listeners[i].front_after = NULL;
    }
    if (change->log_fd >= 0)
        close(change->log_fd);
    change_free(change);
}

// ---- reload: commit

static void change_mode(struct running_listener *listener) {
    if (listener->file.path && listener->mode != listener->mode_after &&
        !socket_file_set_mode(&listener->file, listener->mode_after))
        log_error("mode of a listener's socket not changed", "path=%s error=\"%s\"", listener->file.path,
                  strerror(errno));
    listener->mode = listener->mode_after;
}

static void replace_listeners(struct data_plane *plane, struct data_plane_change *change) {
    size_t kept = 0;
    for (size_t i = 0; i < plane->listener_count; i++) {
        struct running_listener listener = plane->listeners[i];
        if (!listener.front_after) {
            forget(&listener);
            continue;
        }
        front_unref(listener.front);
        listener.front = listener.front_after;
        listener.front_after = NULL;
        change_mode(&listener);
        plane->listeners[kept++] = listener;
    }
    plane->listeners =
        mem_resize(plane->listeners, (kept + change->opened_count + 1) * sizeof *plane->listeners);
    for (size_t i = 0; i < change->opened_count; i++) {
        struct opened *opened = &change->opened[i];
        plane->listeners[kept] = (struct running_listener){
            .configured = mem_copy_string(opened->configured),
            .bound = opened->bound,
            .front = opened->front,
            .file = opened->file,
            .mode = opened->adopted ? (mode_t)-1 : opened->mode, // the predecessor's may be another
            .mode_after = opened->mode,
            .id = ++plane->last_id,
            .lent = opened->lent,
            .fds = opened->fds,
            .sockets = opened->sockets,
        };
        change_mode(&plane->listeners[kept++]);
    }
    plane->listener_count = kept;
}

static size_t opened_count(const struct data_plane_change *change) {
    size_t count = 0;
    for (size_t i = 0; i < change->opened_count; i++)
        count += change->opened[i].fd_count;
    return count;
}

// The listeners stand as they are after the change; those from `first_id` on are new.
static struct plan_message *message_for(const struct data_plane *plane,
                                        const struct data_plane_change *change, unsigned worker,
                                        unsigned first_id, struct plan *plan) {
    struct plan_message *message = mem_zero(1, sizeof *message);
    message->message.kind = WORKER_PLAN;
    message->plan = plan_ref(plan);
    if (!change)
        return message;
    message->open = mem_zero(opened_count(change) + 1, sizeof *message->open);
    message->keep = mem_zero(plane->listener_count + 1, sizeof *message->keep);
    message->close = mem_zero(change->closed_count + 1, sizeof *message->close);
    for (size_t i = 0; i < plane->listener_count; i++) {
        const struct running_listener *listener = &plane->listeners[i];
        if (listener->id < first_id) {
            message->keep[message->keep_count++] =
                (struct listener_order){listener->id, -1, front_ref(listener->front)};
            continue;
        }
        const struct opened *opened = &change->opened[listener->id - first_id];
        for (size_t k = worker; k < opened->fd_count; k += plane->worker_count)
            message->open[message->open_count++] =
                (struct listener_order){listener->id, opened->fds[k], front_ref(listener->front)};
    }
    for (size_t i = 0; i < change->closed_count; i++)
        message->close[i] = change->closed[i];
    message->close_count = (unsigned)change->closed_count;
    return message;
}

static void publish(struct data_plane *plane, const struct data_plane_change *change, unsigned first_id,
                    struct plan *take_plan) {
    for (unsigned i = 0; i < plane->worker_count; i++)
        mailbox_post(&plane->workers[i]->mailbox,
                     &message_for(plane, change, i, first_id, take_plan)->message);
    plan_unref(take_plan);
}

void data_plane_commit(struct data_plane *plane, struct data_plane_change *change, struct plan *take_plan) {
    unsigned first_id = plane->last_id + 1;
    struct error error;
    replace_listeners(plane, change);
    if (change->log_changed &&
        !access_log_switch(plane->log, change->config->access_log.path, change->log_fd, &error))
        log_error("access log is off", "error=\"%s\"", error.text);
    publish(plane, change, first_id, take_plan);
    for (size_t i = 0; i < change->opened_count; i++)
        change->opened[i].fds = NULL; // the running listeners'
    change_free(change);
}

void data_plane_publish(struct data_plane *plane, struct plan *take_plan) {
    publish(plane, NULL, 0, take_plan);
}

void data_plane_move(struct data_plane *plane, struct endpoint *endpoint, struct address_list *addresses) {
    for (unsigned i = 0; i < plane->worker_count; i++) {
        struct move_message *message = mem_zero(1, sizeof *message);
        message->message.kind = WORKER_MOVE;
        message->endpoint = endpoint_ref(endpoint);
        message->addresses = address_list_ref(addresses);
        mailbox_post(&plane->workers[i]->mailbox, &message->message);
    }
}

// ---- figures

uint64_t data_plane_connections(const struct data_plane *plane) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < plane->worker_count; i++)
        sum += counter_read(&plane->workers[i]->connections);
    return sum;
}

uint64_t data_plane_connections_limit(const struct data_plane *plane, int64_t configured) {
    uint64_t most = plane->descriptors.clients;
    return (uint64_t)configured < most ? (uint64_t)configured : most;
}

uint64_t data_plane_requests(const struct data_plane *plane) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < plane->worker_count; i++)
        sum += counter_read(&plane->workers[i]->requests);
    return sum;
}

uint64_t data_plane_memory(const struct data_plane *plane) {
    size_t held = atomic_load_explicit(&plane->ceiling.held, memory_order_relaxed);
    return held <= SIZE_MAX / 2 ? held : 0;
}

uint64_t data_plane_log_dropped(const struct data_plane *plane) {
    return access_log_dropped(plane->log);
}

void data_plane_rejected(const struct data_plane *plane,
                         void (*visit)(const char *reason, uint64_t count, void *context), void *context) {
    for (unsigned reason = REJECT_NONE + 1; reason < REFUSALS; reason++) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < plane->worker_count; i++)
            sum += counter_read(&plane->workers[i]->refused[reason]);
        visit(refusal_name((enum refusal)reason), sum, context);
    }
}

size_t data_plane_listener_count(const struct data_plane *plane) {
    return plane->listener_count;
}

void data_plane_listener_text(const struct data_plane *plane, size_t index, char text[ADDRESS_TEXT]) {
    address_text(&plane->listeners[index].bound, text);
}
