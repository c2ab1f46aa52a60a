#include "http/chunk.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

struct outcome {
    enum chunk_result result;
    enum reject reject;
    size_t data, used;
    char content[65536];
};

static void feed(struct chunk_decoder *decoder, struct slice part, struct outcome *outcome) {
    char *copy = malloc(part.len ? part.len : 1); // exactly as long, for AddressSanitizer
    size_t data, used;
    assert_non_null(copy);
    memcpy(copy, part.at, part.len);
    outcome->result = chunk_decode(decoder, copy, part.len, &data, &used, &outcome->reject);
    assert_true(data <= used && used <= part.len);
    if (outcome->result == CHUNK_MORE)
        assert_int_equal(used, part.len);
    memcpy(outcome->content + outcome->data, copy, data);
    outcome->data += data;
    outcome->used += used;
    free(copy);
}

// In pieces that end at `first` and `second`.
static void decode(struct slice bytes, size_t first, size_t second, struct outcome *outcome) {
    struct chunk_decoder decoder;
    size_t ends[] = {first, second, bytes.len}, at = 0;
    chunk_start(&decoder);
    outcome->result = CHUNK_MORE;
    outcome->reject = REJECT_NONE;
    outcome->data = outcome->used = 0;
    for (int i = 0; i < 3 && outcome->result == CHUNK_MORE; i++) {
        feed(&decoder, slice_make(bytes.at + at, ends[i] - at), outcome);
        at = ends[i];
    }
}

static void splits_everywhere(void **state) {
    (void)state;
    static struct outcome got;
    struct slice bytes = SLICE("5\r\nhello\r\n00A;n=v ; q=\"a\\\"b;\";x\r\n0123456789\r\n"
                               "0000000000000001 \t;x\r\nz\r\n000 ;end\r\nA: b\r\nC:\r\n\r\nGET /next");
    for (size_t first = 0; first <= bytes.len; first++)
        for (size_t second = first; second <= bytes.len; second++) {
            decode(bytes, first, second, &got);
            assert_int_equal(got.result, CHUNK_DONE);
            assert_int_equal(got.used, bytes.len - strlen("GET /next"));
            assert_true(slice_equal(slice_make(got.content, got.data), SLICE("hello0123456789z")));
        }
}

// Extensions are checked and dropped; each of these is one (RFC 9112 7.1.1), each followed by a whole chunk.
static void drops_extensions(void **state) {
    (void)state;
    static const char *const extensions[] = {
        ";a",      ";a;b",    " ; a",        "\t;\ta",      ";a=b",        ";a =b",
        ";a = b",  ";a=\"\"", ";a=\"b\";c",  ";a=\"b\" ;c", ";a=\"\\\"\"", ";a=b;c=d",
        ";a=b ;c", ";a ;b",   ";a= \t\"b\"", ";a=b \t ;c",  ";a \t =b",    ";a=\"b c;d\"",
    };
    static struct outcome got;
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        char bytes[128];
        int len = snprintf(bytes, sizeof bytes, "3%s\r\nabc\r\n0%s\r\n\r\n", extensions[i], extensions[i]);
        for (size_t cut = 0; cut <= (size_t)len; cut++) {
            decode(slice_make(bytes, (size_t)len), cut, (size_t)len, &got);
            if (got.result != CHUNK_DONE || !slice_equal(slice_make(got.content, got.data), SLICE("abc")))
                fail_msg("%s cut at %zu", extensions[i], cut);
        }
    }
}

#define BAD(literal, reason) \
    { {literal, sizeof(literal) - 1}, reason }
static const struct {
    struct slice bytes;
    enum reject reject;
} hostile[] = {
    BAD("\r\n", REJECT_BAD_CHUNK),
    BAD(" 5\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5 \r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5\t\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5 0;a\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD(" ;a\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("+5\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("-5\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("0x5\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("0_2e\r\n", REJECT_BAD_CHUNK),
    BAD("g\r\n", REJECT_BAD_CHUNK),
    BAD("5\0\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5\rhello\r\n", REJECT_BAD_CHUNK),
    BAD("5\r\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("8000000000000000\r\n", REJECT_BAD_CHUNK),
    BAD("ffffffffffffffff\r\n", REJECT_BAD_CHUNK),
    BAD("00000000000000005\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("10000000000000005\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5,5\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;;a\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a \r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=b \r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=b c\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a\nb\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a\rb\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=\"b\nc\"\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=\"b\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=\"b\\\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=\"b\"c\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;\x01\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;=b\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a,b\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a =\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a b\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=b,\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a= ;b\r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5;a=\"b\" \r\nhello\r\n", REJECT_BAD_CHUNK),
    BAD("5\r\nhelloXX0\r\n\r\n", REJECT_BAD_CHUNK),
    BAD("5\r\nhello\n0\r\n\r\n", REJECT_BAD_CHUNK),
    BAD("5\r\nhello\r0\r\n\r\n", REJECT_BAD_CHUNK),
    BAD("5\r\nhello0\r\n\r\n", REJECT_BAD_CHUNK),
    BAD("5\r\nhello\r\n\r\n", REJECT_BAD_CHUNK),
    BAD("0\n\r\n", REJECT_BAD_CHUNK),
    BAD("0\r\r\n\r\n", REJECT_BAD_CHUNK),
    BAD("0\r\n\n", REJECT_BAD_TRAILER),
    BAD("0\r\n\rX", REJECT_BAD_TRAILER),
    BAD("0\r\n X: y\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\nX: y\r\n z\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\nX : y\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\n: y\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\nNoColon\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\nX: a\nGET /smuggled HTTP/1.1\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\nX: a\rb\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\nX: a\0\r\n\r\n", REJECT_BAD_TRAILER),
    BAD("0\r\nGET /smuggled HTTP/1.1\r\n\r\n", REJECT_BAD_TRAILER),
};

static void refuses_hostile_bytes(void **state) {
    (void)state;
    static struct outcome whole, cut;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct slice bytes = hostile[i].bytes;
        decode(bytes, bytes.len, bytes.len, &whole);
        if (whole.result != CHUNK_REJECTED || whole.reject != hostile[i].reject)
            fail_msg("%d %s: %.*s", whole.result, reject_name(whole.reject), (int)bytes.len, bytes.at);
        for (size_t first = 0; first <= bytes.len; first++) {
            decode(bytes, first, bytes.len, &cut);
            assert_int_equal(cut.result, CHUNK_REJECTED);
            assert_int_equal(cut.reject, whole.reject);
            assert_int_equal(cut.used, whole.used);
            assert_int_equal(cut.data, whole.data); // what came before the fault is delivered either way
        }
    }
}

static void stays_broken_and_done(void **state) {
    (void)state;
    struct chunk_decoder decoder;
    static struct outcome got;
    chunk_start(&decoder);
    feed(&decoder, SLICE("x"), &got);
    assert_int_equal(got.result, CHUNK_REJECTED);
    got.reject = REJECT_NONE;
    feed(&decoder, SLICE("5\r\nhello\r\n0\r\n\r\n"), &got);
    assert_int_equal(got.result, CHUNK_REJECTED);
    assert_int_equal(got.reject, REJECT_BAD_CHUNK);
    assert_int_equal(got.data, 0);
    chunk_start(&decoder);
    feed(&decoder, SLICE("0\r\n\r\n"), &got);
    assert_int_equal(got.result, CHUNK_DONE);
    got.used = 0;
    feed(&decoder, SLICE("5\r\nhello"), &got);
    assert_int_equal(got.result, CHUNK_DONE);
    assert_int_equal(got.used, 0);
}

static enum chunk_result many(const char *prefix, const char *piece, size_t pieces, const char *suffix) {
    struct chunk_decoder decoder;
    static struct outcome got;
    chunk_start(&decoder);
    got.data = got.used = 0;
    feed(&decoder, slice_of(prefix), &got);
    for (size_t i = 0; i < pieces && got.result == CHUNK_MORE; i++)
        feed(&decoder, slice_of(piece), &got);
    if (got.result == CHUNK_MORE)
        feed(&decoder, slice_of(suffix), &got);
    return got.result;
}

static void bounds_what_is_dropped(void **state) {
    (void)state;
    // The line's limit counts from behind the size up to CR, ';' and blanks in front of it included, and a
    // byte past it is refused when it comes, not when the next one does.
    assert_int_equal(many("1;", "x", 255, "\r\na"), CHUNK_MORE);
    assert_int_equal(many("1;", "x", 255, ""), CHUNK_MORE);
    assert_int_equal(many("1;", "x", 256, ""), CHUNK_REJECTED);
    assert_int_equal(many("1", " ", 256, ""), CHUNK_MORE);
    assert_int_equal(many("1", " ", 257, ""), CHUNK_REJECTED);
    assert_int_equal(many("1 ;x =", " ", 252, "v\r\na"), CHUNK_REJECTED);
    assert_int_equal(many("1 ;x =", " ", 250, "v\r\na"), CHUNK_MORE);
    assert_int_equal(many("", "1;0123456\r\na\r\n", 2048, "1;"), CHUNK_REJECTED);
    assert_int_equal(many("", "1;0123456\r\na\r\n", 2048, "0\r\n\r\n"), CHUNK_DONE); // 8 bytes each: 16 KiB
    assert_int_equal(many("", "1;0123456\r\na\r\n", 2049, "0\r\n\r\n"), CHUNK_REJECTED);
    assert_int_equal(many("0\r\n", "X: 345\r\n", 2047, "\r\n"), CHUNK_DONE);
    assert_int_equal(many("0\r\n", "X: 345\r\n", 2048, "\r\n"), CHUNK_REJECTED);
}

static void passes_big_chunks_whole(void **state) {
    (void)state;
    struct chunk_decoder decoder;
    static char big[40000];
    enum reject reject;
    size_t data, used;
    chunk_start(&decoder);
    char line[] = "9c40\r\n";
    assert_int_equal(chunk_decode(&decoder, line, 6, &data, &used, &reject), CHUNK_MORE);
    assert_int_equal(data, 0);
    memset(big, 'x', sizeof big);
    assert_int_equal(chunk_decode(&decoder, big, 15000, &data, &used, &reject), CHUNK_MORE);
    assert_int_equal(data, 15000);
    assert_int_equal(chunk_decode(&decoder, big, 25000, &data, &used, &reject), CHUNK_MORE);
    assert_int_equal(data, 25000);
    for (size_t i = 0; i < 25000; i++)
        assert_int_equal(big[i], 'x');
    char end[] = "\r\n0\r\n\r\n";
    assert_int_equal(chunk_decode(&decoder, end, 7, &data, &used, &reject), CHUNK_DONE);
}

static void writes_size_lines(void **state) {
    (void)state;
    static const struct {
        uint64_t size;
        const char *line;
    } cases[] = {{0, "0\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {UINT64_MAX, "ffffffffffffffff\r\n"}};
    for (size_t i = 0; i < 4; i++) {
        char room[CHUNK_LINE_BYTES];
        size_t len = chunk_line_before(room + sizeof room, cases[i].size);
        assert_true(slice_equal(slice_make(room + sizeof room - len, len), slice_of(cases[i].line)));
    }
}

int test_chunk(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_everywhere),      cmocka_unit_test(drops_extensions),
        cmocka_unit_test(refuses_hostile_bytes),  cmocka_unit_test(stays_broken_and_done),
        cmocka_unit_test(bounds_what_is_dropped), cmocka_unit_test(passes_big_chunks_whole),
        cmocka_unit_test(writes_size_lines),
    };
    return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
