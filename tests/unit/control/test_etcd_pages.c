// Ranges that are larger than an answer may be, against etcd itself.
#include "../../../src/control/etcd_pages.h"
#include "base/strbuf.h"
#include "etcd_scene.h"
#include "peer.h"
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define VALUE_BYTES 10000
#define IN_A_TXN    100

struct told {
    unsigned answers;
    char error[512];
    size_t count, bytes;
    int64_t revision, newest; // newest: of the pairs
    bool more, ordered, descending;
    char first[32], last[32];
};

static int open_scene(void **state) {
    return etcd_scene_open(state, (struct etcd_settings){0});
}

static void done(const struct etcd_answer *answer, void *context) {
    struct told *told = context;
    told->answers++;
    snprintf(told->error, sizeof told->error, "%s", answer->error ? answer->error : "");
    told->count = answer->pair_count;
    told->revision = answer->revision;
    told->more = answer->more;
    told->ordered = told->descending = true;
    for (size_t i = 0; i < answer->pair_count; i++) {
        const struct etcd_pair *pair = &answer->pairs[i];
        told->bytes += pair->value.len;
        snprintf(i ? told->last : told->first, sizeof told->last, "%.*s", (int)pair->key.len, pair->key.at);
        told->newest = pair->mod_revision > told->newest ? pair->mod_revision : told->newest;
        if (!i)
            continue;
        int order = memcmp(answer->pairs[i - 1].key.at, pair->key.at, pair->key.len);
        told->ordered &= order < 0;
        told->descending &= order > 0;
    }
}

// Keys "big/000" and so on, in one transaction.
static void put_all(struct etcd_stage *stage, unsigned from) {
    static char value[VALUE_BYTES], keys[IN_A_TXN][16];
    struct etcd_operation puts[IN_A_TXN];
    memset(value, 'a', sizeof value);
    for (unsigned i = 0; i < IN_A_TXN; i++) {
        snprintf(keys[i], sizeof keys[i], "big/%03u", from + i);
        puts[i] = (struct etcd_operation){
            .verb = ETCD_PUT, .at.key = slice_of(keys[i]), .value = {value, sizeof value}};
    }
    etcd_stage_txn(stage, &(struct etcd_txn){.then = puts, .then_count = IN_A_TXN});
    etcd_stage_good(stage);
}

static struct etcd_stage *filled(void **state) {
    struct etcd_stage *stage = &etcd_scene_of(state)->stage;
    for (unsigned from = 0; from < 500; from += IN_A_TXN)
        put_all(stage, from);
    etcd_stage_put(stage, "bi", "before", 0);
    etcd_stage_put(stage, "bih", "after", 0);
    return stage;
}

static struct told read_all(struct etcd_stage *stage, struct etcd_range range) {
    struct told told = {0};
    range.prefix = true;
    etcd_pages_read(stage->etcd, &range, done, &told);
    assert_int_equal(told.answers, 0); // never from inside
    peer_run_until(stage->base, &told.answers, 1);
    return told;
}

static void all_of_it_comes_in_order(void **state) {
    struct etcd_stage *stage = filled(state);
    struct told told = read_all(stage, (struct etcd_range){.key = SLICE("big/")});
    assert_string_equal(told.error, "");
    assert_int_equal(told.count, 500);
    assert_int_equal(told.bytes, 500 * VALUE_BYTES);
    assert_true(told.ordered && !told.more);
    assert_int_equal(told.revision, stage->answer.revision);
    assert_string_equal(told.first, "big/000");
    assert_string_equal(told.last, "big/499");
    told = read_all(stage, (struct etcd_range){.key = SLICE("nothing/")});
    assert_string_equal(told.error, "");
    assert_int_equal(told.count, 0);
}

static void a_limit_is_that_of_all_pages_from_either_end(void **state) {
    struct etcd_stage *stage = filled(state);
    struct etcd_range range = {.key = SLICE("big/"), .after = SLICE("big/009"), .limit = 200};
    struct told told = read_all(stage, range);
    assert_int_equal(told.count, 200);
    assert_true(told.ordered && told.more);
    assert_string_equal(told.first, "big/010");
    assert_string_equal(told.last, "big/209");
    range.descending = true;
    told = read_all(stage, range);
    assert_int_equal(told.count, 200);
    assert_true(told.descending && told.more);
    assert_string_equal(told.first, "big/499");
    assert_string_equal(told.last, "big/300");
    range.before = SLICE("big/012");
    told = read_all(stage, range);
    assert_int_equal(told.count, 2);
    assert_string_equal(told.first, "big/011");
    assert_string_equal(told.last, "big/010");
}

struct writer {
    struct etcd *etcd;
    unsigned written, wanted; // keeps writing up to this one
    int64_t revision;         // of the last one
};

static void write_on(const struct etcd_answer *answer, void *context) {
    struct writer *writer = context;
    struct etcd_operation put = {.verb = ETCD_PUT, .at.key = SLICE("big/499"), .value = SLICE("b")};
    if (answer) {
        assert_null(answer->error);
        writer->revision = answer->revision;
        writer->written++;
    }
    if (writer->written < writer->wanted)
        etcd_txn(writer->etcd, &(struct etcd_txn){.then = &put, .then_count = 1}, write_on, writer);
}

// What is written while it is read is in none of the pages.
static void it_is_all_of_one_revision(void **state) {
    struct etcd_stage *stage = filled(state);
    struct writer writer = {.etcd = stage->etcd, .wanted = UINT_MAX};
    struct told told = {0};
    write_on(NULL, &writer);
    etcd_pages_read(stage->etcd, &(struct etcd_range){.key = SLICE("big/"), .prefix = true}, done, &told);
    peer_run_until(stage->base, &told.answers, 1);
    writer.wanted = writer.written + 1;
    peer_run_until(stage->base, &writer.written, writer.wanted);
    assert_string_equal(told.error, "");
    assert_int_equal(told.count, 500);
    assert_true(told.newest <= told.revision);
    assert_true(writer.revision > told.revision + 1);
}

static void one_pair_past_the_bound_is_an_error(void **state) {
    struct etcd_stage *stage = &etcd_scene_of(state)->stage;
    static char value[1000000];
    memset(value, 'v', sizeof value);
    struct etcd_operation put = {.verb = ETCD_PUT, .at.key = SLICE("huge/b"), .value = {value, sizeof value}};
    etcd_stage_put(stage, "huge/a", "1", 0);
    etcd_stage_put(stage, "huge/c", "1", 0);
    etcd_stage_txn(stage, &(struct etcd_txn){.then = &put, .then_count = 1});
    etcd_stage_good(stage);
    struct told told = read_all(stage, (struct etcd_range){.key = SLICE("huge/")});
    assert_non_null(strstr(told.error, "answered with more than 1048576 bytes"));
    // one that fits alone is read alone
    put.value.len = 700000;
    etcd_stage_txn(stage, &(struct etcd_txn){.then = &put, .then_count = 1});
    put.at.key = SLICE("huge/d");
    etcd_stage_txn(stage, &(struct etcd_txn){.then = &put, .then_count = 1});
    told = read_all(stage, (struct etcd_range){.key = SLICE("huge/")});
    assert_string_equal(told.error, "");
    assert_int_equal(told.bytes, 2 * 700000 + 2);
}

static void what_is_cancelled_is_silent(void **state) {
    struct etcd_stage *stage = filled(state);
    struct told told = {0};
    for (unsigned ms = 0; ms < 40; ms += 10) {
        struct etcd_pages *pages = etcd_pages_read(
            stage->etcd, &(struct etcd_range){.key = SLICE("big/"), .prefix = true}, done, &told);
        if (ms)
            peer_run_for(stage->base, ms / 10);
        if (!told.answers)
            etcd_pages_cancel(pages);
        told.answers = 0;
    }
    peer_run_for(stage->base, 100);
    assert_int_equal(told.answers, 0);
}

int test_etcd_pages(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_comes_in_order),
        cmocka_unit_test(a_limit_is_that_of_all_pages_from_either_end),
        cmocka_unit_test(it_is_all_of_one_revision),
        cmocka_unit_test(one_pair_past_the_bound_is_an_error),
        cmocka_unit_test(what_is_cancelled_is_silent),
    };
    return cmocka_run_group_tests_name("etcd_pages", tests, open_scene, etcd_scene_close);
}
