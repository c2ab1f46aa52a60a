#include "proxy/handover.h"
#include "plane.h"

void data_plane_inherit(struct data_plane *plane, struct inherited *inherited) {
    plane->inherited = inherited;
}

void data_plane_lend(const struct data_plane *plane, size_t index, struct lent_listener *listener) {
    const struct running_listener *running = &plane->listeners[index];
    *listener = (struct lent_listener){
        .configured = running->configured,
        .fds = running->fds,
        .count = running->sockets,
        .file = &running->file,
        .lent = running->lent,
    };
}

static void tell_to_leave(struct data_plane *plane, const unsigned *ids, size_t count) {
    for (unsigned i = 0; count && i < plane->worker_count; i++) {
        struct leave_message *message = mem_zero(1, sizeof *message + count * sizeof *ids);
        message->message.kind = WORKER_LEAVE;
        message->count = count;
        memcpy(message->ids, ids, count * sizeof *ids);
        crew_post(plane, i, &message->message);
    }
}

void data_plane_leave(struct data_plane *plane, bool (*taken)(const char *configured, void *context),
                      void *context) {
    unsigned *ids = mem_alloc((plane->listener_count + 1) * sizeof *ids);
    size_t count = 0;
    for (size_t i = 0; i < plane->listener_count; i++) {
        struct running_listener *listener = &plane->listeners[i];
        if (!taken(listener->configured, context))
            continue;
        socket_file_leave(&listener->file);
        ids[count++] = listener->id;
    }
    tell_to_leave(plane, ids, count);
    mem_free(ids);
}

void handover_leave_lent(struct data_plane *plane) {
    unsigned *ids = mem_alloc((plane->listener_count + 1) * sizeof *ids);
    size_t count = 0;
    for (size_t i = 0; i < plane->listener_count; i++)
        if (plane->listeners[i].lent)
            ids[count++] = plane->listeners[i].id;
    tell_to_leave(plane, ids, count);
    mem_free(ids);
}

bool data_plane_beat(struct data_plane *plane) {
    bool alive = true;
    for (unsigned i = 0; i < plane->worker_count; i++) {
        alive = alive && counter_read(&plane->workers[i]->beats) >= plane->beats;
        struct message *beat = mem_zero(1, sizeof *beat);
        beat->kind = WORKER_BEAT;
        crew_post(plane, i, beat);
    }
    plane->beats++;
    return alive;
}
