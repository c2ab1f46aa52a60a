// Request ids that carry what was decided: read back under the key, and under no other.
#include "proxy/issued.h"

#include "unit.h"

#include <string.h>

static const unsigned char key[SEAL_KEY] = "0123456789abcde", other[SEAL_KEY] = "0123456789abcdf";

static void what_is_written_is_read(void **state) {
    (void)state;
    struct seal *seal = seal_new(key);
    char text[ISSUED_DIGITS];
    struct issued read;
    for (unsigned i = 0; i < 4; i++) {
        struct issued issued = {0xdeadbeef + i, (uint16_t)(0xffff - i), i & 1, i & 2};
        issued_write(seal, UINT64_C(0x0123456789abcdef) * i, &issued, text);
        assert_true(issued_read(seal, slice_make(text, sizeof text), &read));
        assert_int_equal(read.arm, issued.arm);
        assert_int_equal(read.unit, issued.unit);
        assert_int_equal(read.has_unit, issued.has_unit);
        assert_int_equal(read.by_choice, issued.by_choice);
    }
    seal_free(seal);
}

static void every_other_text_is_refused(void **state) {
    (void)state;
    static const char digits[] = "0123456789abcdefABCDEF g";
    struct seal *seal = seal_new(key), *foreign = seal_new(other);
    char text[ISSUED_DIGITS + 1];
    struct issued issued = {7, 8, true, false}, read;
    issued_write(seal, 42, &issued, text);
    for (size_t at = 0; at < ISSUED_DIGITS; at++) {
        char right = text[at];
        for (size_t i = 0; i + 1 < sizeof digits; i++) {
            text[at] = digits[i];
            assert_int_equal(issued_read(seal, slice_make(text, ISSUED_DIGITS), &read), digits[i] == right);
        }
        text[at] = right;
    }
    assert_false(issued_read(foreign, slice_make(text, ISSUED_DIGITS), &read));
    text[ISSUED_DIGITS] = '0';
    assert_false(issued_read(seal, slice_make(text, ISSUED_DIGITS + 1), &read));
    assert_false(issued_read(seal, slice_make(text, ISSUED_DIGITS - 1), &read));
    assert_false(issued_read(seal, SLICE(""), &read));
    seal_free(seal);
    seal_free(foreign);
}

static void names_make_the_arm(void **state) {
    (void)state;
    assert_int_equal(issued_arm("chat", "canary"), issued_arm("chat", "canary"));
    assert_int_not_equal(issued_arm("chat", "canary"), issued_arm("chat", "stable"));
    assert_int_not_equal(issued_arm("chat", "canary"), issued_arm("cha", "tcanary"));
}

// FIPS 197, appendix B: the first half of the block.
static void the_tag_is_that_of_aes(void **state) {
    (void)state;
    static const unsigned char k[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                        0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
    static const unsigned char block[16] = {0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d,
                                            0x31, 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34};
    struct seal *seal = seal_new(k);
    assert_true(seal_tag(seal, block) == UINT64_C(0x3925841d02dc09fb));
    assert_true(seal_tag(seal, block) == UINT64_C(0x3925841d02dc09fb));
    seal_free(seal);
}

int test_issued(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_other_text_is_refused),
        cmocka_unit_test(names_make_the_arm),
        cmocka_unit_test(the_tag_is_that_of_aes),
    };
    return cmocka_run_group_tests_name("issued", tests, NULL, NULL);
}
