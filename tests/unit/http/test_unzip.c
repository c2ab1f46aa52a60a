#include "http/unzip.h"
#include "http/usage.h"
#include "unit.h"
#include <string.h>
#include <zlib.h>

#define JSON   "application/json"
#define EVENTS "text/event-stream"

static struct slice zip(struct slice text, char *room, size_t size) {
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text.at;
    stream.avail_in = (uInt)text.len;
    stream.next_out = (Bytef *)room;
    stream.avail_out = (uInt)size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return slice_make(room, stream.total_out);
}

// Begins with gzip and reads `bytes` cut in two; usage_end is left to the caller.
static struct usage unzipped(const char *type, const char *encoding, struct slice bytes, size_t cut) {
    struct usage usage = {0};
    usage_start(&usage, slice_of(type), slice_of(encoding));
    usage_feed(&usage, slice_make(bytes.at, cut));
    usage_feed(&usage, slice_from(bytes, cut));
    return usage;
}

static void gzip_of_any_cut(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"choices\":[{\"message\":{\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaaa\"}}],\"usage\":{\"prompt_"
        "tokens\":5,"
        "\"completion_tokens\":7}}",
        "data: {\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\n\n"
        "data: {\"error\":{}}\n\n"};
    char room[2][512];
    for (int kind = 0; kind < 2; kind++) {
        const char *type = kind ? EVENTS : JSON;
        struct slice text = slice_of(texts[kind]), bytes = zip(text, room[0], sizeof room[0]);
        for (size_t cut = 0; cut <= bytes.len; cut++) {
            struct usage usage = unzipped(type, cut % 2 ? "gzip" : "X-GZip", bytes, cut);
            assert_true(usage.counted && usage.prompt == 5 && usage.completion == 7);
            assert_int_equal(usage.failed, kind);
            usage_end(&usage);
        }
        // of two members, as gzip allows
        struct slice half = zip(slice_make(text.at, 30), room[0], sizeof room[0]);
        struct slice rest = zip(slice_from(text, 30), room[1], sizeof room[1]);
        memcpy(room[0] + half.len, rest.at, rest.len);
        bytes = slice_make(room[0], half.len + rest.len);
        for (size_t cut = 0; cut <= bytes.len; cut++) {
            struct usage usage = unzipped(type, "gzip", bytes, cut);
            assert_true(usage.counted && usage.prompt == 5 && usage.completion == 7);
            assert_int_equal(usage.failed, kind);
            usage_end(&usage);
        }
    }
}

// Flipped bits, other bytes and half a text: perhaps not counted, never worse.
static void damaged_gzip(void **state) {
    (void)state;
    char room[512];
    struct slice bytes =
        zip(SLICE("{\"text\":\"some text or other\",\"usage\":{\"prompt_tokens\":5}}"), room, sizeof room);
    for (size_t i = 0; i < bytes.len * 8; i++) {
        room[i / 8] ^= (char)(1 << i % 8);
        struct usage usage = unzipped(JSON, "gzip", bytes, bytes.len / 2);
        usage_end(&usage);
        room[i / 8] ^= (char)(1 << i % 8);
    }
    struct usage usage = unzipped(JSON, "gzip", SLICE("{\"usage\":{\"prompt_tokens\":5}}"), 3);
    assert_false(usage.counted);
    assert_int_equal(usage.source, USAGE_NONE);
    usage = unzipped(JSON, "gzip", slice_make(bytes.at, bytes.len / 2), 3);
    assert_false(usage.counted);
    usage_end(&usage);
    usage = unzipped(JSON, "gzip, gzip", bytes, 3);
    assert_false(usage.counted);
}

// 64 MiB of spaces in 64 KiB: given up long before its end.
static void a_bomb_is_not_unpacked(void **state) {
    (void)state;
    static char blanks[1 << 16], room[1 << 18];
    z_stream stream = {.next_out = (Bytef *)room, .avail_out = sizeof room};
    struct usage usage = {0};
    memset(blanks, ' ', sizeof blanks);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (int i = 0; i < 1024; i++) {
        stream.next_in = (Bytef *)blanks;
        stream.avail_in = sizeof blanks;
        assert_int_equal(deflate(&stream, i == 1023 ? Z_FINISH : Z_NO_FLUSH),
                         i == 1023 ? Z_STREAM_END : Z_OK);
    }
    deflateEnd(&stream);
    usage_start(&usage, SLICE(JSON), SLICE("gzip"));
    usage_feed(&usage, slice_make(room, 1000));
    assert_int_equal(usage.source, USAGE_NONE); // it wants no more
    assert_null(usage.unzip);
}

static bool keep(void *context, struct slice text) {
    struct slice *expected = context;
    assert_true(slice_starts(*expected, text));
    *expected = slice_from(*expected, text.len);
    return expected->len > 0;
}

// Nothing is lost where a text is longer than the pieces it is given in, and no more comes than is wanted.
static void long_texts_in_pieces(void **state) {
    (void)state;
    static char text[50000], room[60000];
    uint64_t random = 7;
    for (size_t i = 0; i < sizeof text; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        text[i] = (char)(random >> 60);
    }
    struct slice bytes = zip(slice_make(text, sizeof text), room, sizeof room);
    for (size_t size = 1; size < bytes.len; size = size * 3 + 1) {
        struct unzip *unzip = unzip_new();
        struct slice expected = slice_make(text, sizeof text), rest = bytes;
        bool more = true;
        while (more && rest.len) {
            size_t len = size < rest.len ? size : rest.len;
            more = unzip_feed(unzip, slice_make(rest.at, len), keep, &expected);
            rest = slice_from(rest, len);
        }
        assert_false(more);
        assert_int_equal(expected.len, 0);
        unzip_free(unzip);
    }
    unzip_free(NULL);
}

int test_unzip(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_of_any_cut),
        cmocka_unit_test(damaged_gzip),
        cmocka_unit_test(a_bomb_is_not_unpacked),
        cmocka_unit_test(long_texts_in_pieces),
    };
    return cmocka_run_group_tests_name("unzip", tests, NULL, NULL);
}
