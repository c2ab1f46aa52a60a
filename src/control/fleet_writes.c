// What this instance writes: what it says of itself, what it has counted, and, as the leader, routes' states;
// and what it asks of the leader.
#include "fleet_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define DECISIONS_KEPT 1000
#define ASK_BYTES      64
#define SAY_AGAIN_MS   500
#define NOBODY         INT64_MAX // no key was made at that revision: the transaction fails

// ---- its own keys

static struct etcd_call *put(struct fleet *fleet, const struct strbuf *key, const struct strbuf *value,
                             void (*done)(const struct etcd_answer *answer, void *context), void *context) {
    struct etcd_operation put = {.verb = ETCD_PUT,
                                 .at = {.key = strbuf_as_slice(key)},
                                 .value = strbuf_as_slice(value),
                                 .lease = fleet->lease};
    return etcd_txn(fleet->etcd, &(struct etcd_txn){.then = &put, .then_count = 1}, done, context);
}

// Who may not say that it is there is nobody's member.
static void said(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    fleet->saying = NULL;
    if (answer->error && answer->refused) {
        fleet_begin_anew(fleet, answer->error);
        return;
    }
    fleet->say_ns = answer->error ? clock_monotonic_ns() + SAY_AGAIN_MS * NS_PER_MS : 0;
    fleet->say_again = fleet->say_again || answer->error;
    fleet->complained = fleet->complained && answer->error;
}

void fleet_say_again(struct fleet *fleet, uint64_t now_ns) {
    if (fleet->say_again && !fleet->saying && now_ns >= fleet->say_ns)
        fleet_say(fleet);
}

void fleet_say(struct fleet *fleet) {
    struct strbuf key = {0}, value = {0};
    struct emit emit = {.out = &value};
    fleet->say_again = fleet->saying != NULL;
    if (fleet->phase != FLEET_IN || fleet->saying)
        return;
    emit_object(&emit);
    emit_text(emit_name(&emit, "name"), fleet->settings.name);
    if (fleet->said.len)
        strbuf_char(&value, ',');
    strbuf_slice(&value, strbuf_as_slice(&fleet->said));
    strbuf_char(&value, '}');
    fleet_key(fleet, &key, "/shared/members/", slice_of(fleet->id));
    fleet->saying = put(fleet, &key, &value, said, fleet);
    strbuf_free(&key);
    strbuf_free(&value);
}

void fleet_describe(struct fleet *fleet, struct slice members) {
    if (slice_equal(strbuf_as_slice(&fleet->said), members))
        return;
    strbuf_clear(&fleet->said);
    strbuf_slice(&fleet->said, members);
    fleet_say(fleet);
}

static void report(struct reporting *reporting);

static void reported(const struct etcd_answer *answer, void *context) {
    struct reporting *reporting = context;
    if (answer->error && !reporting->told)
        log_warn("fleet: what was counted here cannot be written", "instance=%s error=\"%s\"",
                 reporting->fleet->settings.name, answer->error);
    reporting->told = answer->error != NULL;
    reporting->there = !answer->error; // else the next one has all that this one had
    reporting->writing = NULL;
    if (reporting->again)
        report(reporting);
}

static void report(struct reporting *reporting) {
    struct fleet *fleet = reporting->fleet;
    struct strbuf key = {0};
    reporting->there = false;
    reporting->again = reporting->writing != NULL;
    if (fleet->phase != FLEET_IN || reporting->writing)
        return;
    fleet_key(fleet, &key, "/evidence/", slice_of(fleet->id));
    if (reporting == &fleet->reports[FLEET_GROUPS])
        strbuf_literal(&key, "/groups");
    reporting->writing = put(fleet, &key, &reporting->newest, reported, reporting);
    strbuf_free(&key);
}

void fleet_report(struct fleet *fleet, enum fleet_report what, struct slice bytes) {
    must((unsigned)what < FLEET_REPORTS);
    struct reporting *reporting = &fleet->reports[what];
    bool same = slice_equal(strbuf_as_slice(&reporting->newest), bytes);
    if (same && (reporting->there || reporting->writing))
        return;
    strbuf_clear(&reporting->newest);
    strbuf_slice(&reporting->newest, bytes);
    report(reporting);
}

void fleet_report_again(struct fleet *fleet) {
    for (int i = 0; i < FLEET_REPORTS; i++)
        if (fleet->reports[i].newest.len)
            report(&fleet->reports[i]);
}

// ---- the leader's

struct write {
    struct link link;
    struct fleet *fleet;
    struct etcd_call *call;
    void (*done)(enum fleet_written written, int64_t revision, void *context);
    void *context;
};

static void written(const struct etcd_answer *answer, void *context) {
    struct write *write = context;
    struct fleet *fleet = write->fleet;
    enum fleet_written outcome = answer->error ? answer->no_effect ? FLEET_WRITE_REFUSED : FLEET_WRITE_UNKNOWN
                                 : answer->succeeded ? FLEET_WRITTEN
                                                     : FLEET_WRITE_REFUSED;
    fleet->figures.writes_refused += !answer->error && !answer->succeeded;
    list_remove(&write->link);
    write->done(outcome, answer->revision, write->context);
    mem_free(write);
}

// The answer of an ask, which goes: nobody carries it out again.
static size_t answer_operations(const struct fleet *fleet, struct slice ask, struct slice answer,
                                struct strbuf *keys, struct etcd_operation *operations) {
    fleet_key(fleet, &keys[0], "/shared/answers/", ask);
    fleet_key(fleet, &keys[1], "/shared/asks/", ask);
    operations[0] = (struct etcd_operation){
        .verb = ETCD_PUT, .at = {.key = strbuf_as_slice(&keys[0])}, .value = answer, .lease = fleet->lease};
    operations[1] = (struct etcd_operation){.verb = ETCD_DELETE, .at = {.key = strbuf_as_slice(&keys[1])}};
    return 2;
}

struct slice fleet_decision_key(const struct fleet *fleet, struct strbuf *out, struct slice route,
                                uint64_t number) {
    fleet_key(fleet, out, "/decisions/", route);
    strbuf_format(out, "/%012llu", (unsigned long long)number);
    return strbuf_as_slice(out);
}

static size_t decision_operations(const struct fleet *fleet, const struct fleet_write *write,
                                  struct strbuf *keys, struct etcd_operation *operations) {
    size_t count = 1;
    operations[0] = (struct etcd_operation){
        .verb = ETCD_PUT,
        .at = {.key = fleet_decision_key(fleet, &keys[0], write->route, write->number)},
        .value = write->decision};
    if (write->number > DECISIONS_KEPT) {
        fleet_decision_key(fleet, &keys[1], write->route, write->number - DECISIONS_KEPT);
        operations[count++] =
            (struct etcd_operation){.verb = ETCD_DELETE, .at = {.key = strbuf_as_slice(&keys[1])}};
    }
    return count;
}

// The route's own: what it consists of, and what nobody but a leader reads.
static size_t route_operations(const struct fleet *fleet, const struct fleet_write *write, struct slice key,
                               struct strbuf *ledger, struct etcd_operation *operations) {
    operations[0] = (struct etcd_operation){.verb = ETCD_PUT, .at = {.key = key}, .value = write->state};
    if (!write->ledger.len)
        return 1;
    operations[1] =
        (struct etcd_operation){.verb = ETCD_PUT,
                                .at = {.key = fleet_key(fleet, ledger, "/ledgers/", write->route)},
                                .value = write->ledger};
    return 2;
}

// True only while this instance is the leader that it was, and the route is as it was last seen here; with an
// ask, while that is there: who answers it takes it away.
static size_t compares(const struct fleet *fleet, const struct fleet_write *write, struct strbuf *keys,
                       struct etcd_compare *compares) {
    size_t count = 1;
    fleet_key(fleet, &keys[0], "/shared/leader", slice_make("", 0));
    compares[0] = (struct etcd_compare){.key = strbuf_as_slice(&keys[0]),
                                        .what = ETCD_CREATE_REVISION,
                                        .number = fleet_leads(fleet) ? fleet->leader_since : NOBODY};
    if (write->route.len) {
        fleet_key(fleet, &keys[1], "/shared/routes/", write->route);
        compares[count++] = (struct etcd_compare){
            .key = strbuf_as_slice(&keys[1]), .what = ETCD_MOD_REVISION, .number = write->before};
    }
    if (write->ask.len) {
        fleet_key(fleet, &keys[2], "/shared/asks/", write->ask);
        compares[count++] = (struct etcd_compare){
            .key = strbuf_as_slice(&keys[2]), .what = ETCD_CREATE_REVISION, .number = write->ask_revision};
    }
    return count;
}

void fleet_write(struct fleet *fleet, const struct fleet_write *write,
                 void (*done)(enum fleet_written written, int64_t revision, void *context), void *context) {
    struct strbuf keys[8] = {{0}};
    struct etcd_compare conditions[3];
    struct etcd_operation operations[6];
    size_t count = 0;
    struct write *going = mem_zero(1, sizeof *going);
    *going = (struct write){.fleet = fleet, .done = done, .context = context};
    list_push(&fleet->writes, &going->link);
    struct etcd_txn txn = {.compares = conditions, .then = operations};
    txn.compare_count = compares(fleet, write, keys, conditions);
    if (write->route.len)
        count += route_operations(fleet, write, conditions[1].key, keys + 7, operations);
    if (write->decision.len)
        count += decision_operations(fleet, write, keys + 3, operations + count);
    if (write->ask.len)
        count += answer_operations(fleet, write->ask, write->answer, keys + 5, operations + count);
    txn.then_count = count;
    going->call = etcd_txn(fleet->etcd, &txn, written, going);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        strbuf_free(&keys[i]);
}

static void nothing_follows(enum fleet_written written, int64_t revision, void *context) {
    (void)written, (void)revision, (void)context;
}

void fleet_answer(struct fleet *fleet, struct slice ask, int64_t revision, struct slice answer) {
    struct fleet_write write = {.ask = ask, .ask_revision = revision, .answer = answer};
    fleet_write(fleet, &write, nothing_follows, NULL);
}

// ---- asking the leader

struct fleet_ask {
    struct link link;
    struct fleet *fleet;
    struct etcd_call *call;
    char name[ASK_BYTES];
    uint64_t until_ns;
    bool failed; // it could not even be written
    void (*done)(struct slice answer, const struct error *error, void *context);
    void *context;
};

static void asked(const struct etcd_answer *answer, void *context) {
    struct fleet_ask *ask = context;
    ask->call = NULL;
    ask->failed = answer->error != NULL;
}

static void withdrawn(const struct etcd_answer *answer, void *context) {
    (void)answer, (void)context; // it goes with the lease otherwise
}

// What is left of it there: a leader that comes later must not carry it out.
static void withdraw(struct fleet *fleet, const char *name) {
    struct strbuf keys[2] = {{0}};
    struct etcd_operation away[2];
    fleet_key(fleet, &keys[0], "/shared/answers/", slice_of(name));
    fleet_key(fleet, &keys[1], "/shared/asks/", slice_of(name));
    for (int i = 0; i < 2; i++)
        away[i] = (struct etcd_operation){.verb = ETCD_DELETE, .at = {.key = strbuf_as_slice(&keys[i])}};
    etcd_txn(fleet->etcd, &(struct etcd_txn){.then = away, .then_count = 2}, withdrawn, NULL);
    strbuf_free(&keys[0]);
    strbuf_free(&keys[1]);
}

static void end_ask(struct fleet_ask *ask, struct slice answer, const char *why) {
    struct error error;
    error_set(&error, "%s", why);
    fleet_cancel(&ask->call);
    list_remove(&ask->link);
    if (ask->done)
        ask->done(answer, answer.at ? NULL : &error, ask->context);
    mem_free(ask);
}

void fleet_answered(struct fleet *fleet, struct slice name, struct slice answer) {
    for (struct link *at = fleet->asks.next; at != &fleet->asks; at = at->next) {
        struct fleet_ask *ask = list_entry(at, struct fleet_ask, link);
        if (!slice_equal(slice_of(ask->name), name))
            continue;
        withdraw(fleet, ask->name);
        end_ask(ask, answer, "");
        return;
    }
}

void fleet_asks_tick(struct fleet *fleet, uint64_t now_ns) {
    for (struct link *at = fleet->asks.next, *next; at != &fleet->asks; at = next) {
        struct fleet_ask *ask = list_entry(at, struct fleet_ask, link);
        next = at->next;
        if (fleet->phase != FLEET_IN || ask->failed) {
            end_ask(ask, (struct slice){0}, "etcd cannot be reached: nothing was changed that is known of");
        } else if (now_ns >= ask->until_ns) {
            withdraw(fleet, ask->name);
            end_ask(ask, (struct slice){0}, "the fleet's leader did not answer in time");
        }
    }
}

struct fleet_ask *fleet_ask(struct fleet *fleet, struct slice text, int64_t patience_ms,
                            void (*done)(struct slice answer, const struct error *error, void *context),
                            void *context) {
    struct fleet_ask *ask = mem_zero(1, sizeof *ask);
    struct strbuf key = {0};
    *ask = (struct fleet_ask){
        .fleet = fleet, .done = done, .context = context, .failed = fleet->phase != FLEET_IN};
    ask->until_ns = clock_monotonic_ns() + (uint64_t)patience_ms * NS_PER_MS;
    snprintf(ask->name, sizeof ask->name, "%s-%llu", fleet->id, (unsigned long long)++fleet->ask_number);
    list_push(&fleet->asks, &ask->link);
    if (!ask->failed) {
        struct etcd_operation put = {
            .verb = ETCD_PUT,
            .at = {.key = fleet_key(fleet, &key, "/shared/asks/", slice_of(ask->name))},
            .value = text,
            .lease = fleet->lease};
        ask->call = etcd_txn(fleet->etcd, &(struct etcd_txn){.then = &put, .then_count = 1}, asked, ask);
    }
    strbuf_free(&key);
    return ask;
}

void fleet_ask_cancel(struct fleet_ask *ask) {
    ask->done = NULL; // what was asked may still be done
}

// ---- the end

void fleet_asks_drop(struct fleet *fleet) {
    struct link *link;
    while ((link = list_pop(&fleet->asks))) {
        struct fleet_ask *ask = list_entry(link, struct fleet_ask, link);
        fleet_cancel(&ask->call);
        mem_free(ask);
    }
}

void fleet_writes_close(struct fleet *fleet) {
    struct link *link;
    fleet_cancel(&fleet->saying);
    for (int i = 0; i < FLEET_REPORTS; i++)
        fleet_cancel(&fleet->reports[i].writing);
    while ((link = list_pop(&fleet->writes))) {
        struct write *write = list_entry(link, struct write, link);
        etcd_cancel(write->call);
        write->done(FLEET_WRITE_UNKNOWN, 0, write->context);
        mem_free(write);
    }
}
