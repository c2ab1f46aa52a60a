#include "etcd_stage.h"

#include "control/fetch.h"
#include "peer.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void append(char *text, size_t size, const char *sign, const struct etcd_pair *pair) {
    size_t len = strlen(text), shown = pair->value.len < 20 ? pair->value.len : 20;
    snprintf(text + len, size - len, pair->deleted ? "%s%.*s " : "%s%.*s=%.*s ", sign, (int)pair->key.len,
             pair->key.at, (int)shown, pair->value.at ? pair->value.at : "");
}

void etcd_stage_done(const struct etcd_answer *answer, void *context) {
    struct etcd_stage *stage = context;
    snprintf(stage->error, sizeof stage->error, "%s", answer->error ? answer->error : "");
    stage->answer = *answer;
    stage->answer.pairs = NULL;
    stage->pairs[0] = '\0';
    for (size_t i = 0; i < answer->pair_count; i++)
        append(stage->pairs, sizeof stage->pairs, "", &answer->pairs[i]);
    stage->answers++;
}

static void on_events(const struct etcd_pair *pairs, size_t count, int64_t revision, void *context) {
    struct etcd_stage *stage = context;
    assert_true(count > 0);
    assert_true(revision >= stage->revision);
    for (size_t i = 0; i < count; i++)
        append(stage->events, sizeof stage->events, pairs[i].deleted ? "-" : "+", &pairs[i]);
    stage->told += (unsigned)count;
    stage->tellings++;
    stage->revision = revision;
    if (!stage->close_at_once)
        return;
    etcd_watch_close(stage->watch);
    stage->watch = NULL;
}

static void on_progress(int64_t revision, void *context) {
    struct etcd_stage *stage = context;
    stage->progress = revision;
    stage->progresses++;
}

static void on_ended(enum etcd_watch_end how, const char *why, int64_t compact_revision, void *context) {
    struct etcd_stage *stage = context;
    stage->watch = NULL;
    stage->how = how;
    stage->compacted = compact_revision;
    snprintf(stage->why, sizeof stage->why, "%s", why);
    stage->ends++;
}

void etcd_stage_watch(struct etcd_stage *stage, const char *prefix, int64_t from_revision) {
    struct etcd_watcher watcher = {on_events, on_progress, on_ended, stage};
    assert_null(stage->watch);
    stage->close_at_once = false;
    stage->tellings = stage->told = stage->progresses = stage->ends = 0;
    stage->events[0] = '\0';
    stage->revision = stage->progress = 0;
    stage->watch = etcd_watch_open(stage->etcd, slice_of(prefix), from_revision, &watcher);
}

void etcd_stage_open(struct etcd_stage *stage, const char *const *endpoints, size_t count,
                     struct etcd_settings settings) {
    memset(stage, 0, sizeof *stage);
    fetch_setup();
    settings.endpoints = endpoints;
    settings.endpoint_count = count;
    settings.user_agent = "unit";
    if (!settings.timeout_ms)
        settings.timeout_ms = 30000;
    stage->base = event_base_new();
    stage->etcd = etcd_new(stage->base, &settings);
}

void etcd_stage_close(struct etcd_stage *stage) {
    etcd_free(stage->etcd);
    event_base_free(stage->base);
}

static void wait_for(struct etcd_stage *stage, unsigned before) {
    assert_int_equal(stage->answers, before); // never from inside the call
    peer_run_until(stage->base, &stage->answers, before + 1);
}

void etcd_stage_range(struct etcd_stage *stage, const char *prefix) {
    unsigned before = stage->answers;
    struct etcd_range range = {.key = slice_of(prefix), .prefix = true};
    etcd_range(stage->etcd, &range, etcd_stage_done, stage);
    wait_for(stage, before);
}

void etcd_stage_ready(struct etcd_stage *stage) {
    time_t end = time(NULL) + 60;
    for (;;) {
        etcd_stage_range(stage, "nothing");
        if (!stage->error[0])
            return;
        if (time(NULL) > end)
            fail_msg("etcd does not serve: %s", stage->error);
        peer_run_for(stage->base, 50);
    }
}

void etcd_stage_txn(struct etcd_stage *stage, const struct etcd_txn *txn) {
    unsigned before = stage->answers;
    etcd_txn(stage->etcd, txn, etcd_stage_done, stage);
    wait_for(stage, before);
}

void etcd_stage_put(struct etcd_stage *stage, const char *key, const char *value, int64_t lease) {
    struct etcd_operation put = {
        .verb = ETCD_PUT, .at.key = slice_of(key), .value = slice_of(value), .lease = lease};
    etcd_stage_txn(stage, &(struct etcd_txn){.then = &put, .then_count = 1});
}

void etcd_stage_delete(struct etcd_stage *stage, const char *prefix) {
    struct etcd_operation delete = {.verb = ETCD_DELETE, .at = {.key = slice_of(prefix), .prefix = true}};
    etcd_stage_txn(stage, &(struct etcd_txn){.then = &delete, .then_count = 1});
}

void etcd_stage_grant(struct etcd_stage *stage, int64_t ttl_s) {
    unsigned before = stage->answers;
    etcd_grant(stage->etcd, ttl_s, etcd_stage_done, stage);
    wait_for(stage, before);
}

void etcd_stage_keep_alive(struct etcd_stage *stage, int64_t lease) {
    unsigned before = stage->answers;
    etcd_keep_alive(stage->etcd, lease, etcd_stage_done, stage);
    wait_for(stage, before);
}

void etcd_stage_good(const struct etcd_stage *stage) {
    if (stage->error[0])
        fail_msg("%s", stage->error);
}
