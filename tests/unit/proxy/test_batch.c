#include "../../../src/proxy/batch.h"
#include "base/list.h"
#include "unit.h"

#include <string.h>

struct scene {
    struct batch batch;
    char got[8][64];
    unsigned counts[8], handed;
    bool drops;
};

static void hand_over(struct batch *batch) {
    struct scene *scene = list_entry(batch, struct scene, batch);
    assert_true(scene->handed < 8 && batch->text.len < 64);
    memcpy(scene->got[scene->handed], batch->text.at, batch->text.len);
    scene->counts[scene->handed++] = batch->count;
    if (scene->drops) {
        strbuf_clear(&batch->text);
        return;
    }
    struct strbuf text = batch_take(batch);
    strbuf_free(&text);
}

static void add(struct scene *scene, const char *text) {
    strbuf_string(batch_open(&scene->batch), text);
    batch_done(&scene->batch);
}

static void much_or_old_is_handed_over(void **state) {
    for (int drops = 0; drops < 2; drops++) {
        (void)state;
        struct event_base *base = event_base_new();
        struct scene scene = {.drops = drops};
        batch_init(&scene.batch, base, 8, 1, hand_over);
        add(&scene, "abc");
        add(&scene, "def");
        assert_int_equal(scene.handed, 0);
        add(&scene, "gh"); // much
        assert_int_equal(scene.handed, 1);
        assert_string_equal(scene.got[0], "abcdefgh");
        assert_int_equal(scene.counts[0], 3);
        add(&scene, "x");
        while (scene.handed < 2) // old
            event_base_loop(base, EVLOOP_ONCE);
        assert_string_equal(scene.got[1], "x");
        assert_int_equal(scene.counts[1], 1);
        batch_flush(&scene.batch); // nothing
        add(&scene, "y");
        batch_end(&scene.batch); // the rest
        assert_int_equal(scene.handed, 3);
        assert_string_equal(scene.got[2], "y");
        event_base_free(base);
    }
}

int test_batch(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(much_or_old_is_handed_over)};
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
