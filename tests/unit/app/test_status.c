#include "../../../src/app/demo/status.h"
#include "unit.h"

#include <string.h>

#define CONFIG(reload) "\"config\":{\"last_reload\":" reload "}"
#define ROUTE(from, stable, canary)                                                                        \
    "\"routes\":[{\"name\":\"other\",\"variants\":[]},{\"name\":\"chat\",\"weights_from\":\"" from         \
    "\",\"variants\":[{\"name\":\"stable\",\"weight\":" stable "},{\"name\":\"canary\",\"weight\":" canary \
    "}]}]"
#define POOLS(state) \
    "\"pools\":[{\"name\":\"blue\",\"endpoints\":[{\"url\":\"http://a:1\",\"state\":\"" state "\"}]}]"
#define PLAIN "{" CONFIG("null") "," ROUTE("file", "95", "5") "," POOLS("ready") "}"

static struct status read(const char *text) {
    struct status status;
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_true(status_read(&status, json));
    json_decref(json);
    return status;
}

// The news between two states; "" when there are none. Only one piece is expected.
static const char *difference(const char *before, const char *after) {
    static struct news news;
    struct status first = read(before), second = read(after);
    news = (struct news){0};
    status_compare(&first, &second, &news);
    assert_true(news.count <= 1);
    return news.count ? news.items[0].text : "";
}

static void the_route_named_chat_is_shown(void **state) {
    struct status status = read("{" ROUTE("file", "99.5", "0.5") "}");
    (void)state;
    assert_int_equal(status.variant_count, 2);
    assert_string_equal(status.variants[0].name, "stable");
    assert_string_equal(status.variants[0].weight, "99.5");
    assert_string_equal(status.variants[1].weight, "0.5");
    status = read("{\"routes\":[{\"name\":\"renamed\",\"variants\":[{\"name\":\"a\",\"weight\":100}]}]}");
    assert_string_equal(status.variants[0].name, "a");
}

static void what_is_no_status_is_refused(void **state) {
    static const char *const bad[] = {"{}", "[]", "{\"routes\":[]}", "{\"routes\":3}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct status status;
        json_t *json = json_loads(bad[i], 0, NULL);
        assert_false(status_read(&status, json));
        json_decref(json);
    }
}

static void changes_are_news(void **state) {
    (void)state;
    assert_string_equal(difference(PLAIN, PLAIN), "");
    assert_string_equal(
        difference(PLAIN, "{" CONFIG("null") "," ROUTE("command", "80", "20") "," POOLS("ready") "}"),
        "weights are now stable 80%, canary 20% (by hand)");
    assert_string_equal( // its decisions tell of them
        difference(PLAIN, "{" CONFIG("null") "," ROUTE("rollout", "75", "25") "," POOLS("ready") "}"), "");
    assert_string_equal(
        difference(PLAIN, "{" CONFIG("null") "," ROUTE("file", "95", "5") "," POOLS("unhealthy") "}"),
        "endpoint http://a:1 of blue is unhealthy");
    assert_string_equal(difference(PLAIN, "{" CONFIG("null") "," ROUTE("file", "95", "5") ",\"pools\":[]}"),
                        "endpoint http://a:1 left blue");
    assert_string_equal(difference("{" CONFIG("null") "," ROUTE("file", "95", "5") ",\"pools\":[]}", PLAIN),
                        "endpoint http://a:1 joined blue");
}

static void reloads_are_news(void **state) {
    (void)state;
    assert_string_equal(difference(PLAIN, "{" CONFIG("{\"result\":\"success\",\"at\":\"1\"}") "," ROUTE(
                                              "file", "95", "5") "," POOLS("ready") "}"),
                        "configuration reloaded");
    assert_string_equal(
        difference(PLAIN, "{" CONFIG("{\"result\":\"failure\",\"at\":\"1\",\"diagnostics\":[{\"text\":\"f:1:"
                                     "2: no\"}]}") "," ROUTE("file", "95", "5") "," POOLS("ready") "}"),
        "reload refused, nothing has changed: f:1:2: no");
}

static void the_first_status_is_no_news(void **state) {
    struct status none = {0}, first = read(PLAIN);
    struct news news = {0};
    (void)state;
    status_compare(&none, &first, &news);
    assert_int_equal(news.count, 0);
}

int test_status(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_route_named_chat_is_shown),
        cmocka_unit_test(what_is_no_status_is_refused),
        cmocka_unit_test(changes_are_news),
        cmocka_unit_test(reloads_are_news),
        cmocka_unit_test(the_first_status_is_no_news),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
