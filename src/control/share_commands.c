// What persons tell a shared rollout, here or at another instance; and what the leader's questions bring.
#include "base/clock.h"
#include "control/emit.h"
#include "share_inside.h"

#include <string.h>

#define PATIENCE_MS 5000

// ---- waiting for their turn

struct share_event *share_event_new(enum rollout_event_kind kind, const char *because,
                                    const uint16_t *weights) {
    struct share_event *event = mem_zero(1, sizeof *event);
    event->kind = kind;
    event->because = mem_copy_string(because);
    if (weights)
        memcpy(event->weights, weights, sizeof event->weights);
    return event;
}

void share_event_free(struct share_event *event) {
    if (!event)
        return;
    list_remove(&event->link);
    mem_free(event->because);
    strbuf_free(&event->ask);
    mem_free(event);
}

static void answer_ask(struct share *share, const struct share_event *event, const char *refused) {
    struct strbuf text = {0};
    struct emit emit = {.out = &text};
    emit_object(&emit);
    emit_text(emit_name(&emit, "refused"), refused);
    emit_end(&emit, '}');
    fleet_answer(share_fleet(share), strbuf_as_slice(&event->ask), event->ask_revision,
                 strbuf_as_slice(&text));
    strbuf_free(&text);
}

// What was carried out was answered when it was written. Who does not lead any more answers nobody.
void share_event_done(struct share *share, struct share_event *event, const char *refused) {
    struct rollout_reply reply = event->reply;
    struct error error;
    if (event->ask.len && refused && share_leads(share))
        answer_ask(share, event, refused);
    if (refused)
        error_set(&error, "%s", refused);
    share_event_free(event);
    if (reply.done)
        reply.done(refused ? &error : NULL, reply.context);
}

void share_refuse_events(struct share *share, const char *why) {
    struct link *link;
    while ((link = list_pop(&share->events)))
        share_event_done(share, list_entry(link, struct share_event, link), why);
}

struct rollout_event share_event_of(const struct share *share, const struct share_event *event) {
    return (struct rollout_event){.kind = event->kind,
                                  .because = event->because,
                                  .weights = event->weights,
                                  .version = share_version(share)};
}

void share_send(struct share *share, const struct rollout_event *event) {
    if (share_leads(share))
        list_push(&share->events, &share_event_new(event->kind, event->because, event->weights)->link);
}

// ---- commands

static const struct {
    enum rollout_event_kind kind;
    const char *name;
} names[] = {
    {EVENT_PROMOTE, "promote"}, {EVENT_PROMOTE_FULL, "promote_full"}, {EVENT_PAUSE, "pause"},
    {EVENT_RESUME, "resume"},   {EVENT_ROLLBACK, "rollback"},         {EVENT_RETRY, "retry"},
    {EVENT_WEIGHTS, "weights"},
};
#define NAMES (sizeof names / sizeof *names)

static void emit_weights(const struct share *share, const uint16_t *weights, struct emit *emit) {
    const struct route_config *config = share->controller->config;
    emit_object(emit_name(emit, "weights"));
    for (size_t i = 0; i < config->variant_count; i++)
        emit_u64(emit_name(emit, config->variants[i].name), weights[i]);
    emit_end(emit, '}');
}

static void write_ask(const struct share *share, const struct rollout_event *event, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), share->controller->name);
    for (size_t i = 0; i < NAMES; i++)
        if (names[i].kind == event->kind)
            emit_text(emit_name(&emit, "command"), names[i].name);
    emit_text(emit_name(&emit, "reason"), event->because);
    if (event->kind == EVENT_WEIGHTS)
        emit_weights(share, event->weights, &emit);
    emit_end(&emit, '}');
}

static void on_answer(struct slice answer, const struct error *error, void *context) {
    struct forwarded *forwarded = context;
    struct rollout_reply reply = forwarded->reply;
    struct error refused;
    json_t *root = answer.at ? json_loadb(answer.at, answer.len, 0, NULL) : NULL;
    const char *why = json_string_value(json_object_get(root, "refused"));
    if (why)
        error_set(&refused, "%s", why);
    else if (answer.at && !json_is_null(json_object_get(root, "refused")))
        error_set(&refused, "the fleet's leader gave no answer that is understood");
    bool bad = why || (answer.at && !json_is_null(json_object_get(root, "refused")));
    json_decref(root);
    list_remove(&forwarded->link);
    mem_free(forwarded);
    reply.done(error ? error : bad ? &refused : NULL, reply.context);
}

static void forward(struct share *share, const struct rollout_event *event, struct rollout_reply reply) {
    struct strbuf text = {0};
    struct forwarded *forwarded = mem_zero(1, sizeof *forwarded);
    write_ask(share, event, &text);
    forwarded->share = share;
    forwarded->reply = reply;
    list_push(&share->forwarded, &forwarded->link);
    forwarded->ask = fleet_ask(share_fleet(share), strbuf_as_slice(&text), PATIENCE_MS, on_answer, forwarded);
    strbuf_free(&text);
}

static void refuse(struct rollout_reply reply, const char *why) {
    struct error error;
    error_set(&error, "%s", why);
    reply.done(&error, reply.context);
}

void share_command(struct share *share, const struct rollout_event *event, struct rollout_reply reply) {
    if (share->role == FLEET_APART && event->kind == EVENT_ROLLBACK) {
        share_take_back(share, event->because ? event->because : "by a person", true);
        reply.done(NULL, reply.context);
    } else if (share->role == FLEET_APART) {
        refuse(reply,
               "etcd cannot be reached: until it is, only `rollback` is carried out, on this instance");
    } else if (share_leads(share)) {
        struct share_event *queued = share_event_new(event->kind, event->because, event->weights);
        queued->reply = reply;
        list_push(&share->events, &queued->link);
        share_lead(share, clock_monotonic_ns()); // now, unless something is under way
    } else {
        forward(share, event, reply);
    }
}

static bool read_weights(const struct share *share, const json_t *root, uint16_t *weights) {
    const struct route_config *config = share->controller->config;
    json_int_t sum = 0;
    memset(weights, 0, SPLIT_ARMS * sizeof *weights);
    for (size_t i = 0; i < config->variant_count; i++) {
        json_int_t weight = json_integer_value(json_object_get(root, config->variants[i].name));
        if (weight < 0 || weight > SHARE_WHOLE)
            return false;
        weights[i] = (uint16_t)weight;
        sum += weight;
    }
    return sum == SHARE_WHOLE;
}

void share_ask(struct share *share, struct slice ask, int64_t revision, json_t *asked) {
    const char *command = json_string_value(json_object_get(asked, "command"));
    uint16_t weights[SPLIT_ARMS] = {0};
    size_t which = 0;
    for (const struct link *at = share->events.next; at != &share->events; at = at->next)
        if (slice_equal(strbuf_as_slice(&list_entry(at, struct share_event, link)->ask), ask))
            return; // it came twice
    if (share->proposal && share->proposal->event &&
        slice_equal(strbuf_as_slice(&share->proposal->event->ask), ask))
        return;
    while (command && which < NAMES && strcmp(names[which].name, command) != 0)
        which++;
    bool understood = command && which < NAMES &&
                      (names[which].kind != EVENT_WEIGHTS ||
                       read_weights(share, json_object_get(asked, "weights"), weights));
    struct share_event *event = share_event_new(understood ? names[which].kind : EVENT_TICK,
                                                json_string_value(json_object_get(asked, "reason")), weights);
    strbuf_slice(&event->ask, ask);
    event->ask_revision = revision;
    if (!understood) {
        share_event_done(share, event, "the fleet's leader does not understand this command");
        return;
    }
    list_push(&share->events, &event->link);
    if (share_leads(share))
        share_lead(share, clock_monotonic_ns());
}
