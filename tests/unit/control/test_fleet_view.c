// What status shows of a member of a fleet, whatever that says of itself.
#include "../../../src/control/fleet_view.h"
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *parsed(const char *text) {
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    assert_true(!text || json);
    return json;
}

static json_t *view(const char *said, const char *own, uint64_t now_ms) {
    struct strbuf out = {0};
    struct emit emit = {.out = &out};
    json_t *theirs = parsed(said), *ours = parsed(own);
    struct fleet_member member = {.id = "1f", .name = "one", .leads = true, .said = theirs};
    fleet_view_member(&member, ours, now_ms, &emit);
    json_t *shown = parsed(strbuf_text(&out));
    strbuf_free(&out);
    json_decref(theirs);
    json_decref(ours);
    return shown;
}

static void is(const json_t *object, const char *name, const char *wanted) {
    char *text = json_dumps(json_object_get(object, name), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, wanted);
    free(text);
}

static void what_is_said_is_shown(void **state) {
    (void)state;
    json_t *shown =
        view("{\"version\":\"1.2\",\"admin\":\"a:1\",\"pid\":7,\"started_ms\":1000,\"loaded_ms\":3500,"
             "\"routes\":{\"chat\":{\"rollout\":\"ab\",\"plan\":17}}}",
             NULL, 4000);
    is(shown, "name", "\"one\"");
    is(shown, "leader", "true");
    is(shown, "self", "false");
    is(shown, "version", "\"1.2\"");
    is(shown, "admin", "\"a:1\"");
    is(shown, "pid", "7");
    is(shown, "started_seconds", "3.0");
    is(shown, "loaded_seconds", "0.5");
    is(shown, "routes", "{\"chat\":{\"rollout\":\"ab\",\"plan\":17}}");
    is(shown, "agrees", "null");
    json_decref(shown);
}

static void what_is_no_such_thing_is_null(void **state) {
    (void)state;
    static const char *const saying[] = {
        "{}", "[]", "3",
        "{\"version\":1,\"admin\":[],\"pid\":-7,\"started_ms\":\"x\",\"loaded_ms\":-1,\"routes\":[1]}"};
    for (size_t i = 0; i < sizeof saying / sizeof *saying; i++) {
        json_t *theirs = json_loads(saying[i], JSON_DECODE_ANY, NULL);
        struct strbuf out = {0};
        struct emit emit = {.out = &out};
        struct fleet_member member = {.id = "1f", .name = "one", .said = theirs};
        fleet_view_member(&member, theirs, 4000, &emit);
        assert_string_equal(
            strbuf_text(&out),
            "{\"name\":\"one\",\"id\":\"1f\",\"leader\":false,\"self\":false,\"version\":null,"
            "\"admin\":null,\"pid\":null,\"started_seconds\":null,\"loaded_seconds\":null,\"routes\":{},"
            "\"differs\":[],\"agrees\":null}");
        strbuf_free(&out);
        json_decref(theirs);
    }
}

static void a_clock_that_is_ahead_makes_no_age(void **state) {
    (void)state;
    json_t *shown = view("{\"started_ms\":5000}", NULL, 4000);
    is(shown, "started_seconds", "0.0");
    json_decref(shown);
}

#define SAYS(routes) "{\"routes\":{" routes "}}"
#define CHAT(hash)   "\"chat\":{\"rollout\":\"" hash "\",\"plan\":1}"
#define PLAIN        "\"plain\":{\"plan\":3}"

static void rollouts_are_held_against_this_ones(void **state) {
    (void)state;
    static const struct {
        const char *theirs, *ours, *agrees, *differs;
    } cases[] = {
        {SAYS(CHAT("a")), SAYS(CHAT("a")), "true", "[]"},
        {SAYS("\"chat\":{\"rollout\":\"a\",\"plan\":9}"), SAYS(CHAT("a")), "true", "[]"},
        {SAYS(CHAT("a")), SAYS(CHAT("b")), "false", "[\"chat\"]"},
        {SAYS(CHAT("a")), SAYS(""), "false", "[\"chat\"]"},
        {SAYS(""), SAYS(CHAT("a")), "false", "[\"chat\"]"},
        {SAYS(""), SAYS(""), "true", "[]"},
        {SAYS(PLAIN), SAYS(""), "true", "[]"}, // a route without a rollout
        {SAYS(CHAT("a") "," PLAIN), SAYS(PLAIN "," CHAT("a")), "true", "[]"},
        {SAYS("\"x\":{\"rollout\":\"1\"}," CHAT("a")), SAYS(CHAT("b")), "false", "[\"x\",\"chat\"]"},
        {SAYS("\"chat\":7"), SAYS(CHAT("b")), "false", "[\"chat\"]"},
        {"{}", SAYS(CHAT("a")), "null", "[]"},
        {SAYS(CHAT("a")), "{}", "null", "[]"},
        {SAYS(CHAT("a")), NULL, "null", "[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *shown = view(cases[i].theirs, cases[i].ours, 1);
        is(shown, "agrees", cases[i].agrees);
        is(shown, "differs", cases[i].differs);
        json_decref(shown);
    }
}

int test_fleet_view(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_shown),
        cmocka_unit_test(what_is_no_such_thing_is_null),
        cmocka_unit_test(a_clock_that_is_ahead_makes_no_age),
        cmocka_unit_test(rollouts_are_held_against_this_ones),
    };
    return cmocka_run_group_tests_name("fleet_view", tests, NULL, NULL);
}
