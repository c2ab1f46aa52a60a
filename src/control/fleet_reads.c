// What is read when somebody needs it, since nobody watches it: a route's ledger, and its decisions.
#include "base/mem.h"
#include "fleet_inside.h"

struct read {
    struct link link;
    struct fleet *fleet;
    struct etcd_call *call;   // a ledger's
    struct etcd_pages *pages; // decisions'
    void (*ledger)(struct slice ledger, const struct error *error, void *context);
    void (*decisions)(const struct slice *decisions, size_t count, const struct error *error, void *context);
    void *context;
};

static struct read *read_new(struct fleet *fleet, void *context) {
    struct read *read = mem_zero(1, sizeof *read);
    read->fleet = fleet;
    read->context = context;
    list_push(&fleet->reads, &read->link);
    return read;
}

static void read_free(struct read *read) {
    fleet_cancel(&read->call);
    fleet_cancel_pages(&read->pages);
    list_remove(&read->link);
    mem_free(read);
}

static void fail(struct read *read, const char *why) {
    struct error error;
    struct read was = *read;
    error_set(&error, "%s", why);
    read_free(read);
    if (was.ledger)
        was.ledger(SLICE_NONE, &error, was.context);
    else
        was.decisions(NULL, 0, &error, was.context);
}

// ---- a ledger

static void ledger_came(const struct etcd_answer *answer, void *context) {
    struct read *read = context, was = *read;
    read->call = NULL;
    if (answer->error) {
        fail(read, answer->error);
        return;
    }
    read_free(read);
    was.ledger(answer->pair_count ? answer->pairs[0].value : SLICE_NONE, NULL, was.context);
}

void fleet_read_ledger(struct fleet *fleet, struct slice route,
                       void (*done)(struct slice ledger, const struct error *error, void *context),
                       void *context) {
    struct read *read = read_new(fleet, context);
    struct strbuf key = {0};
    struct etcd_range range = {.key = fleet_key(fleet, &key, "/ledgers/", route)};
    read->ledger = done;
    read->call = etcd_range(fleet->etcd, &range, ledger_came, read);
    strbuf_free(&key);
}

// ---- decisions: the newest come first from there

static void decisions_came(const struct etcd_answer *answer, void *context) {
    struct read *read = context, was = *read;
    read->pages = NULL;
    if (answer->error) {
        fail(read, answer->error);
        return;
    }
    struct slice *decisions = mem_zero(answer->pair_count + 1, sizeof *decisions);
    for (size_t i = 0; i < answer->pair_count; i++)
        decisions[i] = answer->pairs[answer->pair_count - 1 - i].value;
    read_free(read);
    was.decisions(decisions, answer->pair_count, NULL, was.context);
    mem_free(decisions);
}

void fleet_read_decisions(struct fleet *fleet, struct slice route, uint64_t after,
                          void (*done)(const struct slice *decisions, size_t count, const struct error *error,
                                       void *context),
                          void *context) {
    struct read *read = read_new(fleet, context);
    struct strbuf below = {0}, last = {0};
    fleet_key(fleet, &below, "/decisions/", route);
    strbuf_char(&below, '/');
    fleet_decision_key(fleet, &last, route, after);
    struct etcd_range range = {.key = strbuf_as_slice(&below),
                               .prefix = true,
                               .after = strbuf_as_slice(&last),
                               .limit = FLEET_DECISIONS,
                               .descending = true};
    read->decisions = done;
    read->pages = etcd_pages_read(fleet->etcd, &range, decisions_came, read);
    strbuf_free(&below);
    strbuf_free(&last);
}

// ---- the end

// What is begun from inside stays.
void fleet_reads_close(struct fleet *fleet) {
    struct link ended, *link;
    list_init(&ended);
    while ((link = list_pop(&fleet->reads)))
        list_push(&ended, link);
    while (!list_empty(&ended))
        fail(list_entry(ended.next, struct read, link), "the fleet was left before etcd answered");
}

void fleet_reads_drop(struct fleet *fleet) {
    while (!list_empty(&fleet->reads))
        read_free(list_entry(fleet->reads.next, struct read, link));
}
