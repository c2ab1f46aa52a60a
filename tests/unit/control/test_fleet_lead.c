// Who stands for the lead and who does not; what instances report, and to whom.
#include "base/mem.h"
#include "etcd_stage.h"
#include "fleet_scene.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct fleet_scene *const scene = &fleet_scene;
static struct fleet_one *const all = fleet_scene.all;
static unsigned watched;

// ---- standing

static bool another_leads(void) {
    return fleet_scene_one_leads() && fleet_scene_leader() != watched;
}

static bool nobody_leads(void) {
    for (unsigned i = 0; i < MEMBERS; i++)
        if (fleet_role(all[i].fleet) != FLEET_MEMBER || *fleet_figures(all[i].fleet).leader)
            return false;
    return true;
}

static void who_does_not_stand_gives_the_lead_up(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    watched = fleet_scene_leader();
    for (int i = 0; i < 3; i++)
        fleet_stand(all[watched].fleet, false);
    assert_int_equal(fleet_role(all[watched].fleet), FLEET_LEADER); // until etcd has it
    assert_true(fleet_scene_until(another_leads, 5000));
    assert_int_equal(fleet_role(all[watched].fleet), FLEET_MEMBER);
    assert_int_equal(fleet_figures(all[watched].fleet).rejoined, 0);
    assert_int_equal(fleet_scene_write(watched, "of a deposed one", 0, 0), FLEET_WRITE_REFUSED);
    assert_int_equal(fleet_scene_write(fleet_scene_leader(), "of the leader", 0, 0), FLEET_WRITTEN);
    // Nobody stands: nobody leads, and all stay.
    for (unsigned i = 0; i < MEMBERS; i++)
        fleet_stand(all[i].fleet, false);
    assert_true(fleet_scene_until(nobody_leads, 5000));
    fleet_scene_pass(300);
    assert_true(nobody_leads());
    assert_int_equal(fleet_member_count(all[watched].fleet), MEMBERS);
    fleet_stand(all[watched].fleet, true);
    assert_true(fleet_scene_until(fleet_scene_one_leads, 5000));
    assert_int_equal(fleet_scene_leader(), watched);
    assert_int_equal(fleet_figures(all[watched].fleet).leaderships, 2);
}

static bool first_is_in(void) {
    return fleet_role(all[0].fleet) != FLEET_APART && fleet_member_count(all[0].fleet) == 1;
}

static bool first_leads(void) {
    return fleet_role(all[0].fleet) == FLEET_LEADER;
}

// Said at any moment: while it is apart, and while its campaign is under way.
static void who_never_stood_never_leads(void **unused) {
    (void)unused;
    if (!etcd_server_installed())
        skip();
    fleet_scene_join(0, "one");
    fleet_stand(all[0].fleet, false);
    assert_true(fleet_scene_until(first_is_in, 10000));
    fleet_scene_pass(500);
    assert_int_equal(fleet_role(all[0].fleet), FLEET_MEMBER);
    assert_int_equal(fleet_figures(all[0].fleet).leaderships, 0);
    for (int i = 0; i < 20; i++)
        fleet_stand(all[0].fleet, i % 2 == 0);
    fleet_scene_pass(500);
    assert_int_equal(fleet_role(all[0].fleet), FLEET_MEMBER);
    assert_string_equal(fleet_figures(all[0].fleet).leader, "");
    fleet_stand(all[0].fleet, true);
    assert_true(fleet_scene_until(first_leads, 5000));
}

// ---- reports

static bool the_leader_has_both(void) {
    const struct fleet_one *leader = &all[fleet_scene_leader()];
    return strcmp(leader->evidence[FLEET_TALLY], "tally") == 0 &&
           strcmp(leader->evidence[FLEET_GROUPS], "groups") == 0;
}

static bool the_leader_has_the_newest_groups(void) {
    return strcmp(all[fleet_scene_leader()].evidence[FLEET_GROUPS], "newest") == 0;
}

static void each_kind_of_report_has_its_own_newest(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader(), other = (leads + 1) % MEMBERS;
    fleet_report(all[other].fleet, FLEET_TALLY, SLICE("tally"));
    fleet_report(all[other].fleet, FLEET_GROUPS, SLICE("groups"));
    assert_true(fleet_scene_until(the_leader_has_both, 5000));
    assert_string_equal(all[leads].evidence_of, fleet_id(all[other].fleet));
    for (unsigned i = 0; i < 50; i++)
        fleet_report(all[other].fleet, FLEET_GROUPS, SLICE("older"));
    fleet_report(all[other].fleet, FLEET_GROUPS, SLICE("newest"));
    assert_true(fleet_scene_until(the_leader_has_the_newest_groups, 5000));
    assert_true(all[leads].evidence_count[FLEET_GROUPS] < 20);
    assert_int_equal(all[leads].evidence_count[FLEET_TALLY], 1);
    assert_int_equal(all[other].evidence_count[FLEET_GROUPS], 0);
}

// A new leader reads what stood there before it led.
static void a_new_leader_reads_all_kinds(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    watched = fleet_scene_leader();
    unsigned other = (watched + 1) % MEMBERS;
    fleet_report(all[other].fleet, FLEET_TALLY, SLICE("tally"));
    fleet_report(all[other].fleet, FLEET_GROUPS, SLICE("groups"));
    assert_true(fleet_scene_until(the_leader_has_both, 5000));
    fleet_stand(all[watched].fleet, false);
    assert_true(fleet_scene_until(another_leads, 5000));
    assert_true(fleet_scene_until(the_leader_has_both, 5000));
}

static bool the_leader_lost_both(void) {
    const struct fleet_one *leader = &all[fleet_scene_leader()];
    return leader->gone[FLEET_TALLY] && leader->gone[FLEET_GROUPS];
}

static void keep_lease(const struct etcd_answer *answer, void *context) {
    *(int64_t *)context = answer->pair_count ? answer->pairs[0].lease : -1;
}

// As when it ran out: all keys of the instance go.
static void take_lease_away(unsigned index) {
    struct etcd_stage stage;
    char key[64];
    const char *url = scene->server.url;
    int64_t lease = 0;
    etcd_stage_open(&stage, &url, 1, (struct etcd_settings){0});
    snprintf(key, sizeof key, "/sluice/test/shared/members/%s", fleet_id(all[index].fleet));
    etcd_range(stage.etcd, &(struct etcd_range){.key = slice_of(key)}, keep_lease, &lease);
    etcd_stage_ready(&stage);
    while (!lease)
        must(event_base_loop(stage.base, EVLOOP_ONCE) >= 0);
    assert_true(lease > 0);
    etcd_revoke(stage.etcd, lease, etcd_stage_done, &stage);
    unsigned before = stage.answers;
    while (stage.answers == before)
        must(event_base_loop(stage.base, EVLOOP_ONCE) >= 0);
    etcd_stage_good(&stage);
    etcd_stage_close(&stage);
}

static void who_comes_back_reports_again(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader(), other = (leads + 1) % MEMBERS;
    fleet_report(all[other].fleet, FLEET_TALLY, SLICE("tally"));
    fleet_report(all[other].fleet, FLEET_GROUPS, SLICE("groups"));
    assert_true(fleet_scene_until(the_leader_has_both, 5000));
    memset(all[leads].evidence, 0, sizeof all[leads].evidence);
    take_lease_away(other);
    assert_true(fleet_scene_until(the_leader_lost_both, 5000));
    assert_true(fleet_scene_until(the_leader_has_both, 10000));
    assert_int_equal(fleet_figures(all[other].fleet).rejoined, 1);
    assert_int_equal(fleet_scene_leader(), leads);
}

int test_fleet_lead(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, fleet_scene_open, fleet_scene_close)
    const struct CMUnitTest tests[] = {
        SCENE(who_does_not_stand_gives_the_lead_up),   SCENE(who_never_stood_never_leads),
        SCENE(each_kind_of_report_has_its_own_newest), SCENE(a_new_leader_reads_all_kinds),
        SCENE(who_comes_back_reports_again),
    };
    return cmocka_run_group_tests_name("fleet_lead", tests, NULL, NULL);
}
