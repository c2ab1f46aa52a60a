// What stands below shared/: read once whole, then watched; and who leads.
#include "fleet_inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define CAMPAIGN_SPREAD_MS 50 // not all at the same moment
#define REOPEN_MS          200
#define BEHIND_NS          (UINT64_C(2) * NS_PER_S) // what the watch has had to bring what etcd was seen to have
#define RESIGN_AGAIN_MS    500

static void close_watch(struct etcd_watch **watch) {
    if (*watch)
        etcd_watch_close(*watch);
    *watch = NULL;
}

static struct etcd_pages *read_below(struct fleet *fleet, const char *folder,
                                     void (*done)(const struct etcd_answer *answer, void *context)) {
    struct strbuf key = {0};
    struct etcd_range range = {.key = fleet_key(fleet, &key, folder, slice_make("", 0)), .prefix = true};
    struct etcd_pages *pages = etcd_pages_read(fleet->etcd, &range, done, fleet);
    strbuf_free(&key);
    return pages;
}

// ---- members

static struct member *find_member(const struct fleet *fleet, struct slice id) {
    for (size_t i = 0; i < fleet->member_count; i++)
        if (slice_equal(slice_of(fleet->members[i].id), id))
            return &fleet->members[i];
    return NULL;
}

static struct member *add_member(struct fleet *fleet, struct slice id) {
    fleet->members = mem_resize(fleet->members, (fleet->member_count + 1) * sizeof *fleet->members);
    struct member *member = &fleet->members[fleet->member_count++];
    *member = (struct member){.said = NULL};
    memcpy(member->id, id.at, id.len);
    return member;
}

static void take_member(struct fleet *fleet, struct slice id, const struct etcd_pair *pair) {
    struct member *member = find_member(fleet, id);
    json_t *said = pair->deleted ? NULL : json_loadb(pair->value.at, pair->value.len, 0, NULL);
    if (id.len >= FLEET_ID_BYTES || (!said && !member)) {
        json_decref(said);
        return;
    }
    if (!member)
        member = add_member(fleet, id);
    json_decref(member->said);
    member->said = said;
    if (!said)
        *member = fleet->members[--fleet->member_count];
    fleet->settings.listener.members(fleet->settings.listener.context);
}

static void forget_members(struct fleet *fleet) {
    for (size_t i = 0; i < fleet->member_count; i++)
        json_decref(fleet->members[i].said);
    fleet->member_count = 0;
}

// ---- the leader

static void take_evidence(struct fleet *fleet, const struct etcd_pair *pair) {
    size_t skip = strlen(fleet->settings.config->etcd.prefix) + strlen("/evidence/");
    struct slice id = slice_make(pair->key.at + skip, pair->key.len - skip);
    struct slice kind = slice_from(id, slice_find(id, '/'));
    if (kind.len && !slice_equal(kind, SLICE("/groups")))
        return; // of a newer version
    id.len -= kind.len;
    fleet->settings.listener.evidence(id, kind.len ? FLEET_GROUPS : FLEET_TALLY,
                                      pair->deleted ? slice_make("", 0) : pair->value,
                                      fleet->settings.listener.context);
}

static void nothing_new(int64_t revision, void *context) {
    (void)revision, (void)context;
}

static void evidence_came(const struct etcd_pair *pairs, size_t count, int64_t revision, void *context) {
    (void)revision;
    for (size_t i = 0; i < count; i++)
        take_evidence(context, &pairs[i]);
}

static void read_evidence(struct fleet *fleet);

// Reports only grow: the newest of each is all there is to know.
static void evidence_ended(enum etcd_watch_end end, const char *why, int64_t compacted, void *context) {
    struct fleet *fleet = context;
    (void)end, (void)why, (void)compacted;
    fleet->evidence = NULL;
    fleet->evidence_ns = clock_monotonic_ns() + REOPEN_MS * NS_PER_MS;
}

static void evidence_read(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    const struct etcd_watcher watcher = {
        .events = evidence_came, .progress = nothing_new, .ended = evidence_ended, .context = fleet};
    struct strbuf key = {0};
    fleet->reading_evidence = NULL;
    if (answer->error) {
        if (!fleet->deaf)
            log_warn("fleet: what the others have counted cannot be read", "instance=%s error=\"%s\"",
                     fleet->settings.name, answer->error);
        fleet->deaf = true;
        fleet->evidence_ns = clock_monotonic_ns() + REOPEN_MS * NS_PER_MS;
        return;
    }
    fleet->deaf = false;
    for (size_t i = 0; i < answer->pair_count && fleet_leads(fleet); i++)
        take_evidence(fleet, &answer->pairs[i]);
    if (!fleet_leads(fleet)) // a callback has ended it
        return;
    fleet->evidence = etcd_watch_open(fleet->etcd, fleet_key(fleet, &key, "/evidence/", slice_make("", 0)),
                                      answer->revision + 1, &watcher);
    strbuf_free(&key);
}

static void read_evidence(struct fleet *fleet) {
    fleet->reading_evidence = read_below(fleet, "/evidence/", evidence_read);
}

static void asks_came(const struct etcd_answer *answer, void *context);

static void read_asks(struct fleet *fleet) {
    fleet->reading_asks = read_below(fleet, "/shared/asks/", asks_came);
}

// What was asked before this instance led; the watch brings the rest.
static void asks_came(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    size_t skip = strlen(fleet->settings.config->etcd.prefix) + strlen("/shared/asks/");
    fleet->reading_asks = NULL;
    fleet->asks_read = !answer->error; // else by the next tick
    if (answer->error)
        return;
    for (size_t i = 0; i < answer->pair_count && fleet_leads(fleet); i++) {
        struct slice key = answer->pairs[i].key;
        if (answer->pairs[i].create_revision > fleet->leader_since)
            continue;
        fleet->settings.listener.ask(slice_make(key.at + skip, key.len - skip),
                                     answer->pairs[i].create_revision, answer->pairs[i].value,
                                     fleet->settings.listener.context);
    }
}

static void stop_leading(struct fleet *fleet) {
    fleet_cancel_pages(&fleet->reading_asks);
    fleet_cancel_pages(&fleet->reading_evidence);
    close_watch(&fleet->evidence);
}

static void resigned(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    (void)answer; // the watch tells; what failed is tried again
    fleet->resigning = NULL;
}

// Of this leadership, and of no later one, whosever that is.
static void resign(struct fleet *fleet, uint64_t now_ns) {
    struct strbuf key = {0};
    if (fleet->resigning || now_ns < fleet->resign_ns)
        return;
    fleet_key(fleet, &key, "/shared/leader", slice_make("", 0));
    struct etcd_compare own = {
        .key = strbuf_as_slice(&key), .what = ETCD_CREATE_REVISION, .number = fleet->leader_since};
    struct etcd_operation away = {.verb = ETCD_DELETE, .at = {.key = strbuf_as_slice(&key)}};
    fleet->resigning = etcd_txn(
        fleet->etcd, &(struct etcd_txn){.compares = &own, .compare_count = 1, .then = &away, .then_count = 1},
        resigned, fleet);
    fleet->resign_ns = now_ns + RESIGN_AGAIN_MS * NS_PER_MS;
    strbuf_free(&key);
}

static void campaigned(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    (void)answer; // the watch tells who leads
    fleet->campaign = NULL;
}

static void campaign(struct fleet *fleet, uint64_t now_ns) {
    struct strbuf key = {0}, value = {0};
    struct emit emit = {.out = &value};
    if (fleet->leader_since || fleet->campaign || now_ns < fleet->campaign_ns)
        return;
    fleet_key(fleet, &key, "/shared/leader", slice_make("", 0));
    emit_object(&emit);
    emit_text(emit_name(&emit, "id"), fleet->id);
    emit_text(emit_name(&emit, "name"), fleet->settings.name);
    emit_end(&emit, '}');
    struct etcd_compare absent = {.key = strbuf_as_slice(&key), .what = ETCD_CREATE_REVISION, .number = 0};
    struct etcd_operation put = {.verb = ETCD_PUT,
                                 .at = {.key = strbuf_as_slice(&key)},
                                 .value = strbuf_as_slice(&value),
                                 .lease = fleet->lease};
    fleet->campaign =
        etcd_txn(fleet->etcd,
                 &(struct etcd_txn){.compares = &absent, .compare_count = 1, .then = &put, .then_count = 1},
                 campaigned, fleet);
    fleet->campaign_ns = now_ns + (uint64_t)fleet->settings.config->etcd.ttl * NS_PER_MS / 2;
    strbuf_free(&key);
    strbuf_free(&value);
}

void fleet_campaign(struct fleet *fleet, uint64_t now_ns) {
    if (fleet->stands)
        campaign(fleet, now_ns);
    else if (fleet_leads(fleet))
        resign(fleet, now_ns);
}

// A campaign under way is not called off: who wins it resigns.
void fleet_stand(struct fleet *fleet, bool stands) {
    if (fleet->stands == stands)
        return;
    fleet->stands = stands;
    if (fleet->phase == FLEET_IN)
        fleet_campaign(fleet, clock_monotonic_ns());
}

static void set_leader(struct fleet *fleet, const char *id, const char *name, int64_t since) {
    bool led = fleet_leads(fleet);
    snprintf(fleet->leader_id, sizeof fleet->leader_id, "%s", id);
    mem_free(fleet->leader_name);
    fleet->leader_name = mem_copy_string(name);
    fleet->leader_since = since;
    if (led && !fleet_leads(fleet))
        stop_leading(fleet);
    if (!led && fleet_leads(fleet)) {
        fleet->asks_read = false;
        fleet->evidence_ns = 0;
        fleet_tell_role(fleet);
        read_evidence(fleet);
        read_asks(fleet);
    }
}

static void take_leader(struct fleet *fleet, const struct etcd_pair *pair) {
    if (pair->deleted) {
        fleet->campaign_ns =
            clock_monotonic_ns() + random_below(&fleet->random, CAMPAIGN_SPREAD_MS) * NS_PER_MS;
        set_leader(fleet, "", "", 0);
        return;
    }
    json_t *said = json_loadb(pair->value.at, pair->value.len, 0, NULL);
    const char *id = json_string_value(json_object_get(said, "id"));
    const char *name = json_string_value(json_object_get(said, "name"));
    // An older process of ours cannot be meant: ids are drawn anew. One under another lease is not this one.
    bool ours = id && strcmp(id, fleet->id) == 0 && pair->lease != fleet->lease;
    set_leader(fleet, id && !ours ? id : "?", name ? name : "?", pair->create_revision);
    json_decref(said);
}

// ---- all of it

static bool below(struct slice key, const char *folder, struct slice *name) {
    size_t len = strlen(folder);
    if (key.len < len || memcmp(key.at, folder, len) != 0)
        return false;
    *name = slice_make(key.at + len, key.len - len);
    return true;
}

static void take(struct fleet *fleet, const struct etcd_pair *pair) {
    size_t skip = strlen(fleet->settings.config->etcd.prefix) + strlen("/shared/");
    const struct fleet_listener *listener = &fleet->settings.listener;
    struct slice key = slice_make(pair->key.at + skip, pair->key.len - skip), name;
    struct slice value = pair->deleted ? slice_make("", 0) : pair->value;
    if (slice_equal(key, slice_of("leader")))
        take_leader(fleet, pair);
    else if (below(key, "members/", &name))
        take_member(fleet, name, pair);
    else if (below(key, "routes/", &name))
        listener->state(name, value, pair->mod_revision, listener->context);
    else if (below(key, "answers/", &name) && !pair->deleted)
        fleet_answered(fleet, name, value);
    else if (below(key, "asks/", &name) && !pair->deleted && fleet_leads(fleet))
        listener->ask(name, pair->create_revision, value, listener->context);
}

static void whole(struct fleet *fleet, int64_t revision) {
    if (revision > fleet->applied)
        fleet->applied = revision;
    fleet->behind_ns = 0;
    fleet->whole_ns = clock_monotonic_ns();
}

// A callback may have ended all of this: what is left belongs to another life.
static void came(const struct etcd_pair *pairs, size_t count, int64_t revision, void *context) {
    struct fleet *fleet = context;
    const struct etcd_watch *watch = fleet->watch;
    for (size_t i = 0; i < count && fleet->watch == watch; i++)
        take(fleet, &pairs[i]);
    if (fleet->watch != watch)
        return;
    whole(fleet, revision);
    fleet_tell_role(fleet);
}

static void progressed(int64_t revision, void *context) {
    whole(context, revision);
}

static void ended(enum etcd_watch_end end, const char *why, int64_t compacted, void *context) {
    struct fleet *fleet = context;
    fleet->watch = NULL;
    if (end == ETCD_WATCH_COMPACTED)
        log_info("fleet: the watch begins with everything", "compacted=%lld applied=%lld",
                 (long long)compacted, (long long)fleet->applied);
    else
        log_info("fleet: the watch was lost", "error=\"%s\"", why);
    fleet->compacted = end == ETCD_WATCH_COMPACTED;
    fleet->open_ns = clock_monotonic_ns() + REOPEN_MS * NS_PER_MS;
}

static void open_watch(struct fleet *fleet) {
    const struct etcd_watcher watcher = {
        .events = came, .progress = progressed, .ended = ended, .context = fleet};
    struct strbuf key = {0};
    fleet->opened_ns = clock_monotonic_ns();
    fleet->watch = etcd_watch_open(fleet->etcd, fleet_key(fleet, &key, "/shared/", slice_make("", 0)),
                                   fleet->applied + 1, &watcher);
    strbuf_free(&key);
}

static bool tells_leader(const struct fleet *fleet, const struct etcd_pair *pair) {
    size_t skip = strlen(fleet->settings.config->etcd.prefix);
    return slice_equal(slice_from(pair->key, skip), SLICE("/shared/leader"));
}

static void snapshot(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    fleet->snapshot = NULL;
    if (answer->error) {
        fleet_begin_anew(fleet, answer->error);
        return;
    }
    bool led = false;
    forget_members(fleet);
    fleet->phase = FLEET_IN;
    fleet->error[0] = '\0';
    fleet->applied = answer->revision;
    open_watch(fleet);
    const struct etcd_watch *watch = fleet->watch;
    for (size_t i = 0; i < answer->pair_count && fleet->watch == watch; i++) {
        take(fleet, &answer->pairs[i]);
        led = led || tells_leader(fleet, &answer->pairs[i]);
    }
    if (fleet->watch != watch) // as in `came`
        return;
    if (!led)
        set_leader(fleet, "", "", 0);
    whole(fleet, answer->revision);
    fleet_tell_role(fleet);
    fleet_say(fleet);
    fleet_report_again(fleet);
}

void fleet_shared_open(struct fleet *fleet) {
    fleet->snapshot = read_below(fleet, "/shared/", snapshot);
}

void fleet_shared_close(struct fleet *fleet) {
    stop_leading(fleet);
    fleet_cancel_pages(&fleet->snapshot);
    fleet_cancel(&fleet->campaign);
    fleet_cancel(&fleet->resigning);
    close_watch(&fleet->watch);
    forget_members(fleet);
}

void fleet_watch_again(struct fleet *fleet, uint64_t now_ns) {
    bool leads = fleet_leads(fleet);
    if (fleet->watch && fleet->behind_ns && now_ns - fleet->behind_ns >= BEHIND_NS &&
        now_ns - fleet->opened_ns >= BEHIND_NS) {
        log_warn("fleet: the watch has missed something, it is opened anew", "instance=%s",
                 fleet->settings.name);
        close_watch(&fleet->watch);
    }
    if (!fleet->watch && !fleet->snapshot && now_ns >= fleet->open_ns) {
        if (fleet->compacted)
            fleet_shared_open(fleet);
        else
            open_watch(fleet);
    }
    if (leads && !fleet->evidence && !fleet->reading_evidence && now_ns >= fleet->evidence_ns)
        read_evidence(fleet);
    if (leads && !fleet->asks_read && !fleet->reading_asks)
        read_asks(fleet);
}
