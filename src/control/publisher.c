#include "publisher.h"

#include "base/clock.h"
#include "base/log.h"

struct turning {       // a turn that waits for the slowest worker
    struct turn *turn; // with a reference; NULL: none
    uint64_t number;   // of the plan that has it
};
struct publisher {
    struct data_plane *plane;
    struct plan *plan; // with a reference of our own
    struct event *flush;
    bool *by_command;        // by route of the plan
    struct turning *turning; // by route of the plan
    struct adoption *adoption;
    bool *touched; // by pool of the plan
    bool any_touched;
    uint64_t published_ns; // monotonic; the live plan, 0: a reload's
    double adoption_seconds;
};

static void on_flush(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    publisher_flush(context);
}

static void turn_now(struct turning *turning) {
    atomic_store_explicit(&turning->turn->done, true, memory_order_release);
    turn_unref(turning->turn);
    turning->turn = NULL;
}

static void turnings_free(struct publisher *publisher) {
    for (size_t i = 0; publisher->plan && i < publisher->plan->config->route_count; i++)
        if (publisher->turning[i].turn)
            turn_now(&publisher->turning[i]);
    mem_free(publisher->turning);
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
    turnings_free(publisher);
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
    turnings_free(publisher);
    plan_unref(publisher->plan);
    mem_free(publisher->by_command);
    mem_free(publisher->touched);
    publisher->plan = take_plan;
    publisher->published_ns = 0;
    publisher->by_command = mem_zero(take_plan->config->route_count + 1, sizeof(bool));
    publisher->turning = mem_zero(take_plan->config->route_count + 1, sizeof *publisher->turning);
    publisher->touched = mem_zero(take_plan->config->pool_count + 1, sizeof(bool));
    publisher->any_touched = false; // the new plan was made from the endpoints' present states
    event_del(publisher->flush);
}

static void replace(struct publisher *publisher, struct plan *take_plan) {
    plan_unref(publisher->plan);
    publisher->plan = take_plan;
}

static void publish(struct publisher *publisher) {
    publisher->published_ns = clock_monotonic_ns();
    data_plane_publish(publisher->plane, plan_ref(publisher->plan));
}

void publisher_adopted(struct publisher *publisher, uint64_t number, uint64_t at_ns) {
    if (!publisher->published_ns || number != publisher->plan->number)
        return;
    publisher->adoption_seconds = (double)(at_ns - publisher->published_ns) / 1e9;
    publisher->published_ns = 0;
}

double publisher_adoption(const struct publisher *publisher) {
    return publisher->adoption_seconds;
}

// Of the route and those it is linked with: they have one set of weights.
static void note_command(struct publisher *publisher, size_t route, bool by_command) {
    const struct config *config = publisher->plan->config;
    for (size_t i = 0; i < config->route_count; i++)
        if (config_linked(&config->routes[route], &config->routes[i]))
            publisher->by_command[i] = by_command;
}

void publisher_set_by_command(struct publisher *publisher, size_t route) {
    note_command(publisher, route, true);
}

struct plan *publisher_plan_ref(const struct publisher *publisher) {
    return plan_ref(publisher->plan);
}

void publisher_replace(struct publisher *publisher, struct plan *take_plan) {
    bool same = take_plan == publisher->plan;
    replace(publisher, take_plan);
    if (!same)
        publish(publisher);
}

uint64_t publisher_set_weights(struct publisher *publisher, size_t route, const uint16_t *weights,
                               bool by_command) {
    replace(publisher, plan_with_weights(publisher->plan, route, weights));
    note_command(publisher, route, by_command);
    publish(publisher);
    return publisher->plan->number;
}

static void on_all_ready(void *context) {
    struct publisher *publisher = context;
    for (size_t i = 0; i < publisher->plan->config->route_count; i++)
        if (publisher->turning[i].turn && publisher->turning[i].number <= publisher->adoption->reached)
            turn_now(&publisher->turning[i]);
}

uint64_t publisher_turn(struct publisher *publisher, struct adoption *adoption, size_t route,
                        const uint16_t *weights) {
    struct turning *turning = &publisher->turning[route];
    if (turning->turn)
        turn_now(turning);
    replace(publisher, plan_with_turn(publisher->plan, route, weights));
    note_command(publisher, route, false);
    publisher->adoption = adoption;
    *turning = (struct turning){turn_ref(publisher->plan->routes[route].live.turn), publisher->plan->number};
    publish(publisher);
    adoption_wait(adoption, turning->number, on_all_ready, publisher);
    return turning->number;
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
    publish(publisher);
    return publisher->plan->number;
}
