#include "../../../src/control/etcd_json.h"
#include "unit.h"

#include <string.h>

static int open_arena(void **state) {
    static struct arena arena;
    arena_init(&arena, 256);
    *state = &arena;
    return 0;
}

static int close_arena(void **state) {
    arena_free(*state);
    return 0;
}

// ---- requests

static void is(struct strbuf *out, const char *wanted) {
    assert_string_equal(strbuf_text(out), wanted);
    strbuf_free(out);
}

static void small_requests_are_written(void **state) {
    (void)state;
    struct strbuf out = {0};
    etcd_json_grant(5, &out);
    is(&out, "{\"TTL\":\"5\"}");
    etcd_json_lease(INT64_MAX, &out);
    is(&out, "{\"ID\":\"9223372036854775807\"}");
    etcd_json_lease(INT64_MIN, &out);
    is(&out, "{\"ID\":\"-9223372036854775808\"}");
    etcd_json_authenticate("me \"", "\\o/\n", &out);
    is(&out, "{\"name\":\"me \\\"\",\"password\":\"\\\\o/\\n\"}");
    etcd_json_ask(&out);
    is(&out, "{\"progress_request\":{}}\n");
}

static void ranges_end_after_the_last_key_with_the_prefix(void **state) {
    (void)state;
    struct strbuf out = {0};
    etcd_json_range(&(struct etcd_range){.key = SLICE("foo")}, &out);
    is(&out, "{\"key\":\"Zm9v\"}");
    etcd_json_range(&(struct etcd_range){.key = SLICE("foo"), .prefix = true, .limit = 7}, &out);
    is(&out, "{\"key\":\"Zm9v\",\"range_end\":\"Zm9w\",\"limit\":\"7\"}");
    etcd_json_range(&(struct etcd_range){.key = SLICE("a\xff\xff"), .prefix = true}, &out); // "b"
    is(&out, "{\"key\":\"Yf//\",\"range_end\":\"Yg==\"}");
    etcd_json_range(&(struct etcd_range){.key = SLICE("a\x7f"), .prefix = true}, &out); // "a\x80"
    is(&out, "{\"key\":\"YX8=\",\"range_end\":\"YYA=\"}");
    etcd_json_range(&(struct etcd_range){.key = SLICE("\xff\xff"), .prefix = true}, &out); // up to the end
    is(&out, "{\"key\":\"//8=\",\"range_end\":\"AA==\"}");
    etcd_json_range(&(struct etcd_range){.key = SLICE_NONE, .prefix = true}, &out); // all keys
    is(&out, "{\"key\":\"AA==\",\"range_end\":\"AA==\"}");
}

static void ranges_have_bounds_a_revision_and_an_order(void **state) {
    (void)state;
    struct strbuf out = {0};
    struct etcd_range range = {.key = SLICE("foo"), .prefix = true, .after = SLICE("foo1"), .revision = 9};
    etcd_json_range(&range, &out); // from "foo1\0"
    is(&out, "{\"key\":\"Zm9vMQA=\",\"range_end\":\"Zm9w\",\"revision\":\"9\"}");
    range = (struct etcd_range){
        .key = SLICE("foo"), .prefix = true, .before = SLICE("foo1"), .limit = 2, .descending = true};
    etcd_json_range(&range, &out);
    is(&out, "{\"key\":\"Zm9v\",\"range_end\":\"Zm9vMQ==\",\"limit\":\"2\",\"sort_order\":\"DESCEND\"}");
}

static void a_txn_is_written(void **state) {
    (void)state;
    struct strbuf out = {0};
    const struct etcd_compare compares[] = {{ETCD_CREATE_REVISION, SLICE("a"), 0, SLICE_NONE},
                                            {ETCD_MOD_REVISION, SLICE("a"), 12, SLICE_NONE},
                                            {ETCD_LEASE, SLICE("a"), 13, SLICE_NONE},
                                            {ETCD_VALUE, SLICE("a"), 0, SLICE("\0\xff")},
                                            {ETCD_ALL_OLDER, SLICE("a"), 14, SLICE_NONE}};
    const struct etcd_operation then[] = {
        {.verb = ETCD_PUT, .at.key = SLICE("a"), .value = SLICE("1"), .lease = 13},
        {.verb = ETCD_PUT, .at.key = SLICE("b")},
        {.verb = ETCD_DELETE, .at = {.key = SLICE("c"), .prefix = true}}};
    const struct etcd_operation otherwise[] = {{.verb = ETCD_RANGE, .at.key = SLICE("a")}};
    etcd_json_txn(&(struct etcd_txn){compares, 5, then, otherwise, 3, 1}, &out);
    is(&out, "{\"compare\":["
             "{\"key\":\"YQ==\",\"result\":\"EQUAL\",\"target\":\"CREATE\",\"create_revision\":\"0\"},"
             "{\"key\":\"YQ==\",\"result\":\"EQUAL\",\"target\":\"MOD\",\"mod_revision\":\"12\"},"
             "{\"key\":\"YQ==\",\"result\":\"EQUAL\",\"target\":\"LEASE\",\"lease\":\"13\"},"
             "{\"key\":\"YQ==\",\"result\":\"EQUAL\",\"target\":\"VALUE\",\"value\":\"AP8=\"},"
             "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"result\":\"LESS\",\"target\":\"MOD\",\"mod_"
             "revision\":\"14\"}],"
             "\"success\":[{\"request_put\":{\"key\":\"YQ==\",\"value\":\"MQ==\",\"lease\":\"13\"}},"
             "{\"request_put\":{\"key\":\"Yg==\",\"value\":\"\"}},"
             "{\"request_delete_range\":{\"key\":\"Yw==\",\"range_end\":\"ZA==\"}}],"
             "\"failure\":[{\"request_range\":{\"key\":\"YQ==\"}}]}");
    etcd_json_txn(&(struct etcd_txn){0}, &out);
    is(&out, "{\"compare\":[],\"success\":[],\"failure\":[]}");
}

static void a_watch_is_written(void **state) {
    (void)state;
    struct strbuf out = {0};
    etcd_json_watch(SLICE("a"), 0, &out);
    is(&out, "{\"create_request\":{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"progress_notify\":true,"
             "\"fragment\":true}}\n");
    etcd_json_watch(SLICE("a"), 42, &out);
    is(&out, "{\"create_request\":{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"start_revision\":\"42\","
             "\"progress_notify\":true,\"fragment\":true}}\n");
}

// ---- answers

static bool read_as(enum etcd_kind kind, const char *json, struct arena *arena, struct etcd_answer *answer) {
    return etcd_json_answer(kind, slice_of(json), arena, answer);
}

static void leases_are_read(void **state) {
    struct etcd_answer answer;
    assert_true(read_as(ETCD_CALL_GRANT,
                        "{\"header\":{\"cluster_id\":\"16669793395648480238\",\"revision\":\"1\"},"
                        "\"ID\":\"4027522241859190789\",\"TTL\":\"5\"}",
                        *state, &answer));
    assert_int_equal(answer.revision, 1);
    assert_int_equal(answer.lease, 4027522241859190789);
    assert_int_equal(answer.ttl_s, 5);
    assert_true(read_as(ETCD_CALL_KEEP_ALIVE, "{\"result\":{\"header\":{},\"ID\":\"77\"}}\n{\"result\":{",
                        *state, &answer));
    assert_int_equal(answer.lease, 77);
    assert_int_equal(answer.ttl_s, 0);
    assert_int_equal(answer.revision, 0);
    assert_true(read_as(ETCD_CALL_REVOKE, "{\"header\":{\"revision\":\"3\"}}", *state, &answer));
    assert_int_equal(answer.revision, 3);
}

static void integers_go_to_both_ends(void **state) {
    static const struct {
        const char *json;
        bool good;
        int64_t number;
    } cases[] = {
        {"{\"header\":{\"revision\":\"9223372036854775807\"}}", true, INT64_MAX},
        {"{\"header\":{\"revision\":\"-9223372036854775808\"}}", true, INT64_MIN},
        {"{\"header\":{\"revision\":9223372036854775807}}", true, INT64_MAX},
        {"{\"header\":{\"revision\":-1}}", true, -1},
        {"{\"header\":{\"revision\":null}}", true, 0},
        {"{\"header\":{\"revision\":\"9223372036854775808\"}}", false, 0},
        {"{\"header\":{\"revision\":\"-9223372036854775809\"}}", false, 0},
        {"{\"header\":{\"revision\":\"\"}}", false, 0},
        {"{\"header\":{\"revision\":\"-\"}}", false, 0},
        {"{\"header\":{\"revision\":\" 1\"}}", false, 0},
        {"{\"header\":{\"revision\":\"+1\"}}", false, 0},
        {"{\"header\":{\"revision\":\"1 \"}}", false, 0},
        {"{\"header\":{\"revision\":\"1e3\"}}", false, 0},
        {"{\"header\":{\"revision\":1.5}}", false, 0},
        {"{\"header\":{\"revision\":true}}", false, 0},
        {"{\"header\":{\"revision\":{}}}", false, 0},
    };
    struct etcd_answer answer;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (read_as(ETCD_CALL_REVOKE, cases[i].json, *state, &answer) != cases[i].good)
            fail_msg("%s", cases[i].json);
        if (cases[i].good)
            assert_int_equal(answer.revision, cases[i].number);
    }
}

static void pairs_are_read(void **state) {
    struct etcd_answer answer;
    assert_true(
        read_as(ETCD_CALL_RANGE,
                "{\"header\":{\"revision\":\"5\"},\"kvs\":[{\"key\":\"AP8=\",\"create_revision\":\"4\","
                "\"mod_revision\":\"5\",\"version\":\"2\",\"value\":\"AAEC\",\"lease\":\"9\"},"
                "{\"key\":\"/w==\"}],\"more\":true,\"count\":\"3\"}",
                *state, &answer));
    assert_int_equal(answer.pair_count, 2);
    assert_true(answer.more);
    assert_true(slice_equal(answer.pairs[0].key, SLICE("\0\xff")));
    assert_true(slice_equal(answer.pairs[0].value, SLICE("\0\x01\x02")));
    assert_int_equal(answer.pairs[0].create_revision, 4);
    assert_int_equal(answer.pairs[0].mod_revision, 5);
    assert_int_equal(answer.pairs[0].lease, 9);
    assert_true(slice_equal(answer.pairs[1].key, SLICE("\xff")));
    assert_int_equal(answer.pairs[1].value.len, 0);
    assert_true(read_as(ETCD_CALL_RANGE, "{\"header\":{}}", *state, &answer));
    assert_int_equal(answer.pair_count, 0);
    assert_false(answer.more);
}

static void the_ranges_of_a_txn_are_one_list(void **state) {
    struct etcd_answer answer;
    assert_true(read_as(ETCD_CALL_TXN,
                        "{\"header\":{\"revision\":\"2\"},\"succeeded\":true,\"responses\":["
                        "{\"response_range\":{\"header\":{\"revision\":\"2\"},\"kvs\":[{\"key\":\"YQ==\"},"
                        "{\"key\":\"Yg==\"}]}},{\"response_put\":{\"header\":{\"revision\":\"2\"}}},"
                        "{\"response_delete_range\":{\"header\":{},\"deleted\":\"1\"}},"
                        "{\"response_range\":{\"kvs\":[{\"key\":\"Yw==\"}],\"more\":true}},"
                        "{\"response_range\":{}}]}",
                        *state, &answer));
    assert_true(answer.succeeded && answer.more);
    assert_int_equal(answer.pair_count, 3);
    assert_true(slice_equal(answer.pairs[2].key, SLICE("c")));
    assert_true(read_as(ETCD_CALL_TXN, "{\"header\":{}}", *state, &answer));
    assert_false(answer.succeeded);
}

static void what_is_malformed_is_no_answer(void **state) {
    static const struct {
        enum etcd_kind kind;
        const char *json;
    } bad[] = {
        {ETCD_CALL_REVOKE, ""},
        {ETCD_CALL_REVOKE, "{"},
        {ETCD_CALL_REVOKE, "[]"},
        {ETCD_CALL_REVOKE, "{}"},
        {ETCD_CALL_REVOKE, "{\"header\":[]}"},
        {ETCD_CALL_REVOKE, "{\"header\":{}} x"},
        {ETCD_CALL_GRANT, "{\"header\":{}}"},
        {ETCD_CALL_GRANT, "{\"header\":{},\"ID\":\"0\"}"},
        {ETCD_CALL_GRANT, "{\"header\":{},\"ID\":\"7\",\"TTL\":\"x\"}"},
        {ETCD_CALL_KEEP_ALIVE, "{\"header\":{},\"ID\":\"7\"}"},
        {ETCD_CALL_KEEP_ALIVE, "{\"result\":null}"},
        {ETCD_CALL_RANGE, "{\"header\":{},\"kvs\":{}}"},
        {ETCD_CALL_RANGE, "{\"header\":{},\"kvs\":[1]}"},
        {ETCD_CALL_RANGE, "{\"header\":{},\"kvs\":[{\"key\":1}]}"},
        {ETCD_CALL_RANGE, "{\"header\":{},\"kvs\":[{\"key\":\"a\"}]}"},
        {ETCD_CALL_RANGE, "{\"header\":{},\"kvs\":[{\"value\":\"a===\"}]}"},
        {ETCD_CALL_RANGE, "{\"header\":{},\"kvs\":[{\"lease\":\"x\"}]}"},
        {ETCD_CALL_RANGE, "{\"header\":{},\"more\":1}"},
        {ETCD_CALL_TXN, "{\"header\":{},\"succeeded\":\"true\"}"},
        {ETCD_CALL_TXN, "{\"header\":{},\"responses\":{}}"},
        {ETCD_CALL_TXN, "{\"header\":{},\"responses\":[{\"response_range\":[]}]}"},
        {ETCD_CALL_TXN, "{\"header\":{},\"responses\":[{\"response_range\":{\"kvs\":[{\"key\":\"%\"}]}}]}"},
    };
    struct etcd_answer answer;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_as(bad[i].kind, bad[i].json, *state, &answer))
            fail_msg("%s", bad[i].json);
}

static void every_beginning_of_an_answer_is_malformed(void **state) {
    static const char json[] = "{\"header\":{\"revision\":\"2\"},\"succeeded\":true,\"responses\":["
                               "{\"response_range\":{\"kvs\":[{\"key\":\"YQ==\",\"value\":\"Yg==\"}]}}]}";
    struct etcd_answer answer;
    for (size_t len = 0; len < sizeof json - 1; len++)
        assert_false(etcd_json_answer(ETCD_CALL_TXN, slice_make(json, len), *state, &answer));
    assert_true(read_as(ETCD_CALL_TXN, json, *state, &answer));
}

static void tokens_are_read(void **state) {
    const char *token;
    assert_true(etcd_json_token(SLICE("{\"header\":{},\"token\":\"abc.17\"}"), *state, &token));
    assert_string_equal(token, "abc.17");
    assert_false(etcd_json_token(SLICE("{\"header\":{}}"), *state, &token));
    assert_false(etcd_json_token(SLICE("{\"token\":\"\"}"), *state, &token));
    assert_false(etcd_json_token(SLICE("{\"token\":7}"), *state, &token));
    assert_false(etcd_json_token(SLICE_NONE, *state, &token));
}

static void refusals_are_read_in_both_forms(void **state) {
    struct etcd_refusal refusal;
    assert_true(etcd_json_refusal(
        SLICE("{\"error\":\"etcdserver: no\",\"message\":\"etcdserver: no\",\"code\":5}"), *state, &refusal));
    assert_int_equal(refusal.code, 5);
    assert_string_equal(refusal.message, "etcdserver: no");
    assert_true(etcd_json_refusal(
        SLICE("{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"m\"}}\n"), *state, &refusal));
    assert_int_equal(refusal.code, 14);
    assert_string_equal(refusal.message, "m");
    assert_false(etcd_json_refusal(SLICE("{\"code\":5}"), *state, &refusal));
    assert_false(etcd_json_refusal(SLICE("{\"error\":[]}"), *state, &refusal));
    assert_false(
        etcd_json_refusal(SLICE("{\"error\":{\"grpc_code\":\"x\",\"message\":\"m\"}}"), *state, &refusal));
    assert_false(etcd_json_refusal(SLICE("Not Found\n"), *state, &refusal));
}

static bool news_of(const char *json, struct arena *arena, struct etcd_news *news) {
    return etcd_json_news(slice_of(json), arena, news);
}

static void news_are_read(void **state) {
    struct etcd_news news;
    assert_true(news_of("{\"result\":{\"header\":{\"revision\":\"6\"},\"events\":["
                        "{\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"5\",\"value\":\"MQ==\"}},"
                        "{\"type\":\"DELETE\",\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"6\"}}],"
                        "\"fragment\":true}}\n",
                        *state, &news));
    assert_int_equal(news.pair_count, 2);
    assert_false(news.pairs[0].deleted);
    assert_true(news.pairs[1].deleted);
    assert_int_equal(news.pairs[1].mod_revision, 6);
    assert_true(news.fragment);
    assert_true(news_of("{\"result\":{\"header\":{\"revision\":\"6\"},\"created\":true}}", *state, &news));
    assert_true(news.created && !news.canceled && !news.broadcast);
    assert_true(news_of("{\"result\":{\"header\":{},\"watch_id\":\"-1\"}}", *state, &news));
    assert_true(news.broadcast);
    assert_true(
        news_of("{\"result\":{\"header\":{},\"canceled\":true,\"compact_revision\":\"4\"}}", *state, &news));
    assert_true(news.canceled);
    assert_int_equal(news.compact_revision, 4);
    assert_true(news_of("{\"result\":{\"header\":{},\"watch_id\":\"-1\",\"created\":true,\"canceled\":true,"
                        "\"cancel_reason\":\"no\"}}",
                        *state, &news));
    assert_true(news.canceled && !news.broadcast);
    assert_string_equal(news.reason, "no");
    assert_true(
        news_of("{\"error\":{\"grpc_code\":14,\"message\":\"etcdserver: no leader\"}}", *state, &news));
    assert_string_equal(news.error.message, "etcdserver: no leader");
}

static void what_is_malformed_is_no_news(void **state) {
    static const char *const bad[] = {
        "{}",
        "{\"result\":{}}",
        "{\"result\":[]}",
        "{\"result\":{\"header\":{},\"created\":1}}",
        "{\"result\":{\"header\":{},\"watch_id\":\"x\"}}",
        "{\"result\":{\"header\":{},\"compact_revision\":\"\"}}",
        "{\"result\":{\"header\":{},\"cancel_reason\":{}}}",
        "{\"result\":{\"header\":{},\"events\":{}}}",
        "{\"result\":{\"header\":{},\"events\":[{}]}}",
        "{\"result\":{\"header\":{},\"events\":[{\"type\":\"MOVE\",\"kv\":{}}]}}",
        "{\"result\":{\"header\":{},\"events\":[{\"kv\":{\"key\":\"?\"}}]}}",
    };
    struct etcd_news news;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (news_of(bad[i], *state, &news))
            fail_msg("%s", bad[i]);
}

int test_etcd_json(void) {
#define ARENA(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_requests_are_written),
        cmocka_unit_test(ranges_end_after_the_last_key_with_the_prefix),
        cmocka_unit_test(ranges_have_bounds_a_revision_and_an_order),
        cmocka_unit_test(a_txn_is_written),
        cmocka_unit_test(a_watch_is_written),
        ARENA(leases_are_read),
        ARENA(integers_go_to_both_ends),
        ARENA(pairs_are_read),
        ARENA(the_ranges_of_a_txn_are_one_list),
        ARENA(what_is_malformed_is_no_answer),
        ARENA(every_beginning_of_an_answer_is_malformed),
        ARENA(tokens_are_read),
        ARENA(refusals_are_read_in_both_forms),
        ARENA(news_are_read),
        ARENA(what_is_malformed_is_no_news),
    };
    return cmocka_run_group_tests_name("etcd_json", tests, NULL, NULL);
}
