#include "request.h"
#include "traffic/decide.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define SECRET "0123456789abcdef"

// One route with three variants, changed by each test as it needs.
struct fixture {
    struct sticky_source by[2];
    struct variant_config variants[3];
    struct override_config override;
    struct route_config config;
    struct live_route route;
    struct request request;
};

static void open_fixture(struct fixture *f) {
    *f = (struct fixture){
        .by = {{UNIT_HEADER, "X-User"}},
        .variants = {{.name = "stable", .version = "v1", .weight = 9500},
                     {.name = "canary", .version = "v2", .weight = 500},
                     {.name = "dark", .weight = 0}},
        .override = {.header = "X-Sluice-Variant", .token_file = "/t", .token = SECRET},
    };
    f->config = (struct route_config){
        .name = "chat",
        .sticky =
            {.by = f->by, .by_count = 1, .cookie = "sluice_unit", .mode = STICKY_UNIT, .salt = "chat-v1.1"},
        .override = &f->override,
        .variants = f->variants,
        .variant_count = 3,
        .baseline = 0,
    };
}

static const uint64_t numbers[2] = {0x0123456789abcdef, 0xfedcba9876543210};

// Decides one request made of extra header lines; the fixture's request is open until the next.
static struct decision ask_with(struct fixture *f, const char *fields, const uint64_t random[2]) {
    char lines[1024];
    snprintf(lines, sizeof lines, "GET / HTTP/1.1\nHost: h%s%s", *fields ? "\n" : "", fields);
    request_close(&f->request);
    request_open(&f->request, lines, NULL);
    live_route_init(&f->route, &f->config);
    struct decision decision;
    decide(&f->route, &f->request.view, random, &decision);
    return decision;
}
static struct decision ask(struct fixture *f, const char *fields) {
    return ask_with(f, fields, numbers);
}

static struct decision ask_with_cookie(struct fixture *f, const char *cookie, const char *more) {
    char fields[512];
    snprintf(fields, sizeof fields, "Cookie: sluice_unit=%s%s", cookie, more);
    return ask(f, fields);
}

static void copy_cookie(const struct decision *decision, char text[256]) {
    assert_true(decision->set_cookie);
    snprintf(text, 256, "%.*s", (int)decision->cookie_value.len, decision->cookie_value.at);
}

static void by_the_units_bucket(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct decision decision = ask(&f, "X-User: user-1"); // bucket 93, docs/split.md
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_int_equal(decision.bucket, 93);
    assert_int_equal(decision.variant, 1);
    assert_int_equal(decision.unit.source, UNIT_HEADER);
    assert_false(decision.set_cookie);
    decision = ask(&f, "X-User: alice"); // 7339
    assert_int_equal(decision.variant, 0);
    char *free_bytes = f.request.arena.at; // the common case takes no memory
    decide(&f.route, &f.request.view, numbers, &decision);
    assert_ptr_equal(f.request.arena.at, free_bytes);
    // `assign` says the same of the bare unit.
    decide_unit(&f.route, SLICE("user-1"), &decision);
    assert_int_equal(decision.bucket, 93);
    assert_int_equal(decision.variant, 1);
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_false(decision.set_cookie);
    request_close(&f.request);
}

static void at_random_without_a_unit(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.config.sticky.cookie = NULL;
    struct decision decision = ask_with(&f, "", (uint64_t[]){10499, 1});
    assert_int_equal(decision.reason, DECIDED_AT_RANDOM);
    assert_int_equal(decision.bucket, 499);
    assert_int_equal(decision.variant, 1);
    assert_int_equal(decision.unit.source, UNIT_RANDOM);
    assert_int_equal(decision.unit.value.len, 0);
    assert_false(decision.set_cookie);
    assert_int_equal(ask_with(&f, "", (uint64_t[]){500, 1}).variant, 0);
    // Mode session pins a unit; without one, and without a cookie, there is nothing to pin.
    f.config.sticky.mode = STICKY_SESSION;
    assert_false(ask(&f, "").set_cookie);
    assert_false(ask(&f, "X-User: a").set_cookie);
    request_close(&f.request);
}

static void a_unit_is_issued_once(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct decision decision = ask(&f, "");
    char cookie[256];
    copy_cookie(&decision, cookie);
    assert_string_equal(cookie, "0123456789abcdeffedcba9876543210");
    assert_int_equal(decision.bucket, 5981); // of that unit, so the next request gets the same
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_int_equal(decision.unit.source, UNIT_ISSUED);
    decision = ask_with_cookie(&f, cookie, "");
    assert_int_equal(decision.bucket, 5981);
    assert_int_equal(decision.unit.source, UNIT_ISSUED);
    assert_false(decision.set_cookie);
    decision = ask_with_cookie(&f, "not%20ours", "");
    assert_true(decision.set_cookie);
    request_close(&f.request);
}

static void a_session_keeps_its_variant(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.config.sticky.mode = STICKY_SESSION;
    struct decision decision = ask(&f, "X-User: bob"); // 1791
    char cookie[256];
    copy_cookie(&decision, cookie);
    assert_int_equal(decision.variant, 0);
    assert_memory_equal(cookie + 16, "~stable~", 8);
    assert_int_equal(strspn(cookie, "0123456789abcdef"), 16); // the user's name is not in it
    assert_int_equal(strlen(cookie), 32);

    f.variants[0].weight = 5000; // the ramp reaches the unit, the session stays
    f.variants[1].weight = 5000;
    decision = ask_with_cookie(&f, cookie, "\nX-User: bob");
    assert_int_equal(decision.variant, 0);
    assert_int_equal(decision.reason, DECIDED_BY_PIN);
    assert_int_equal(decision.bucket, 1791);
    assert_false(decision.set_cookie);
    assert_int_equal(ask(&f, "X-User: bob").variant, 1); // a new session follows the weights

    // Somebody else with the same cookie is not pinned by it.
    decision = ask_with_cookie(&f, cookie, "\nX-User: user-1");
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_int_equal(decision.variant, 1);
    assert_true(decision.set_cookie);

    f.variants[0].version = "v9"; // another version is another variant
    decision = ask_with_cookie(&f, cookie, "\nX-User: bob");
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_int_equal(decision.variant, 1);
    assert_true(decision.set_cookie);
    request_close(&f.request);
}

static void weight_zero_unpins_at_once(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.config.sticky.mode = STICKY_SESSION;
    char cookie[256];
    struct decision decision = ask(&f, "X-User: user-1");
    copy_cookie(&decision, cookie);
    assert_int_equal(decision.variant, 1);
    decision = ask_with_cookie(&f, cookie, "\nX-User: user-1");
    assert_int_equal(decision.reason, DECIDED_BY_PIN);
    f.variants[0].weight = 10000;
    f.variants[1].weight = 0;
    decision = ask_with_cookie(&f, cookie, "\nX-User: user-1");
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_int_equal(decision.variant, 0);
    copy_cookie(&decision, cookie);
    assert_memory_equal(cookie + 16, "~stable~", 8);
    request_close(&f.request);
}

static void an_issued_session_is_pinned(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.config.sticky.mode = STICKY_SESSION;
    struct decision decision = ask(&f, "");
    char cookie[256];
    copy_cookie(&decision, cookie);
    assert_memory_equal(cookie, "0123456789abcdeffedcba9876543210~stable~", 40);
    decision = ask_with_cookie(&f, cookie, "");
    assert_int_equal(decision.reason, DECIDED_BY_PIN);
    assert_int_equal(decision.unit.source, UNIT_ISSUED);
    assert_int_equal(decision.bucket, 5981);
    assert_false(decision.set_cookie);
    // A cookie from before the mode was session has the unit only: the pin is added, the unit stays.
    decision = ask_with_cookie(&f, "0123456789abcdeffedcba9876543210", "");
    char again[256];
    copy_cookie(&decision, again);
    assert_string_equal(again, cookie);
    // Forged pins: unknown variant, wrong stamp, a variant of no weight.
    const char *forged[] = {"u~nobody~00000000", "u~canary~00000000", "u~dark~00000000", "u~canary~"};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        decision = ask_with_cookie(&f, forged[i], "");
        assert_int_equal(decision.reason, DECIDED_BY_UNIT);
        assert_true(decision.set_cookie);
    }
    request_close(&f.request);
}

static void a_tester_chooses(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct decision decision = ask(&f, "X-User: alice\nx-sluice-variant: canary;" SECRET);
    assert_int_equal(decision.reason, DECIDED_BY_OVERRIDE);
    assert_int_equal(decision.variant, 1);
    assert_int_equal(decision.bucket, 7339); // of the unit, for what hashes units
    assert_false(decision.override_denied);
    assert_int_equal(ask(&f, "X-Sluice-Variant: dark ; " SECRET).variant, 2); // weight 0 can be tested
    // No cookie is set: not for a unit that is missing, not for a session.
    assert_false(ask(&f, "X-Sluice-Variant: canary;" SECRET).set_cookie);
    f.config.sticky.mode = STICKY_SESSION;
    decision = ask(&f, "X-User: alice\nX-Sluice-Variant: canary;" SECRET);
    assert_int_equal(decision.reason, DECIDED_BY_OVERRIDE);
    assert_false(decision.set_cookie);
    request_close(&f.request);
}

static void a_wrong_override_is_ignored(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    const char *wrong[] = {"canary",
                           "canary;",
                           "canary;0123456789abcdeX",
                           "canary;0123456789abcde",
                           "canary;" SECRET "0",
                           "canary;" SECRET SECRET,
                           "nobody;" SECRET,
                           ";" SECRET,
                           "",
                           "CANARY;" SECRET};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char fields[256];
        snprintf(fields, sizeof fields, "X-User: alice\nX-Sluice-Variant: %s", wrong[i]);
        struct decision decision = ask(&f, fields);
        assert_true(decision.override_denied);
        assert_int_equal(decision.reason, DECIDED_BY_UNIT);
        assert_int_equal(decision.variant, 0);
    }
    assert_true(ask(&f, "X-Sluice-Variant: canary;x").set_cookie); // a request like any other
    f.override.token = "";                                         // an empty file is no open door
    assert_true(ask(&f, "X-Sluice-Variant: canary;").override_denied);
    f.override.token = NULL;
    assert_true(ask(&f, "X-Sluice-Variant: canary;").override_denied);
    assert_true(ask(&f, "X-Sluice-Variant: canary").override_denied);
    f.override.token_file = NULL; // no token wanted
    assert_int_equal(ask(&f, "X-Sluice-Variant: canary").reason, DECIDED_BY_OVERRIDE);
    assert_true(ask(&f, "X-Sluice-Variant: nobody").override_denied);
    f.config.override = NULL;
    struct decision decision = ask(&f, "X-Sluice-Variant: canary\nX-User: alice");
    assert_int_equal(decision.variant, 0);
    assert_false(decision.override_denied);
    request_close(&f.request);
}

// The fixture's route as one of the experiment "chat", asked by a peer that is trusted, or is not.
static struct decision ask_linked(struct fixture *f, const char *fields, bool trusted) {
    f->config.experiment = "chat";
    f->config.baggage = "sluice.chat";
    ask(f, fields);
    f->request.view.peer_trusted = trusted;
    struct decision decision;
    decide(&f->route, &f->request.view, numbers, &decision);
    return decision;
}

static void a_trusted_peers_baggage_goes_before_the_bucket(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    struct decision decision = ask_linked(&f, "X-User: alice\nbaggage: a=1, sluice.chat=canary", true);
    assert_int_equal(decision.reason, DECIDED_BY_BAGGAGE);
    assert_int_equal(decision.variant, 1);
    assert_int_equal(decision.bucket, 7339); // still the unit's
    assert_false(decision.set_cookie || decision.by_tester);
    assert_int_equal(ask_linked(&f, "X-User: user-1\nbaggage: sluice.chat=stable", true).variant, 0);
    // Nothing is issued or remembered: who asks here is a service, not the user.
    decision = ask_linked(&f, "baggage: sluice.chat=canary", true);
    assert_int_equal(decision.reason, DECIDED_BY_BAGGAGE);
    assert_int_equal(decision.unit.source, UNIT_RANDOM);
    assert_false(decision.set_cookie);
    decision = ask_linked(&f, "X-User: alice\nbaggage: sluice.chat=canary", false);
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_int_equal(decision.variant, 0);
    f.request.view.peer_trusted = true;
    f.config.baggage = NULL; // a route of no experiment has no key
    decide(&f.route, &f.request.view, numbers, &decision);
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    request_close(&f.request);
}

static void baggage_goes_before_a_pin_and_behind_an_override(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.config.sticky.mode = STICKY_SESSION;
    struct decision decision = ask_linked(&f, "X-User: user-1", true);
    char cookie[256], fields[512];
    copy_cookie(&decision, cookie);
    assert_int_equal(decision.variant, 1);
    snprintf(fields, sizeof fields, "Cookie: sluice_unit=%s\nX-User: user-1", cookie);
    assert_int_equal(ask_linked(&f, fields, true).reason, DECIDED_BY_PIN);
    snprintf(fields, sizeof fields, "Cookie: sluice_unit=%s\nX-User: user-1\nbaggage: sluice.chat=stable",
             cookie);
    decision = ask_linked(&f, fields, true);
    assert_int_equal(decision.reason, DECIDED_BY_BAGGAGE);
    assert_int_equal(decision.variant, 0);
    assert_false(decision.set_cookie);
    decision = ask_linked(&f, "X-Sluice-Variant: canary;" SECRET "\nbaggage: sluice.chat=stable", true);
    assert_int_equal(decision.reason, DECIDED_BY_OVERRIDE);
    assert_int_equal(decision.variant, 1);
    assert_true(decision.by_tester);
    request_close(&f.request);
}

static void baggage_brings_nobody_to_what_was_withdrawn(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    static const char *const ignored[] = {"sluice.chat=dark",    "sluice.chat=nobody", "sluice.chat=",
                                          "sluice.chats=canary", "a=canary",           "sluice.chat=CANARY"};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        char fields[256];
        snprintf(fields, sizeof fields, "X-User: alice\nbaggage: %s", ignored[i]);
        struct decision decision = ask_linked(&f, fields, true);
        assert_int_equal(decision.reason, DECIDED_BY_UNIT);
        assert_int_equal(decision.variant, 0);
    }
    // A tester is told apart, and may go where this route lets testers go.
    struct decision decision = ask_linked(&f, "X-User: alice\nbaggage: sluice.chat=dark;override", true);
    assert_int_equal(decision.reason, DECIDED_BY_BAGGAGE);
    assert_int_equal(decision.variant, 2);
    assert_true(decision.by_tester);
    assert_true(ask_linked(&f, "baggage: sluice.chat=canary;override", true).by_tester);
    f.config.override = NULL;
    assert_int_equal(ask_linked(&f, "X-User: alice\nbaggage: sluice.chat=dark;override", true).variant, 0);
    assert_false(ask_linked(&f, "X-User: alice\nbaggage: sluice.chat=dark;override", true).by_tester);
    assert_int_equal(ask_linked(&f, "X-User: alice\nbaggage: sluice.chat=canary;override", true).variant, 1);
    // A rollback takes effect at once, whatever the peer still says.
    ask_linked(&f, "X-User: user-1\nbaggage: sluice.chat=canary", true);
    split_build(&f.route.split, (uint16_t[]){10000, 0, 0}, 3, 0);
    f.request.view.peer_trusted = true;
    decide(&f.route, &f.request.view, numbers, &decision);
    assert_int_equal(decision.reason, DECIDED_BY_UNIT);
    assert_int_equal(decision.variant, 0);
    request_close(&f.request);
}

static void live_weights_decide(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    ask(&f, "X-User: alice");
    assert_int_equal(f.route.split.weight[0], 9500);
    split_build(&f.route.split, (uint16_t[]){2000, 8000, 0}, 3, 0); // as a plan with other weights does
    struct decision decision;
    decide(&f.route, &f.request.view, numbers, &decision);
    assert_int_equal(decision.variant, 1);
    request_close(&f.request);
}

// Whatever the memory held before: `sluice assign` decides with a route on its stack.
static void a_route_begins_without_a_turn(void **state) {
    (void)state;
    struct fixture f;
    open_fixture(&f);
    memset(&f.route, 0xa5, sizeof f.route);
    live_route_init(&f.route, &f.config);
    assert_null(f.route.turn);
    assert_ptr_equal(live_split(&f.route), &f.route.split);
    assert_ptr_equal(coming_split(&f.route), &f.route.split);
    struct decision decision;
    decide_unit(&f.route, slice_of("user-1"), &decision);
    assert_int_equal(decision.bucket, 93);
    assert_int_equal(decision.variant, 1);
    request_close(&f.request);
}

static void reasons_have_names(void **state) {
    (void)state;
    assert_string_equal(decision_reason_name(DECIDED_BY_UNIT), "unit");
    assert_string_equal(decision_reason_name(DECIDED_BY_PIN), "pin");
    assert_string_equal(decision_reason_name(DECIDED_BY_OVERRIDE), "override");
    assert_string_equal(decision_reason_name(DECIDED_AT_RANDOM), "random");
    assert_string_equal(decision_reason_name(DECIDED_BY_TASK), "task");
    assert_string_equal(decision_reason_name(DECIDED_BY_BAGGAGE), "baggage");
}

int test_decide(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_the_units_bucket),
        cmocka_unit_test(at_random_without_a_unit),
        cmocka_unit_test(a_unit_is_issued_once),
        cmocka_unit_test(a_session_keeps_its_variant),
        cmocka_unit_test(weight_zero_unpins_at_once),
        cmocka_unit_test(an_issued_session_is_pinned),
        cmocka_unit_test(a_tester_chooses),
        cmocka_unit_test(a_wrong_override_is_ignored),
        cmocka_unit_test(a_trusted_peers_baggage_goes_before_the_bucket),
        cmocka_unit_test(baggage_goes_before_a_pin_and_behind_an_override),
        cmocka_unit_test(baggage_brings_nobody_to_what_was_withdrawn),
        cmocka_unit_test(live_weights_decide),
        cmocka_unit_test(reasons_have_names),
        cmocka_unit_test(a_route_begins_without_a_turn),
    };
    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
