// What is read of a fleet's prefix: ledgers, lists of decisions, and a snapshot larger than an answer may be.
#include "etcd_stage.h"
#include "fleet_scene.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define IN_A_TXN 50

static struct fleet_scene *const scene = &fleet_scene;
static struct fleet_one *const all = fleet_scene.all;

struct told {
    unsigned calls;
    bool there;
    char text[64], error[sizeof((struct error *)0)->text];
    size_t count;
    char first[16], last[16];
};
static struct told told[3];

static void keep(struct told *one, const struct error *error) {
    one->calls++;
    snprintf(one->error, sizeof one->error, "%s", error ? error->text : "");
}

static void on_ledger(struct slice ledger, const struct error *error, void *context) {
    struct told *one = context;
    keep(one, error);
    one->there = ledger.len > 0;
    fleet_scene_copy(one->text, sizeof one->text, ledger);
}

static void on_decisions(const struct slice *decisions, size_t count, const struct error *error,
                         void *context) {
    struct told *one = context;
    keep(one, error);
    one->count = count;
    one->first[0] = one->last[0] = '\0';
    if (!count)
        return;
    fleet_scene_copy(one->first, sizeof one->first, slice_make(decisions[0].at, 4));
    fleet_scene_copy(one->last, sizeof one->last, slice_make(decisions[count - 1].at, 4));
}

static bool was_told(void) {
    return told[0].calls > 0;
}

static bool all_were_told(void) {
    return told[0].calls && told[1].calls && told[2].calls;
}

// ---- ledgers

static enum fleet_written write_ledger(unsigned index, struct slice route, struct slice ledger,
                                       int64_t before) {
    struct fleet_write write = {.route = route, .state = SLICE("state"), .ledger = ledger, .before = before};
    scene->written = 0;
    fleet_write(all[index].fleet, &write, fleet_scene_written, NULL);
    assert_true(fleet_scene_until(fleet_scene_was_written, 5000));
    return scene->outcome;
}

static void read_ledgers(unsigned index) {
    memset(told, 0, sizeof told);
    fleet_read_ledger(all[index].fleet, SLICE("chat"), on_ledger, &told[0]);
    fleet_read_ledger(all[index].fleet, SLICE("cha"), on_ledger, &told[1]);
    fleet_read_ledger(all[index].fleet, SLICE("search"), on_ledger, &told[2]);
    assert_int_equal(told[0].calls + told[1].calls + told[2].calls, 0);
    assert_true(fleet_scene_until(all_were_told, 5000));
    for (int i = 0; i < 3; i++)
        assert_string_equal(told[i].error, "");
}

static void a_ledger_stands_beside_its_routes_state(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader(), other = (leads + 1) % MEMBERS;
    read_ledgers(other);
    assert_false(told[0].there || told[1].there || told[2].there);
    assert_int_equal(write_ledger(leads, SLICE("chat"), SLICE("one"), 0), FLEET_WRITTEN);
    int64_t first = scene->written_at;
    assert_int_equal(write_ledger(leads, SLICE("search"), SLICE("two"), 0), FLEET_WRITTEN);
    // what fails changes nothing, and neither does what has none
    assert_int_equal(write_ledger(leads, SLICE("chat"), SLICE("late"), 0), FLEET_WRITE_REFUSED);
    assert_int_equal(write_ledger(other, SLICE("chat"), SLICE("not its own"), first), FLEET_WRITE_REFUSED);
    assert_int_equal(write_ledger(leads, SLICE("chat"), SLICE_NONE, first), FLEET_WRITTEN);
    read_ledgers(other);
    assert_string_equal(told[0].text, "one");
    assert_false(told[1].there);
    assert_string_equal(told[2].text, "two");
    assert_int_equal(write_ledger(leads, SLICE("chat"), SLICE("three"), scene->written_at), FLEET_WRITTEN);
    read_ledgers(leads);
    assert_string_equal(told[0].text, "three");
}

// ---- decisions

static void read_decisions(unsigned index, const char *route, uint64_t after) {
    memset(told, 0, sizeof told);
    fleet_read_decisions(all[index].fleet, slice_of(route), after, on_decisions, &told[0]);
    assert_int_equal(told[0].calls, 0);
    assert_true(fleet_scene_until(was_told, 5000));
    assert_string_equal(told[0].error, "");
}

static void decisions_come_in_order_from_any_number(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader();
    int64_t before = 0;
    read_decisions(leads, "chat", 0);
    assert_int_equal(told[0].count, 0);
    for (unsigned number = 8; number <= 12; number++) {
        char text[8];
        snprintf(text, sizeof text, "%04u", number);
        struct fleet_write write = {.route = SLICE("chat"),
                                    .state = SLICE("state"),
                                    .decision = slice_of(text),
                                    .number = number,
                                    .before = before};
        scene->written = 0;
        fleet_write(all[leads].fleet, &write, fleet_scene_written, NULL);
        assert_true(fleet_scene_until(fleet_scene_was_written, 5000));
        before = scene->written_at;
    }
    read_decisions((leads + 1) % MEMBERS, "chat", 0);
    assert_int_equal(told[0].count, 5);
    assert_string_equal(told[0].first, "0008");
    assert_string_equal(told[0].last, "0012");
    read_decisions(leads, "chat", 9);
    assert_int_equal(told[0].count, 3);
    assert_string_equal(told[0].first, "0010");
    read_decisions(leads, "chat", 12);
    assert_int_equal(told[0].count, 0);
    read_decisions(leads, "chat", UINT64_MAX);
    assert_int_equal(told[0].count, 0);
    read_decisions(leads, "cha", 0);
    assert_int_equal(told[0].count, 0);
}

// Keys folder/000000000001 and so on; values of `bytes` that begin with the number.
static void fill(struct etcd_stage *stage, const char *folder, unsigned count, size_t bytes) {
    static char values[IN_A_TXN][20000], keys[IN_A_TXN][64];
    struct etcd_operation puts[IN_A_TXN];
    for (unsigned number = 1; number <= count;) {
        size_t n = 0;
        for (; n < IN_A_TXN && number <= count; n++, number++) {
            snprintf(keys[n], sizeof keys[n], "/sluice/test/%s/%012u", folder, number);
            memset(values[n], ' ', bytes);
            values[n][snprintf(values[n], 16, "%04u", number)] = ' ';
            puts[n] = (struct etcd_operation){
                .verb = ETCD_PUT, .at.key = slice_of(keys[n]), .value = {values[n], bytes}};
        }
        etcd_stage_txn(stage, &(struct etcd_txn){.then = puts, .then_count = n});
        etcd_stage_good(stage);
    }
}

static void open_stage(struct etcd_stage *stage) {
    const char *url = scene->server.url;
    etcd_stage_open(stage, &url, 1, (struct etcd_settings){0});
    etcd_stage_ready(stage);
}

static void of_many_decisions_the_newest_come(void **unused) {
    (void)unused;
    struct etcd_stage stage;
    fleet_scene_join_all();
    open_stage(&stage);
    fill(&stage, "decisions/chat", 250, 15000); // 100 of them are 2 MB in base64
    read_decisions(0, "chat", 3);
    assert_int_equal(told[0].count, FLEET_DECISIONS);
    assert_string_equal(told[0].first, "0151");
    assert_string_equal(told[0].last, "0250");
    read_decisions(0, "chat", 170);
    assert_int_equal(told[0].count, 80);
    assert_string_equal(told[0].first, "0171");
    etcd_stage_close(&stage);
}

// ---- what is under way when all of it ends

static void read_three(unsigned index) {
    memset(told, 0, sizeof told);
    fleet_read_ledger(all[index].fleet, SLICE("chat"), on_ledger, &told[0]);
    fleet_read_ledger(all[index].fleet, SLICE("search"), on_ledger, &told[1]);
    fleet_read_decisions(all[index].fleet, SLICE("chat"), 0, on_decisions, &told[2]);
}

static void each_failed_once(void) {
    for (int i = 0; i < 3; i++) {
        assert_int_equal(told[i].calls, 1);
        assert_string_not_equal(told[i].error, "");
    }
}

static struct told again;

static void read_again(struct slice ledger, const struct error *error, void *context) {
    (void)ledger;
    keep(context, error);
    fleet_read_ledger(all[0].fleet, SLICE("chat"), on_ledger, &again);
}

static bool was_told_again(void) {
    return again.calls > 0;
}

static void who_leaves_is_told_that_it_reads_nothing(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    memset(&again, 0, sizeof again);
    read_three(0);
    fleet_read_ledger(all[0].fleet, SLICE("chat"), read_again, &again);
    fleet_leave(all[0].fleet);
    each_failed_once();
    assert_int_equal(again.calls, 1);
    again.calls = 0;
    assert_true(fleet_scene_until(was_told_again, 5000)); // what was begun from inside
    assert_string_equal(again.error, "");
    read_three(1);
    fleet_scene_leave(1);
    each_failed_once();
    fleet_scene_pass(100);
    each_failed_once();
    memset(&again, 0, sizeof again);
    fleet_read_ledger(all[0].fleet, SLICE("chat"), read_again, &again);
    fleet_scene_leave(0);
    fleet_scene_pass(100);
    assert_int_equal(again.calls, 1); // nobody is answered after that
}

static void without_etcd_nothing_is_read(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    etcd_server_kill(&scene->server);
    read_three(0);
    assert_true(fleet_scene_until(all_were_told, TTL_MS + 3000));
    each_failed_once();
    assert_true(fleet_scene_until(fleet_scene_all_apart, TTL_MS + 3000));
    read_three(0);
    assert_true(fleet_scene_until(all_were_told, TTL_MS + 3000));
    each_failed_once();
}

// ---- a snapshot larger than an answer may be

static bool first_leads_all(void) {
    return fleet_role(all[0].fleet) == FLEET_LEADER && fleet_member_count(all[0].fleet) == 1001;
}

static void a_snapshot_has_any_size(void **unused) {
    (void)unused;
    struct etcd_stage stage;
    if (!etcd_server_installed())
        skip();
    open_stage(&stage);
    fill(&stage, "shared/routes", 300, 10000);
    for (unsigned i = 0; i < 1000; i += IN_A_TXN) {
        char keys[IN_A_TXN][64];
        struct etcd_operation puts[IN_A_TXN];
        for (unsigned k = 0; k < IN_A_TXN; k++) {
            snprintf(keys[k], sizeof keys[k], "/sluice/test/shared/members/%016x", i + k);
            puts[k] = (struct etcd_operation){
                .verb = ETCD_PUT, .at.key = slice_of(keys[k]), .value = SLICE("{\"name\":\"somebody\"}")};
        }
        etcd_stage_txn(&stage, &(struct etcd_txn){.then = puts, .then_count = IN_A_TXN});
        etcd_stage_good(&stage);
    }
    fleet_scene_join(0, "one");
    assert_true(fleet_scene_until(first_leads_all, 20000));
    assert_int_equal(all[0].state_count, 300);
    assert_int_equal(all[0].state_bytes, 3000000);
    assert_string_equal(all[0].states[299 % STATES_KEPT].route, "000000000300");
    assert_int_equal(fleet_figures(all[0].fleet).rejoined, 0);
    etcd_stage_close(&stage);
}

int test_fleet_reads(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, fleet_scene_open, fleet_scene_close)
    const struct CMUnitTest tests[] = {
        SCENE(a_ledger_stands_beside_its_routes_state),
        SCENE(decisions_come_in_order_from_any_number),
        SCENE(of_many_decisions_the_newest_come),
        SCENE(who_leaves_is_told_that_it_reads_nothing),
        SCENE(without_etcd_nothing_is_read),
        SCENE(a_snapshot_has_any_size),
    };
    return cmocka_run_group_tests_name("fleet_reads", tests, NULL, NULL);
}
