#include "affinity.h"

#include "base/clock.h"
#include "crew.h"
#include "http/pick.h"
#include "http/unzip.h"
#include "traffic/pointer.h"
#include "traffic/tasks.h"

#define IDS_MOST 64 // segments of a path and other places that are looked up

// What an answer that may begin a task is read for.
struct learner {
    struct unzip *unzip; // of gzip
    size_t count, told;
    struct pick picks[];
};

// ---- using

struct ids {
    struct slice items[IDS_MOST];
    size_t count;
};

static void add(struct ids *ids, struct slice id) {
    if (id.at && id.len && ids->count < IDS_MOST)
        ids->items[ids->count++] = id;
}

static void add_segments(struct ids *ids, struct slice path) {
    while (path.at)
        add(ids, slice_cut(&path, '/'));
}

static void add_from_body(struct ids *ids, const struct request_view *view, const char *pointer) {
    struct document *document = view->body.len ? document_parse(view->body) : NULL;
    if (!document)
        return;
    add(ids, document_scalar(document, pointer, view->arena));
    document_free(document);
}

static void add_place(struct ids *ids, const struct task_place *place, const struct request_view *view) {
    const struct field *field;
    switch (place->kind) {
    case TASK_PATH_SEGMENT:
        add_segments(ids, view->path);
        break;
    case TASK_HEADER:
        field = head_find_name(view->head, slice_of(place->name));
        if (field)
            add(ids, slice_trim(field->value));
        break;
    case TASK_QUERY:
        add(ids, uri_query_value(view->uri.query, slice_of(place->name), view->arena));
        break;
    case TASK_JSON:
        add_from_body(ids, view, place->name);
        break;
    }
}

static size_t variant_named(const struct route_config *route, const char *name) {
    size_t i = 0;
    while (i < route->variant_count && strcmp(route->variants[i].name, name) != 0)
        i++;
    return i;
}

void affinity_decide(struct exchange *exchange, const struct request_view *view) {
    const struct route_config *config = exchange->route->live.config;
    struct tasks *tasks = exchange->route->tasks;
    struct ids ids = {.count = 0};
    struct task_room room;
    bool fresh;
    if (exchange->decision.by_tester)
        return;
    for (size_t i = 0; i < config->affinity->use_count; i++)
        add_place(&ids, &config->affinity->use[i], view);
    if (!tasks_find(tasks, ids.items, ids.count, clock_steady_ms(), &room, &fresh))
        return;
    if (fresh)
        crew_learned(exchange->worker->plane);
    size_t variant = variant_named(config, room.variant);
    if (variant == config->variant_count) {
        tasks_note_gone(tasks);
        return;
    }
    exchange->decision.variant = variant;
    exchange->decision.reason = DECIDED_BY_TASK;
    exchange->task_endpoint = arena_copy(&exchange->arena, slice_of(room.endpoint));
}

bool affinity_choose(struct exchange *exchange, const struct pool_view *view) {
    struct slice url = exchange->task_endpoint;
    exchange->task_endpoint = SLICE_NONE; // one attempt: another goes where the balance says
    if (exchange->serving != exchange->decision.variant)
        return false;
    for (size_t i = 0; i < view->endpoint_count; i++) {
        struct endpoint *endpoint = view->endpoints[i];
        if (!slice_equal(url, slice_of(endpoint->url)))
            continue;
        // One that is drained finishes what it has begun.
        unsigned states = atomic_load_explicit(&endpoint->states, memory_order_relaxed);
        if (states & (ENDPOINT_UNHEALTHY | ENDPOINT_EJECTED) || !endpoint_enter(endpoint, 0))
            break;
        exchange->endpoint = endpoint;
        return true;
    }
    tasks_note_gone(exchange->route->tasks);
    return false;
}

// ---- learning

static void learn(struct exchange *exchange, struct slice id) {
    const struct task_home home = {exchange_variant(exchange)->config->name, exchange->endpoint->url};
    if (tasks_learn(exchange->route->tasks, id, &home, clock_steady_ms()))
        crew_learned(exchange->worker->plane);
}

// The last segment of a URL or a path; anything else is an id as it is.
static struct slice last_segment(struct slice value) {
    value.len = slice_find(value, '?');
    value.len = slice_find(value, '#');
    while (value.len && value.at[value.len - 1] == '/')
        value.len--;
    for (size_t i = value.len; i > 0; i--)
        if (value.at[i - 1] == '/')
            return slice_from(value, i);
    return value;
}

static bool is_json(const struct head *head) {
    const struct field *field = head_find(head, FIELD_CONTENT_TYPE);
    if (!field)
        return false;
    struct slice rest = field->value, type = slice_trim(slice_cut(&rest, ';'));
    return slice_equal_fold(type, SLICE("application/json")) ||
           (type.len > 5 && slice_equal_fold(slice_from(type, type.len - 5), SLICE("+json")));
}

static void begin_body(struct exchange *exchange, const struct head *head) {
    const struct affinity_config *affinity = exchange->route->live.config->affinity;
    const struct field *coding = head_find(head, FIELD_CONTENT_ENCODING);
    bool plain = !coding || !coding->value.len || slice_equal_fold(coding->value, SLICE("identity"));
    bool gzip = coding && (slice_equal_fold(coding->value, SLICE("gzip")) ||
                           slice_equal_fold(coding->value, SLICE("x-gzip")));
    size_t count = 0;
    for (size_t i = 0; i < affinity->learn_count; i++)
        count += affinity->learn[i].kind == TASK_JSON;
    if (!count || !is_json(head) || !(plain || gzip))
        return;
    struct learner *learner = mem_zero(1, sizeof *learner + count * sizeof *learner->picks);
    for (size_t i = 0; i < affinity->learn_count; i++)
        if (affinity->learn[i].kind == TASK_JSON)
            pick_start(&learner->picks[learner->count++], affinity->learn[i].name);
    learner->unzip = gzip ? unzip_new() : NULL;
    exchange->learner = learner;
}

void affinity_begin(struct exchange *exchange, const struct head *head) {
    const struct affinity_config *affinity = exchange->route->live.config->affinity;
    // What only reads begins nothing.
    if (head->status >= 300 || exchange->reads_only)
        return;
    for (size_t i = 0; i < affinity->learn_count; i++) {
        const struct field *field = affinity->learn[i].kind == TASK_HEADER
                                        ? head_find_name(head, slice_of(affinity->learn[i].name))
                                        : NULL;
        if (field)
            learn(exchange, last_segment(slice_trim(field->value)));
    }
    begin_body(exchange, head);
}

static bool feed(void *context, struct slice text) {
    struct learner *learner = context;
    bool more = false;
    for (size_t i = 0; i < learner->count; i++) {
        pick_feed(&learner->picks[i], text);
        more = more || !(learner->picks[i].over || learner->picks[i].value.at);
    }
    return more;
}

void affinity_read(struct exchange *exchange, struct slice bytes) {
    struct learner *learner = exchange->learner;
    bool more = learner->unzip ? unzip_feed(learner->unzip, bytes, feed, learner) : feed(learner, bytes);
    for (size_t i = 0; i < learner->count; i++) {
        if (!learner->picks[i].value.at || learner->told >> i & 1)
            continue;
        learner->told |= (size_t)1 << i;
        learn(exchange, learner->picks[i].value);
    }
    if (!more)
        affinity_end(exchange);
}

void affinity_end(struct exchange *exchange) {
    if (!exchange->learner)
        return;
    unzip_free(exchange->learner->unzip);
    mem_free(exchange->learner);
    exchange->learner = NULL;
}
