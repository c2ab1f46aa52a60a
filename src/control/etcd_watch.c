#include "base/clock.h"
#include "base/mem.h"
#include "etcd_inside.h"
#include "json_pieces.h"

#include <inttypes.h>
#include <stdio.h>

#define OBJECT_BYTES (4u << 20)

struct etcd_watch {
    struct link link;          // in etcd->watches
    struct etcd_waiter waiter; // for a token
    struct etcd *etcd;
    struct etcd_watcher watcher;
    struct strbuf request;
    struct fetch *fetch; // NULL: it waits for a token
    struct event *clock; // every ask_ms, once the fetch is there
    struct json_pieces pieces;
    struct arena arena; // of the object under way
    uint64_t alive_ns;  // the last sign of life
    int64_t told;       // everything up to this revision has been
    size_t endpoint;
    unsigned token; // its serial
    bool from_now;  // no revision was asked for
    bool created;
    bool telling; // it is in a callback, and must not vanish
    bool closed;  // in that callback
};

static void watch_free(struct etcd_watch *watch) {
    if (watch->fetch)
        fetch_cancel(watch->fetch);
    list_remove(&watch->link);
    list_remove(&watch->waiter.link);
    event_free(watch->clock);
    json_pieces_free(&watch->pieces);
    arena_free(&watch->arena);
    strbuf_free(&watch->request);
    mem_free(watch);
}

static void end(struct etcd_watch *watch, enum etcd_watch_end how, const struct etcd_verdict *verdict,
                int64_t compacted) {
    struct etcd_watcher watcher = watch->watcher;
    char text[ETCD_WHY];
    etcd_explain(watch->etcd, watch->endpoint, verdict->why,
                 text); // while the token is there, which must not show
    if (verdict->stale_token)
        etcd_token_reject(watch->etcd, watch->token);
    if (verdict->fault)
        etcd_leave(watch->etcd, watch->endpoint);
    watch_free(watch);
    watcher.ended(how, text, compacted, watcher.context);
}

static void lose(struct etcd_watch *watch, const struct etcd_verdict *verdict) {
    end(watch, ETCD_WATCH_LOST, verdict, 0);
}

static void lose_by_fault(struct etcd_watch *watch, const char *why) {
    struct etcd_verdict verdict = {.fault = true};
    snprintf(verdict.why, sizeof verdict.why, "%s", why);
    lose(watch, &verdict);
}

// ---- what it tells. Each returns false when the watch is gone.

static bool still_there(struct etcd_watch *watch) {
    watch->telling = false;
    if (!watch->closed)
        return true;
    watch_free(watch);
    return false;
}

static bool tell_progress(struct etcd_watch *watch, int64_t revision) {
    if (revision <= watch->told)
        return true;
    watch->told = revision;
    watch->telling = true;
    watch->watcher.progress(revision, watch->watcher.context);
    return still_there(watch);
}

// A fragment may end in the middle of a revision.
static bool tell_events(struct etcd_watch *watch, const struct etcd_news *news) {
    int64_t last = news->pairs[news->pair_count - 1].mod_revision - (news->fragment ? 1 : 0);
    if (last > watch->told)
        watch->told = last;
    watch->telling = true;
    watch->watcher.events(news->pairs, news->pair_count, watch->told, watch->watcher.context);
    return still_there(watch);
}

static bool end_canceled(struct etcd_watch *watch, const struct etcd_news *news) {
    if (news->compact_revision) {
        struct etcd_verdict compacted = {.why = "the revision has been compacted"};
        end(watch, ETCD_WATCH_COMPACTED, &compacted, news->compact_revision);
        return false;
    }
    struct etcd_verdict verdict = {.stale_token = etcd_verdict_stale(news->reason)};
    snprintf(verdict.why, sizeof verdict.why, "canceled: %.200s", news->reason ? news->reason : "no reason");
    lose(watch, &verdict);
    return false;
}

static bool take_news(struct etcd_watch *watch, const struct etcd_news *news) {
    if (news->error.message) {
        struct etcd_verdict verdict = etcd_verdict_refusal(&news->error);
        lose(watch, &verdict);
        return false;
    }
    if (news->canceled)
        return end_canceled(watch, news);
    if (news->created) {
        watch->created = true;
        return !watch->from_now || tell_progress(watch, news->revision);
    }
    // The answer to asking bears the store's revision, which events that are still under way may not have
    // reached (etcd issue 15220): it is a sign of life and no more.
    if (news->broadcast)
        return true;
    return news->pair_count ? tell_events(watch, news) : tell_progress(watch, news->revision);
}

static void on_piece(struct slice piece, void *context) {
    struct etcd_watch *watch = context;
    struct etcd_news news;
    struct slice object;
    enum json_piece found;
    watch->alive_ns = clock_monotonic_ns();
    json_pieces_add(&watch->pieces, piece);
    while ((found = json_pieces_next(&watch->pieces, &object)) == JSON_PIECE_OBJECT) {
        arena_reset(&watch->arena);
        if (!etcd_json_news(object, &watch->arena, &news)) {
            lose_by_fault(watch, "told what etcd does not tell");
            return;
        }
        if (!take_news(watch, &news))
            return;
    }
    if (found == JSON_PIECE_BAD)
        lose_by_fault(watch, "told what is no JSON object, or one of more than 4 MiB");
}

// ---- its stream

static void on_end(const struct fetch_answer *answer, void *context) {
    struct etcd_watch *watch = context;
    struct etcd_verdict verdict = etcd_verdict(answer, &watch->arena);
    watch->fetch = NULL;
    if (verdict.good)
        lose_by_fault(watch, "ended the watch");
    else
        lose(watch, &verdict);
}

static void on_clock(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct etcd_watch *watch = context;
    int64_t age_ms = etcd_watch_age_ms(watch);
    if (age_ms > watch->etcd->timeout_ms + watch->etcd->ask_ms) {
        char why[64];
        snprintf(why, sizeof why, "silent for %" PRId64 " ms", age_ms);
        lose_by_fault(watch, why);
    } else if (watch->created) {
        struct strbuf ask = {0};
        etcd_json_ask(&ask);
        fetch_say(watch->fetch, strbuf_as_slice(&ask));
        strbuf_free(&ask);
    }
}

static void on_token(struct etcd_waiter *waiter, const char *error) {
    struct etcd_watch *watch = list_entry(waiter, struct etcd_watch, waiter);
    struct etcd *etcd = watch->etcd;
    if (error) {
        struct etcd_watcher watcher = watch->watcher;
        watch_free(watch);
        watcher.ended(ETCD_WATCH_LOST, error, 0, watcher.context);
        return;
    }
    struct fetch_request request = {
        .body = strbuf_as_slice(&watch->request),
        .most_body = ETCD_ANSWER_BYTES,
        .fresh = true,
        .received = on_piece,
        .open = true,
    };
    struct timeval every = {.tv_sec = (time_t)(etcd->ask_ms / 1000),
                            .tv_usec = (suseconds_t)(etcd->ask_ms % 1000 * 1000)};
    watch->alive_ns = clock_monotonic_ns();
    watch->endpoint = etcd->in_use;
    watch->token = etcd->token.serial;
    watch->fetch = etcd_post(etcd, watch->endpoint, "/v3/watch", request, on_end, watch);
    event_add(watch->clock, &every);
}

struct etcd_watch *etcd_watch_open(struct etcd *etcd, struct slice prefix, int64_t from_revision,
                                   const struct etcd_watcher *watcher) {
    struct etcd_watch *watch = mem_zero(1, sizeof *watch);
    watch->etcd = etcd;
    watch->watcher = *watcher;
    watch->from_now = from_revision == 0;
    watch->told = from_revision ? from_revision - 1 : 0;
    watch->waiter.ready = on_token;
    watch->pieces.most_bytes = OBJECT_BYTES;
    watch->alive_ns = clock_monotonic_ns();
    arena_init(&watch->arena, 4096);
    etcd_json_watch(prefix, from_revision, &watch->request);
    watch->clock = event_new(etcd->base, -1, EV_PERSIST, on_clock, watch);
    must(watch->clock != NULL);
    list_push(&etcd->watches, &watch->link);
    etcd_token_await(etcd, &watch->waiter);
    return watch;
}

void etcd_watch_close(struct etcd_watch *watch) {
    if (!watch)
        return;
    if (!watch->telling) {
        watch_free(watch);
        return;
    }
    watch->closed = true;
}

int64_t etcd_watch_age_ms(const struct etcd_watch *watch) {
    return (int64_t)((clock_monotonic_ns() - watch->alive_ns) / NS_PER_MS);
}

void etcd_watch_free_all(struct etcd *etcd) {
    while (!list_empty(&etcd->watches))
        watch_free(list_entry(etcd->watches.next, struct etcd_watch, link));
}
