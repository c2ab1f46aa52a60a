#include "../../../src/control/share_record.h"
#include "base/mem.h"
#include "unit.h"

#include <string.h>

static struct share_record sample(void) {
    struct share_record record = {
        .serial = 41, .nonce = 0xfedcba9876543210, .epoch = 4000000000u, .shares = 39, .spec = 7};
    memcpy(record.by, "9c31f0a2", 9);
    record.version = mem_copy_string("v\"2");
    strbuf_string(&record.text, "{\"format\":1,\"share\":0.1}");
    return record;
}

static void a_record_is_read_as_it_was_written(void **state) {
    (void)state;
    struct share_record record = sample(), again;
    struct strbuf text = {0};
    struct error error;
    share_record_write(&record, &text);
    assert_true(share_record_read(&again, strbuf_as_slice(&text), &error));
    assert_int_equal(again.serial, 41);
    assert_true(again.nonce == 0xfedcba9876543210 && again.spec == 7);
    assert_true(again.epoch == 4000000000u && again.shares == 39);
    assert_string_equal(again.by, "9c31f0a2");
    assert_string_equal(again.version, "v\"2");
    assert_string_equal(strbuf_text(&again.text), "{\"format\":1,\"share\":0.10000000000000001}");
    share_record_free(&record);
    share_record_free(&again);
    strbuf_free(&text);
}

// Each of these in place of what is right.
static void what_cannot_be_is_refused(void **state) {
    (void)state;
    static const char right[] =
        "{\"format\":1,\"serial\":1,\"nonce\":\"0000000000000001\",\"by\":\"a\",\"epoch\":1,"
        "\"shares\":1,\"spec\":\"0000000000000001\",\"version\":\"\",\"record\":{}}";
    static const struct {
        const char *part, *wrong;
    } cases[] = {
        {"\"format\":1", "\"format\":2"},
        {"\"serial\":1", "\"serial\":-1"},
        {"\"serial\":1", "\"serial\":1.5"},
        {"\"nonce\":\"0000000000000001\"", "\"nonce\":\"1\""},
        {"\"nonce\":\"0000000000000001\"", "\"nonce\":\"000000000000000g\""},
        {"\"by\":\"a\"", "\"by\":\"0123456789012345678901234567890123456789\""},
        {"\"by\":\"a\"", "\"by\":null"},
        {"\"epoch\":1", "\"epoch\":4294967296"},
        {"\"shares\":1", "\"shares\":\"1\""},
        {"\"spec\":\"0000000000000001\"", "\"spec\":1"},
        {"\"version\":\"\"", "\"version\":null"},
        {"\"record\":{}", "\"record\":[]"},
        {"\"record\":{}", "\"record\":{},\"record\":{}"},
        {"{\"format\"", "[{\"format\""},
    };
    struct share_record record;
    struct error error;
    assert_true(share_record_read(&record, slice_of(right), &error));
    share_record_free(&record);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0};
        const char *at = strstr(right, cases[i].part);
        assert_non_null(at);
        strbuf_append(&text, right, (size_t)(at - right));
        strbuf_string(&text, cases[i].wrong);
        strbuf_string(&text, at + strlen(cases[i].part));
        error.text[0] = '\0';
        assert_false(share_record_read(&record, strbuf_as_slice(&text), &error));
        assert_true(error.text[0] != '\0' && !record.version && !record.text.len);
        strbuf_free(&text);
    }
    assert_false(share_record_read(&record, slice_make("", 0), &error));
}

static void a_ledger_belongs_to_one_record(void **state) {
    (void)state;
    struct strbuf text = {0}, bytes = {0};
    share_ledger_write(12, slice_make("\0\1\2", 3), &text);
    assert_int_equal(share_ledger_serial(strbuf_as_slice(&text)), 12);
    assert_false(share_ledger_read(strbuf_as_slice(&text), 1, &bytes));
    assert_false(share_ledger_read(strbuf_as_slice(&text), 13, &bytes));
    assert_true(share_ledger_read(strbuf_as_slice(&text), 12, &bytes));
    assert_int_equal(bytes.len, 3);
    assert_memory_equal(bytes.at, "\0\1\2", 3);
    assert_false(share_ledger_read(SLICE("12 ???"), 12, &bytes));
    assert_int_equal(share_ledger_serial(slice_make("", 0)), 0);
    assert_int_equal(share_ledger_serial(SLICE("nonsense")), 0);
    strbuf_free(&text);
    strbuf_free(&bytes);
}

int test_share_record(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_ledger_belongs_to_one_record),
    };
    return cmocka_run_group_tests_name("share_record", tests, NULL, NULL);
}
