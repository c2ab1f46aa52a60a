// Several members of a fleet in one process, beside a real etcd: who leads, what everybody applies in which
// order, what a deposed leader can write, and what becomes of all that when etcd goes away.
#include "base/clock.h"
#include "base/mem.h"
#include "fleet_scene.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct fleet_scene *const scene = &fleet_scene;
static struct fleet_one *const all = fleet_scene.all;

static void one_leads_and_all_know_each_other(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned first = fleet_scene_leader();
    for (unsigned i = 0; i < MEMBERS; i++) {
        unsigned selves = 0, leaders = 0;
        for (size_t k = 0; k < MEMBERS; k++) {
            struct fleet_member member = fleet_member(all[i].fleet, k);
            selves += member.self && strcmp(member.id, fleet_id(all[i].fleet)) == 0;
            leaders += member.leads && strcmp(member.id, fleet_id(all[first].fleet)) == 0;
        }
        assert_int_equal(selves, 1);
        assert_int_equal(leaders, 1);
    }
    // Who goes in good order is followed at once, not after its lease.
    uint64_t began = clock_monotonic_ns();
    fleet_leave(all[first].fleet);
    static unsigned leaving;
    leaving = first;
    bool gone = false;
    while (!gone && clock_monotonic_ns() - began < 5 * NS_PER_S) {
        must(event_base_loop(scene->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
        gone = fleet_left(all[leaving].fleet);
        usleep(1000);
    }
    assert_true(gone);
    fleet_scene_leave(first);
    assert_true(fleet_scene_until(fleet_scene_one_leads, 5000));
    assert_int_not_equal(fleet_scene_leader(), first);
}

// ---- what is written

static bool all_have_it(void) {
    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct fleet_one *one = &all[i];
        if (one->fleet && (!one->state_count ||
                           one->states[(one->state_count - 1) % STATES_KEPT].revision != scene->written_at))
            return false;
    }
    return true;
}

static void all_apply_the_same_in_order(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader(), other = (leads + 1) % MEMBERS;
    int64_t last = 0;
    for (unsigned i = 1; i <= 40; i++) {
        char text[32];
        snprintf(text, sizeof text, "state %u", i);
        assert_int_equal(fleet_scene_write(leads, text, last, i % 2 ? i : 0), FLEET_WRITTEN);
        assert_true(scene->written_at > last);
        int64_t now = scene->written_at;
        // Neither who does not lead, nor who has not seen the last one, can write.
        assert_int_equal(fleet_scene_write(other, "not the leader's", now, 0), FLEET_WRITE_REFUSED);
        assert_int_equal(fleet_scene_write(leads, "of what was", last, 0), FLEET_WRITE_REFUSED);
        last = now;
    }
    scene->written_at = last;
    assert_true(fleet_scene_until(all_have_it, 5000));
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_int_equal(all[i].state_count, 40);
        for (unsigned k = 0; k < 40; k++) {
            char text[32];
            snprintf(text, sizeof text, "state %u", k + 1);
            assert_string_equal(all[i].states[k].text, text);
            assert_int_equal(all[i].states[k].revision, all[leads].states[k].revision);
        }
    }
    assert_int_equal(fleet_figures(all[other].fleet).writes_refused, 40);
    // Who comes later is told what there is, and nothing of the way to it.
    fleet_scene_leave(other);
    fleet_scene_join(other, "late");
    assert_true(fleet_scene_until(fleet_scene_one_leads, 10000));
    assert_int_equal(all[other].state_count, 1);
    assert_string_equal(all[other].states[0].text, "state 40");
}

// ---- what is asked

static char answered[64], answered_error[sizeof((struct error *)0)->text];
static unsigned answer_count;

static void on_answer(struct slice answer, const struct error *error, void *context) {
    (void)context;
    fleet_scene_copy(answered, sizeof answered, answer.at ? answer : SLICE("-"));
    snprintf(answered_error, sizeof answered_error, "%s", error ? error->text : "");
    answer_count++;
}

static bool was_answered(void) {
    return answer_count > 0;
}

static bool leader_was_asked(void) {
    for (unsigned i = 0; i < MEMBERS; i++)
        if (all[i].fleet && fleet_role(all[i].fleet) == FLEET_LEADER && all[i].asked)
            return true;
    return false;
}

static void the_leader_answers_whoever_asks(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader();
    for (unsigned i = 0; i < MEMBERS; i++) { // itself too
        answer_count = 0;
        fleet_ask(all[i].fleet, SLICE("promote"), 5000, on_answer, NULL);
        assert_true(fleet_scene_until(was_answered, 6000));
        assert_string_equal(answered, "done");
        assert_string_equal(all[leads].ask_text, "promote");
        assert_int_equal(all[leads].asked, i + 1);
        assert_int_equal(all[(leads + 1) % MEMBERS].asked + all[(leads + 2) % MEMBERS].asked, 0);
    }
    // One who does not answer is waited for as long as was said.
    all[leads].answers = false;
    answer_count = 0;
    fleet_ask(all[(leads + 1) % MEMBERS].fleet, SLICE("pause"), 300, on_answer, NULL);
    assert_true(fleet_scene_until(was_answered, 3000));
    assert_string_equal(answered_error, "the fleet's leader did not answer in time");
}

// A leader that goes away with what it was asked leaves it to the next; it is carried out once.
static void what_a_leader_left_the_next_one_does(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned first = fleet_scene_leader(), asks = (first + 1) % MEMBERS;
    all[first].answers = false;
    answer_count = 0;
    fleet_ask(all[asks].fleet, SLICE("rollback"), 10000, on_answer, NULL);
    assert_true(fleet_scene_until(leader_was_asked, 5000));
    fleet_scene_leave(first); // without a word: its lease has to run out
    assert_true(fleet_scene_until(was_answered, 10000));
    assert_string_equal(answered, "done");
    assert_int_equal(all[(first + 1) % MEMBERS].asked + all[(first + 2) % MEMBERS].asked, 1);
    assert_int_equal(answer_count, 1);
}

// The answer stands in the transaction that carries it out: whoever tries again is refused.
static void an_ask_is_carried_out_once(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader();
    all[leads].answers = false;
    answer_count = 0;
    fleet_ask(all[(leads + 1) % MEMBERS].fleet, SLICE("promote"), 8000, on_answer, NULL);
    assert_true(fleet_scene_until(leader_was_asked, 5000));
    struct fleet_write write = {.route = SLICE("chat"),
                                .state = SLICE("promoted"),
                                .ask = slice_of(all[leads].ask),
                                .ask_revision = all[leads].ask_revision,
                                .answer = SLICE("yes")};
    for (int i = 0; i < 2; i++) {
        scene->written = 0;
        fleet_write(all[leads].fleet, &write, fleet_scene_written, NULL);
        fleet_write(all[leads].fleet, &write, fleet_scene_written, NULL);
        uint64_t began = clock_monotonic_ns();
        while (scene->written < 2 && clock_monotonic_ns() - began < 5 * NS_PER_S)
            must(event_base_loop(scene->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
        assert_int_equal(scene->written, 2);
        write.before = scene->written_at;
    }
    assert_true(fleet_scene_until(was_answered, 5000));
    assert_string_equal(answered, "yes");
    assert_int_equal(all[leads].state_count, 1);
    assert_int_equal(fleet_figures(all[leads].fleet).writes_refused, 3);
}

// ---- evidence

static bool leader_has_all_evidence(void) {
    return all[fleet_scene_leader()].evidence_count[FLEET_TALLY] >= MEMBERS;
}

static bool leader_has_the_newest(void) {
    return strcmp(all[fleet_scene_leader()].evidence[FLEET_TALLY], "newest") == 0;
}

static bool leader_lost_one(void) {
    return all[fleet_scene_leader()].gone[FLEET_TALLY] > 0;
}

static void the_leader_alone_gets_the_evidence(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader(), other = (leads + 1) % MEMBERS;
    for (unsigned i = 0; i < MEMBERS; i++)
        fleet_report(all[i].fleet, FLEET_TALLY, SLICE("counted"));
    assert_true(fleet_scene_until(leader_has_all_evidence, 5000));
    for (unsigned i = 0; i < 50; i++)
        fleet_report(all[other].fleet, FLEET_TALLY, SLICE("older"));
    fleet_report(all[other].fleet, FLEET_TALLY, SLICE("newest"));
    assert_true(fleet_scene_until(leader_has_the_newest, 5000));
    assert_true(all[leads].evidence_count[FLEET_TALLY] < 20); // what is overtaken is not written
    assert_int_equal(all[other].evidence_count[FLEET_TALLY], 0);
    fleet_scene_leave(other);
    assert_true(fleet_scene_until(leader_lost_one, 10000));
}

// ---- etcd goes away

static void without_etcd_all_are_apart_until_it_is_back(void **unused) {
    (void)unused;
    fleet_scene_join_all();
    unsigned leads = fleet_scene_leader();
    assert_int_equal(fleet_scene_write(leads, "before", 0, 1), FLEET_WRITTEN);
    assert_true(fleet_scene_until(all_have_it, 5000));
    int64_t revision = scene->written_at;
    etcd_server_kill(&scene->server);
    assert_true(fleet_scene_until(fleet_scene_all_apart, TTL_MS + 3000));
    assert_int_equal(fleet_scene_write(leads, "alone", revision, 2), FLEET_WRITE_REFUSED);
    answer_count = 0;
    fleet_ask(all[leads].fleet, SLICE("promote"), 5000, on_answer, NULL);
    assert_true(fleet_scene_until(was_answered, 1000));
    assert_non_null(strstr(answered_error, "etcd cannot be reached"));
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_string_not_equal(fleet_figures(all[i].fleet).error, "");
        all[i].state_count = 0;
    }
    etcd_server_run(&scene->server);
    assert_true(fleet_scene_until(fleet_scene_one_leads, 20000));
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_int_equal(all[i].state_count, 1);
        assert_string_equal(all[i].states[0].text, "before");
        assert_int_equal(all[i].states[0].revision, revision);
        assert_string_equal(fleet_figures(all[i].fleet).error, "");
    }
}

int test_fleet(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, fleet_scene_open, fleet_scene_close)
    const struct CMUnitTest tests[] = {
        SCENE(one_leads_and_all_know_each_other),
        SCENE(all_apply_the_same_in_order),
        SCENE(the_leader_answers_whoever_asks),
        SCENE(what_a_leader_left_the_next_one_does),
        SCENE(an_ask_is_carried_out_once),
        SCENE(the_leader_alone_gets_the_evidence),
        SCENE(without_etcd_all_are_apart_until_it_is_back),
    };
    return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
