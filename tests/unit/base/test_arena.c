#include "base/arena.h"
#include "unit.h"

static void aligned_and_apart(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    unsigned char *piece[200];
    for (unsigned i = 0; i < 200; i++) {
        piece[i] = arena_alloc(&arena, i);
        assert_int_equal((uintptr_t)piece[i] % 16, 0);
        memset(piece[i], (int)i, i);
    }
    for (unsigned i = 0; i < 200; i++)
        for (unsigned j = 0; j < i; j++)
            assert_int_equal(piece[i][j], i);
    arena_free(&arena);
}

static void reset_reuses_one_chunk(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    char *first = arena_alloc(&arena, 32);
    for (int i = 0; i < 100; i++)
        arena_alloc(&arena, 100);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 32), first);
    arena_free(&arena);
    assert_non_null(arena_alloc(&arena, 1)); // usable again
    arena_free(&arena);
}

static void oversize_gets_its_own(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 256);
    char *before = arena_alloc(&arena, 16);
    memset(arena_alloc(&arena, 100000), 1, 100000);
    char *after = arena_alloc(&arena, 16);
    assert_true(after > before && after - before <= 48); // still from the first chunk
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 16), before);
    arena_free(&arena);

    arena_init(&arena, 256); // the oldest one is oversize: not kept
    memset(arena_alloc(&arena, 5000), 1, 5000);
    arena_reset(&arena);
    assert_null(arena.newest);
    memset(arena_alloc(&arena, 200), 1, 200);
    arena_free(&arena);
}

static void copies(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    struct slice copy = arena_copy(&arena, SLICE("abc"));
    assert_true(slice_equal(copy, SLICE("abc")));
    assert_int_equal(copy.at[3], '\0');
    assert_string_equal(arena_string(&arena, slice_of(NULL)), "");
    assert_string_equal(arena_format(&arena, "%s-%d", "x", 5), "x-5");
    const char *wide = arena_format(&arena, "%1000d", 7); // longer than any chunk
    assert_int_equal(strlen(wide), 1000);
    assert_int_equal(wide[999], '7');
    int *zeros = arena_zero(&arena, 30, sizeof(int));
    for (int i = 0; i < 30; i++)
        assert_int_equal(zeros[i], 0);
    arena_free(&arena);
}

int test_arena(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_and_apart),
        cmocka_unit_test(reset_reuses_one_chunk),
        cmocka_unit_test(oversize_gets_its_own),
        cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
