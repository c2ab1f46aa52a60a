#include "base/mem.h"
#include "child.h"
#include "unit.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void gives_memory(void **state) {
    (void)state;
    char *text = mem_resize(NULL, 4);
    memcpy(text, "abc", 4);
    text = mem_resize(text, 100000);
    assert_string_equal(text, "abc");
    mem_free(text);
    mem_free(mem_alloc(0)); // nothing is something that can be released
    mem_free(mem_zero(0, 0));
    mem_free(mem_zero_aligned(64, 0));
    mem_free(mem_resize(NULL, 0));
    unsigned char *zeros = mem_zero(33, 3);
    for (int i = 0; i < 99; i++)
        assert_int_equal(zeros[i], 0);
    mem_free(zeros);
    mem_free(NULL);
    assert_null(mem_copy_string(NULL));
    char *copy = mem_copy_string("x");
    assert_string_equal(copy, "x");
    mem_free(copy);
}

static void aligns(void **state) {
    (void)state;
    for (size_t align = 1; align <= 4096; align *= 2) {
        unsigned char *memory = mem_zero_aligned(align, align + 1);
        assert_int_equal((uintptr_t)memory % align, 0);
        for (size_t i = 0; i < 2 * align; i++) // rounded up
            assert_int_equal(memory[i], 0);
        mem_free(memory);
    }
}

static volatile int one = 1;

static void say_the_impossible(void) {
    must(one == 1);
    must(one == 2);
}

static void names_what_cannot_be(void **state) {
    (void)state;
    char text[512];
    int status = child_run(say_the_impossible, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "test_mem.c:"));
    assert_non_null(strstr(text, "one == 2 is false\n"));
    assert_null(strstr(text, "one == 1"));
}

static size_t too_much(void) {
    return (size_t)one << 62;
}

static void ask_for_an_array(void) {
    mem_free(mem_zero((size_t)one << 40, (size_t)one << 40)); // the product overflows
}

static void ask_for_a_block(void) {
    mem_free(mem_alloc(too_much()));
}

static void ask_for_growth(void) {
    mem_free(mem_resize(mem_alloc(8), too_much()));
}

static void ask_for_an_aligned_block(void) {
    mem_free(mem_zero_aligned(64, too_much()));
}

static void ask_for_what_rounding_overflows(void) {
    mem_free(mem_zero_aligned(64, (size_t)-one));
}

static void aborts_when_out_of_memory(void **state) {
    (void)state;
    void (*const asks[])(void) = {ask_for_an_array, ask_for_a_block, ask_for_growth, ask_for_an_aligned_block,
                                  ask_for_what_rounding_overflows};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        char text[4096];
        int status = child_run(asks[i], text, sizeof text);
        // A sanitiser's own allocator may speak first; either way the process is gone and has said why.
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_true(strlen(text) > 0);
#ifndef CHILD_SANITISED
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_string_equal(text, "out of memory, giving up\n");
#endif
    }
}

int test_mem(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_memory),
        cmocka_unit_test(aligns),
        cmocka_unit_test(names_what_cannot_be),
        cmocka_unit_test(aborts_when_out_of_memory),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
