// The client of etcd against etcd itself: leases, ranges, transactions.
#include "base/strbuf.h"
#include "etcd_scene.h"
#include "peer.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int open_scene(void **state) {
    return etcd_scene_open(state, (struct etcd_settings){0});
}

static struct etcd_stage *stage_of(void **state) {
    return &etcd_scene_of(state)->stage;
}

static void keys_vanish_with_a_lease_that_nobody_keeps_alive(void **state) {
    struct etcd_stage *stage = stage_of(state);
    etcd_stage_grant(stage, 1);
    etcd_stage_good(stage);
    int64_t lease = stage->answer.lease;
    assert_true(lease != 0);
    assert_int_equal(stage->answer.ttl_s, 1);
    etcd_stage_put(stage, "leased/a", "1", lease);
    etcd_stage_good(stage);
    etcd_stage_keep_alive(stage, lease);
    etcd_stage_good(stage);
    assert_int_equal(stage->answer.ttl_s, 1);
    assert_int_equal(stage->answer.lease, lease);
    for (time_t end = time(NULL) + 60; time(NULL) < end;) {
        etcd_stage_range(stage, "leased/");
        etcd_stage_good(stage);
        if (!stage->pairs[0])
            break;
        assert_string_equal(stage->pairs, "leased/a=1 ");
        peer_run_for(stage->base, 100);
    }
    assert_string_equal(stage->pairs, "");
    etcd_stage_keep_alive(stage, lease);
    etcd_stage_good(stage);
    assert_int_equal(stage->answer.ttl_s, 0); // gone
}

static void a_lease_that_is_revoked_takes_its_keys_along(void **state) {
    struct etcd_stage *stage = stage_of(state);
    etcd_stage_grant(stage, 600);
    int64_t lease = stage->answer.lease;
    etcd_stage_put(stage, "revoked", "1", lease);
    for (int i = 0; i < 2; i++) { // there is none any more: as good
        unsigned before = stage->answers;
        etcd_revoke(stage->etcd, lease, etcd_stage_done, stage);
        peer_run_until(stage->base, &stage->answers, before + 1);
        etcd_stage_good(stage);
    }
    etcd_stage_range(stage, "revoked");
    assert_string_equal(stage->pairs, "");
    etcd_stage_put(stage, "revoked", "1", lease);
    assert_non_null(strstr(stage->error, "127.0.0.1"));
    assert_non_null(strstr(stage->error, "requested lease not found"));
    assert_true(stage->answer.refused && stage->answer.no_effect);
}

static void the_first_one_gets_the_key(void **state) {
    struct etcd_stage *stage = stage_of(state);
    struct etcd_compare absent = {.what = ETCD_CREATE_REVISION, .key = SLICE("leader")};
    struct etcd_operation put = {.verb = ETCD_PUT, .at.key = SLICE("leader"), .value = SLICE("me")},
                          look = {.verb = ETCD_RANGE, .at.key = SLICE("leader")};
    struct etcd_txn txn = {&absent, 1, &put, &look, 1, 1};
    etcd_stage_txn(stage, &txn);
    etcd_stage_good(stage);
    assert_true(stage->answer.succeeded);
    assert_string_equal(stage->pairs, "");
    put.value = SLICE("somebody else");
    etcd_stage_txn(stage, &txn);
    etcd_stage_good(stage);
    assert_false(stage->answer.succeeded);
    assert_string_equal(stage->pairs, "leader=me ");
}

static bool holds(struct etcd_stage *stage, struct etcd_compare compare) {
    etcd_stage_txn(stage, &(struct etcd_txn){.compares = &compare, .compare_count = 1});
    etcd_stage_good(stage);
    return stage->answer.succeeded;
}

static void every_kind_of_compare_tells_apart(void **state) {
    struct etcd_stage *stage = stage_of(state);
    struct slice key = SLICE("compared");
    etcd_stage_grant(stage, 600);
    int64_t lease = stage->answer.lease;
    etcd_stage_put(stage, "compared", "one", 0);
    int64_t created = stage->answer.revision;
    etcd_stage_put(stage, "compared", "two", lease);
    int64_t changed = stage->answer.revision;
    assert_true(changed > created);
    const struct etcd_compare right[] = {{ETCD_CREATE_REVISION, key, created, SLICE_NONE},
                                         {ETCD_MOD_REVISION, key, changed, SLICE_NONE},
                                         {ETCD_LEASE, key, lease, SLICE_NONE},
                                         {ETCD_VALUE, key, 0, SLICE("two")}},
                              wrong[] = {{ETCD_CREATE_REVISION, key, changed, SLICE_NONE},
                                         {ETCD_MOD_REVISION, key, created, SLICE_NONE},
                                         {ETCD_LEASE, key, lease + 1, SLICE_NONE},
                                         {ETCD_VALUE, key, 0, SLICE("one")}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(holds(stage, right[i]));
        assert_false(holds(stage, wrong[i]));
    }
    etcd_stage_txn(stage, &(struct etcd_txn){.compares = right, .compare_count = 4});
    assert_true(stage->answer.succeeded);
}

static void a_txn_does_all_of_its_operations_in_order(void **state) {
    struct etcd_stage *stage = stage_of(state);
    const struct etcd_operation all[] = {
        {.verb = ETCD_PUT, .at.key = SLICE("all/a"), .value = SLICE("1")},
        {.verb = ETCD_PUT, .at.key = SLICE("all/b"), .value = SLICE("2")},
        {.verb = ETCD_RANGE, .at = {.key = SLICE("all/"), .prefix = true}},
        {.verb = ETCD_DELETE, .at.key = SLICE("all/0")},
        {.verb = ETCD_RANGE, .at = {.key = SLICE("all/"), .prefix = true, .limit = 1}},
    };
    etcd_stage_put(stage, "all/0", "0", 0);
    etcd_stage_txn(stage, &(struct etcd_txn){.then = all, .then_count = 5});
    etcd_stage_good(stage);
    assert_true(stage->answer.succeeded);
    assert_string_equal(stage->pairs, "all/0=0 all/a=1 all/b=2 all/a=1 ");
    assert_true(stage->answer.more);
    etcd_stage_delete(stage, "all/");
    etcd_stage_range(stage, "all/");
    assert_string_equal(stage->pairs, "");
}

static void ranges_have_prefixes_and_limits(void **state) {
    struct etcd_stage *stage = stage_of(state);
    etcd_stage_put(stage, "range", "0", 0);
    etcd_stage_put(stage, "range/a", "1", 0);
    etcd_stage_put(stage, "range/b", "2", 0);
    etcd_stage_put(stage, "range0", "3", 0); // "0" comes after "/"
    etcd_stage_range(stage, "range/");
    assert_string_equal(stage->pairs, "range/a=1 range/b=2 ");
    assert_false(stage->answer.more);
    unsigned before = stage->answers;
    etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("range"), .prefix = true, .limit = 3},
               etcd_stage_done, stage);
    etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("range")}, etcd_stage_done, stage);
    peer_run_until(stage->base, &stage->answers, before + 2);
    etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("range"), .prefix = true, .limit = 3},
               etcd_stage_done, stage);
    peer_run_until(stage->base, &stage->answers, before + 3);
    assert_string_equal(stage->pairs, "range=0 range/a=1 range/b=2 ");
    assert_true(stage->answer.more);
}

static void keep_pair(const struct etcd_answer *answer, void *context) {
    struct strbuf *kept = context;
    assert_null(answer->error);
    assert_int_equal(answer->pair_count, 1);
    strbuf_slice(kept, answer->pairs[0].key);
    strbuf_slice(kept, answer->pairs[0].value);
}

static void bytes_come_back_as_they_were(void **state) {
    struct etcd_stage *stage = stage_of(state);
    static char key[3] = {'\xff', '\xff', '\0'}, value[256];
    struct strbuf kept = {0};
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (char)i;
    struct etcd_operation put = {
        .verb = ETCD_PUT, .at.key = {key, sizeof key}, .value = {value, sizeof value}};
    etcd_stage_txn(stage, &(struct etcd_txn){.then = &put, .then_count = 1});
    etcd_stage_good(stage);
    // all keys that begin with two bytes after which no prefix comes
    etcd_range(stage->etcd, &(struct etcd_range){.key = {key, 2}, .prefix = true}, keep_pair, &kept);
    while (kept.len == 0)
        peer_run_for(stage->base, 20);
    assert_int_equal(kept.len, sizeof key + sizeof value);
    assert_memory_equal(kept.at, key, sizeof key);
    assert_memory_equal(kept.at + sizeof key, value, sizeof value);
    strbuf_free(&kept);
}

static void a_call_that_is_cancelled_is_silent(void **state) {
    struct etcd_stage *stage = stage_of(state);
    unsigned before = stage->answers;
    struct etcd_call *call = etcd_grant(stage->etcd, 60, etcd_stage_done, stage);
    etcd_cancel(call);
    etcd_stage_range(stage, "nothing");
    peer_run_for(stage->base, 100);
    assert_int_equal(stage->answers, before + 1);
}

static void an_answer_of_any_size_up_to_the_bound_is_taken(void **state) {
    struct etcd_stage *stage = stage_of(state);
    static char value[500000];
    memset(value, 'v', sizeof value);
    for (int i = 0; i < 2; i++) {
        struct etcd_operation put = {
            .verb = ETCD_PUT, .at.key = {i ? "big/b" : "big/a", 5}, .value = {value, sizeof value}};
        etcd_stage_txn(stage, &(struct etcd_txn){.then = &put, .then_count = 1});
        etcd_stage_good(stage);
    }
    etcd_stage_range(stage, "big/a");
    assert_string_equal(stage->pairs, "big/a=vvvvvvvvvvvvvvvvvvvv ");
    etcd_stage_range(stage, "big/"); // 1.3 MB in base64
    assert_non_null(strstr(stage->error, "answered with more than 1048576 bytes"));
    etcd_stage_delete(stage, "big/");
}

int test_etcd(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_vanish_with_a_lease_that_nobody_keeps_alive),
        cmocka_unit_test(a_lease_that_is_revoked_takes_its_keys_along),
        cmocka_unit_test(the_first_one_gets_the_key),
        cmocka_unit_test(every_kind_of_compare_tells_apart),
        cmocka_unit_test(a_txn_does_all_of_its_operations_in_order),
        cmocka_unit_test(ranges_have_prefixes_and_limits),
        cmocka_unit_test(bytes_come_back_as_they_were),
        cmocka_unit_test(a_call_that_is_cancelled_is_silent),
        cmocka_unit_test(an_answer_of_any_size_up_to_the_bound_is_taken),
    };
    return cmocka_run_group_tests_name("etcd", tests, open_scene, etcd_scene_close);
}
