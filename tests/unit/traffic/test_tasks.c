// The table of tasks: what is known, for how long, and what is written down of it.
#include "traffic/tasks.h"

#include "unit.h"

#include <stdio.h>

static const struct task_home blue = {"stable", "http://b:1"}, green = {"canary", "http://g:1"};

static bool finds(struct tasks *tasks, const char *id, uint64_t now_ms, const struct task_home *home) {
    struct task_room room;
    bool fresh;
    struct slice ids[] = {SLICE("no"), slice_of(id)};
    if (!tasks_find(tasks, ids, 2, now_ms, &room, &fresh))
        return false;
    assert_string_equal(room.variant, home->variant);
    assert_string_equal(room.endpoint, home->endpoint);
    return true;
}

static void learn(struct tasks *tasks, const char *id, const struct task_home *home, uint64_t now_ms) {
    tasks_learn(tasks, slice_of(id), home, now_ms);
}

static void what_was_learned_is_found(void **state) {
    (void)state;
    struct tasks *tasks = tasks_new("chat");
    char id[32];
    tasks_limit(tasks, 1000, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "task-%d", i);
        learn(tasks, id, i % 2 ? &blue : &green, 5000);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "task-%d", i);
        assert_true(finds(tasks, id, 5000, i % 2 ? &blue : &green));
    }
    assert_false(finds(tasks, "task-1000", 5000, &blue));
    learn(tasks, "task-7", &green, 5000); // it runs elsewhere now
    assert_true(finds(tasks, "task-7", 5000, &green));
    const struct task_home moved = {"canary", "http://g:2"}; // another endpoint of the same variant
    learn(tasks, "task-7", &moved, 5000);
    assert_true(finds(tasks, "task-7", 5000, &moved));
    struct tasks_figures figures;
    tasks_note_gone(tasks);
    tasks_read(tasks, &figures);
    assert_int_equal(figures.known, 1000);
    assert_int_equal(figures.found, 1001);
    assert_int_equal(figures.gone, 1);
    tasks_free(tasks);
}

static void the_least_asked_for_goes_first(void **state) {
    (void)state;
    struct tasks *tasks = tasks_new("chat");
    tasks_limit(tasks, 3, 1000);
    learn(tasks, "a", &blue, 1000);
    learn(tasks, "b", &blue, 1000);
    learn(tasks, "c", &blue, 1000);
    assert_true(finds(tasks, "a", 1500, &blue));
    learn(tasks, "d", &blue, 1500);
    assert_false(finds(tasks, "b", 1500, &blue));
    assert_true(finds(tasks, "c", 1500, &blue));
    tasks_limit(tasks, 1, 1000);
    assert_true(finds(tasks, "c", 2400, &blue)); // its time began anew at 1500
    assert_false(finds(tasks, "c", 3401, &blue));
    tasks_free(tasks);
}

static void ids_have_a_length(void **state) {
    (void)state;
    struct tasks *tasks = tasks_new("chat");
    char id[TASK_ID_MOST + 2];
    memset(id, 'x', sizeof id);
    id[TASK_ID_MOST + 1] = 0;
    learn(tasks, id, &blue, 1);
    learn(tasks, "", &blue, 1);
    assert_false(finds(tasks, id, 1, &blue));
    assert_false(finds(tasks, "", 1, &blue));
    id[TASK_ID_MOST] = 0;
    learn(tasks, id, &blue, 1);
    assert_true(finds(tasks, id, 1, &blue));
    tasks_free(tasks);
}

static void what_has_no_id_is_passed_over(void **state) {
    (void)state;
    struct tasks *tasks = tasks_new("chat");
    struct slice ids[] = {SLICE(""), SLICE_NONE, SLICE("a")};
    struct task_room room;
    bool fresh;
    learn(tasks, "a", &blue, 1);
    assert_false(tasks_find(tasks, ids, 2, 1, &room, &fresh));
    assert_true(tasks_find(tasks, ids, 3, 1, &room, &fresh));
    assert_string_equal(room.endpoint, blue.endpoint);
    tasks_free(tasks);
}

static void what_is_new_is_written_once(void **state) {
    (void)state;
    struct tasks *tasks = tasks_new("chat");
    struct strbuf out = {0};
    struct task_room room;
    bool fresh;
    tasks_limit(tasks, 2, 8000);
    assert_true(tasks_learn(tasks, SLICE("a\"1"), &blue, 10));
    assert_false(tasks_learn(tasks, SLICE("b"), &green, 20)); // somebody was told already
    assert_false(tasks_learn(tasks, SLICE("b"), &green, 30));
    tasks_fresh(tasks, &out);
    assert_string_equal(strbuf_text(&out), "{\"route\":\"chat\",\"id\":\"a\\\"1\",\"variant\":\"stable\","
                                           "\"endpoint\":\"http://b:1\",\"used_ms\":10}\n"
                                           "{\"route\":\"chat\",\"id\":\"b\",\"variant\":\"canary\","
                                           "\"endpoint\":\"http://g:1\",\"used_ms\":30}\n");
    strbuf_clear(&out);
    tasks_fresh(tasks, &out);
    assert_int_equal(out.len, 0);
    // Asked for: written again when an eighth of its time has passed.
    struct slice id = SLICE("b");
    assert_true(tasks_find(tasks, &id, 1, 1030, &room, &fresh) && !fresh);
    assert_true(tasks_find(tasks, &id, 1, 1031, &room, &fresh) && fresh);
    tasks_learn(tasks, SLICE("c"), &blue, 1031); // `a` goes
    tasks_learn(tasks, SLICE("d"), &blue, 1032); // and `b`, which waits to be written
    tasks_fresh(tasks, &out);
    assert_null(strstr(strbuf_text(&out), "\"b\""));
    strbuf_clear(&out);
    tasks_all(tasks, &out);
    assert_non_null(strstr(strbuf_text(&out), "\"c\""));
    assert_true(strstr(out.at, "\"c\"") < strstr(out.at, "\"d\""));
    strbuf_free(&out);
    tasks_free(tasks);
}

int test_tasks(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_learned_is_found),   cmocka_unit_test(the_least_asked_for_goes_first),
        cmocka_unit_test(ids_have_a_length),           cmocka_unit_test(what_has_no_id_is_passed_over),
        cmocka_unit_test(what_is_new_is_written_once),
    };
    return cmocka_run_group_tests_name("tasks", tests, NULL, NULL);
}
