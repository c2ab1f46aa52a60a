// What `sluice status --fleet` prints, without colours.
#include "../../../src/app/fleet_text.h"
#include "unit.h"

static void expect(const char *text, const char *expected) {
    struct strbuf out = {0};
    json_error_t why;
    json_t *json = json_loads(text, 0, &why);
    if (!json)
        fail_msg("%s in %s", why.text, text);
    fleet_text_write(&out, json);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
    json_decref(json);
}

#define HEAD(role, leader, error, lag)                                                               \
    "{\"prefix\":\"/sluice/prod\",\"instance\":\"proxy-1\",\"role\":\"" role "\",\"leader\":" leader \
    ",\"error\":" error ",\"apart_seconds\":75.4,\"lease_seconds\":4.25,\"watch_age_seconds\":0.8,"  \
    "\"lag_seconds\":" lag ",\"members\":["
#define MEMBER(name, leader, self, agrees, differs)                                   \
    "{\"name\":\"" name "\",\"leader\":" leader ",\"self\":" self                     \
    ",\"version\":\"0.1.0\",\"admin\":\"127.0.0.1:9901\",\"started_seconds\":3725.6," \
    "\"loaded_seconds\":12.6,\"agrees\":" agrees ",\"differs\":[" differs "]}"
#define TITLES "\n  instance  role    version     admin           up            loaded        rollouts\n"

static void the_instances_are_a_table(void **state) {
    (void)state;
    expect(
        HEAD("member", "\"proxy-2\"", "null", "0") MEMBER("proxy-1", "false", "true", "true", "") "," MEMBER(
            "proxy-2", "true", "false", "false", "\"chat\",\"search\"") "]}",
        "fleet /sluice/prod  this is proxy-1, member  leader proxy-2  lease 4.2 s  watch 0.8 s ago\n" TITLES
        "* proxy-1   member  0.1.0       127.0.0.1:9901  1h 2m         12 s ago      same\n"
        "  proxy-2   leader  0.1.0       127.0.0.1:9901  1h 2m         12 s ago      differs: chat, "
        "search\n");
}

static void what_is_not_known_is_a_dash(void **state) {
    (void)state;
    expect(HEAD("member", "null", "null", "3") "{\"name\":\"old\",\"agrees\":null,\"version\":null}]}",
           "fleet /sluice/prod  this is proxy-1, member  leader none  lease 4.2 s  watch 0.8 s ago  behind "
           "for 3.0 "
           "s\n"
           "\n  instance  role    version     admin  up            loaded        rollouts\n"
           "  old       member  -           -      -             -             -\n");
}

static void who_is_apart_says_since_when_and_why(void **state) {
    (void)state;
    expect(HEAD("apart", "null", "\"no\\u001b[2J answer\"", "0") "]}",
           "fleet /sluice/prod  this is proxy-1, apart  leader none  lease 4.2 s  watch 0.8 s ago\n"
           "apart for 1m 15s: no [2J answer; what served last goes on\n");
    expect(HEAD("apart", "null", "null", "0") "]}",
           "fleet /sluice/prod  this is proxy-1, apart  leader none  lease 4.2 s  watch 0.8 s ago\n"
           "apart for 1m 15s: it is joining; what served last goes on\n");
}

static void evidence_that_is_missing_is_told(void **state) {
    (void)state;
#define EVIDENCE(error)                                                                                     \
    "{\"prefix\":\"/f\",\"instance\":\"a\",\"role\":\"leader\",\"leader\":\"a\",\"lease_seconds\":4,"       \
    "\"watch_age_seconds\":1,\"evidence\":{\"source\":\"prometheus\",\"age_seconds\":75.4,\"error\":" error \
    "}}"
#define LEADS "fleet /f  this is a, leader  leader a  lease 4.0 s  watch 1.0 s ago\n"
    expect(EVIDENCE("null"), LEADS);
    expect(EVIDENCE("\"Prometheus answered 500\""),
           LEADS "no evidence for 1m 15s: Prometheus answered 500; steps wait\n");
}

static void names_of_others_steer_no_terminal(void **state) {
    (void)state;
    expect(HEAD("member", "\"\\u001b[2J\"", "null", "0")
               MEMBER("né\\u001bw", "true", "false", "false", "\"\\u001b[1m\"") "]}",
           "fleet /sluice/prod  this is proxy-1, member  leader  [2J  lease 4.2 s  watch 0.8 s ago\n" TITLES
           "  né w      leader  0.1.0       127.0.0.1:9901  1h 2m         12 s ago      differs:  [1m\n");
}

static void a_fleet_that_went_is_said(void **state) {
    (void)state;
    struct strbuf out = {0};
    fleet_text_write(&out, NULL);
    assert_string_equal(strbuf_text(&out), "the daemon belongs to no fleet any more\n");
    strbuf_free(&out);
}

int test_fleet_text(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_instances_are_a_table),
        cmocka_unit_test(what_is_not_known_is_a_dash),
        cmocka_unit_test(who_is_apart_says_since_when_and_why),
        cmocka_unit_test(evidence_that_is_missing_is_told),
        cmocka_unit_test(names_of_others_steer_no_terminal),
        cmocka_unit_test(a_fleet_that_went_is_said),
    };
    return cmocka_run_group_tests_name("fleet_text", tests, NULL, NULL);
}
