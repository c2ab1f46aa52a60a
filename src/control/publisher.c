#include "publisher.h"

#include "base/log.h"

struct publisher {
    struct data_plane *plane;
    struct plan *plan; // with a reference of our own
    struct event *flush;
    bool *by_command; // by route of the plan
    bool *touched;    // by pool of the plan
    bool any_touched;
};

static void on_flush(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    publisher_flush(context);
}

struct publisher *publisher_new(struct event_base *base, struct data_plane *plane) {
    struct publisher *publisher = mem_zero(1, sizeof *publisher);
    publisher->plane = plane;
    publisher->flush = event_new(base, -1, 0, on_flush, publisher);
    must(publisher->flush != NULL);
    return publisher;
}

void publisher_free(struct publisher *publisher) {
    if (!publisher)
        return;
    event_free(publisher->flush);
    plan_unref(publisher->plan);
    mem_free(publisher->by_command);
    mem_free(publisher->touched);
    mem_free(publisher);
}

const struct plan *publisher_plan(const struct publisher *publisher) {
    return publisher->plan;
}

bool publisher_by_command(const struct publisher *publisher, size_t route) {
    return publisher->by_command[route];
}

static void log_replaced(const struct publisher *publisher, const struct plan *plan) {
    if (!publisher->plan)
        return;
    for (size_t i = 0; i < publisher->plan->config->route_count; i++) {
        const char *name = publisher->plan->config->routes[i].name;
        if (publisher->by_command[i] && config_route(plan->config, name, NULL))
            log_info("weights set by hand were replaced by the file's", "route=%s", name);
    }
}

void publisher_adopt(struct publisher *publisher, struct plan *take_plan) {
    log_replaced(publisher, take_plan);
    plan_unref(publisher->plan);
    mem_free(publisher->by_command);
    mem_free(publisher->touched);
    publisher->plan = take_plan;
    publisher->by_command = mem_zero(take_plan->config->route_count + 1, sizeof(bool));
    publisher->touched = mem_zero(take_plan->config->pool_count + 1, sizeof(bool));
    publisher->any_touched = false; // the new plan was made from the endpoints' present states
    event_del(publisher->flush);
}

static void replace(struct publisher *publisher, struct plan *take_plan) {
    plan_unref(publisher->plan);
    publisher->plan = take_plan;
}

uint64_t publisher_set_weights(struct publisher *publisher, size_t route, const uint16_t *weights,
                               bool by_command) {
    replace(publisher, plan_with_weights(publisher->plan, route, weights));
    publisher->by_command[route] = by_command;
    data_plane_publish(publisher->plane, plan_ref(publisher->plan));
    return publisher->plan->number;
}

void publisher_touch(struct publisher *publisher, size_t pool) {
    static const struct timeval now = {0, 0};
    publisher->touched[pool] = true;
    if (!publisher->any_touched)
        event_add(publisher->flush, &now);
    publisher->any_touched = true;
}

uint64_t publisher_flush(struct publisher *publisher) {
    if (!publisher->any_touched)
        return publisher->plan->number;
    for (size_t i = 0; i < publisher->plan->config->pool_count; i++) {
        if (publisher->touched[i])
            replace(publisher, plan_with_pool(publisher->plan, i));
        publisher->touched[i] = false;
    }
    publisher->any_touched = false;
    event_del(publisher->flush);
    data_plane_publish(publisher->plane, plan_ref(publisher->plan));
    return publisher->plan->number;
}
