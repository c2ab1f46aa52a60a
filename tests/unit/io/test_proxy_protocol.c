#include "io/proxy_protocol.h"
#include "unit.h"
#include <stdio.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4      "\xc0\x00\x02\x01\x0a\x00\x00\x02\x30\x39\x01\xbb" // 192.0.2.1:12345 to 10.0.0.2:443
#define IPV6                                                       \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07" /* 2001:db8::7 */ \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x08\x30\x39\x01\xbb"
#define ZEROS_36 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define UNIX     ZEROS_36 ZEROS_36 ZEROS_36 ZEROS_36 ZEROS_36 ZEROS_36
// The CRC32C of the header with the TLV itself, as HAProxy's `proxy-v2-options crc32c` sends it.
#define SUMMED SIGNATURE "\x21\x11\0\x13" IPV4 "\x03\0\x04\x1f\xe6\x3b\xf8"

static const struct {
    struct slice bytes;
    const char *source; // NULL: the connection's own
} valid[] = {
    {SLICE("PROXY TCP4 192.0.2.1 10.0.0.2 12345 443\r\n"), "192.0.2.1:12345"},
    {SLICE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535"},
    {SLICE("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0"},
    {SLICE("PROXY TCP6 2001:db8::7 ::1 1 2\r\n"), "[2001:db8::7]:1"},
    {SLICE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
           "65535\r\n"),
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {SLICE("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), "192.0.2.1:1"},
    {SLICE("PROXY UNKNOWN\r\n"), NULL},
    {SLICE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "65535 65535\r\n"),
     NULL}, // 107 bytes
    {SLICE("PROXY UNKNOWN what ever\r\n"), NULL},
    {SLICE(SIGNATURE "\x21\x11\0\x0c" IPV4), "192.0.2.1:12345"},
    {SLICE(SIGNATURE "\x21\x21\0\x24" IPV6), "[2001:db8::7]:12345"},
    {SLICE(SIGNATURE "\x21\x31\0\xd8" UNIX), "unix:"},
    {SLICE(SIGNATURE "\x21\x00\0\0"), NULL},
    {SLICE(SIGNATURE "\x21\x00\0\x05"
                     "what?"),
     NULL},
    {SLICE(SIGNATURE "\x20\x00\0\0"), NULL},
    {SLICE(SIGNATURE "\x20\x11\0\x0c" IPV4), NULL},
    {SLICE(SIGNATURE "\x20\xff\0\x03"
                     "abc"),
     NULL},                                         // LOCAL: what the balancer says of the family is ignored
    {SLICE(SIGNATURE "\x21\x12\0\x0c" IPV4), NULL}, // datagrams
    {SLICE(SIGNATURE "\x21\x22\0\x24" IPV6), NULL},
    {SLICE(SIGNATURE "\x21\x32\0\xd8" UNIX), NULL},
    {SLICE(SIGNATURE "\x21\x11\0\x0f" IPV4 "\x04\0\0"), "192.0.2.1:12345"},
    {SLICE(SIGNATURE "\x21\x11\0\x1a" IPV4 "\x02\0\x03"
                     "a.b"
                     "\x04\0\x05"
                     "\0\0\0\0\0"),
     "192.0.2.1:12345"},
    {SLICE(SUMMED), "192.0.2.1:12345"},
};
#define VALID (sizeof valid / sizeof *valid)

static void assert_read(size_t i, struct slice bytes) {
    struct proxy_protocol_header header;
    char text[ADDRESS_TEXT];
    assert_int_equal(proxy_protocol_read(bytes, &header), PROXY_PROTOCOL_DONE);
    assert_int_equal(header.length, valid[i].bytes.len);
    assert_int_equal(header.told, valid[i].source != NULL);
    if (!header.told)
        return;
    address_text(&header.source, text);
    assert_string_equal(text, valid[i].source);
}

static void valid_headers_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < VALID; i++) {
        char more[512];
        assert_read(i, valid[i].bytes);
        memcpy(more, valid[i].bytes.at, valid[i].bytes.len);
        memcpy(more + valid[i].bytes.len, "GET / HTTP/1.1\r\n", 16); // what follows is not looked at
        assert_read(i, slice_make(more, valid[i].bytes.len + 16));
    }
}

// Each prefix stands at the end of its own piece of memory, so that reading on is seen by AddressSanitizer.
static enum proxy_protocol_result read_piece(struct slice bytes) {
    struct proxy_protocol_header header;
    char *piece = test_malloc(bytes.len + 1);
    memcpy(piece + 1, bytes.at, bytes.len);
    enum proxy_protocol_result result = proxy_protocol_read(slice_make(piece + 1, bytes.len), &header);
    test_free(piece);
    return result;
}

static void every_prefix_needs_more(void **state) {
    (void)state;
    for (size_t i = 0; i < VALID; i++)
        for (size_t len = 0; len < valid[i].bytes.len; len++)
            assert_int_equal(read_piece(slice_make(valid[i].bytes.at, len)), PROXY_PROTOCOL_MORE);
}

static const struct slice malformed[] = {
    SLICE("GET / HTTP/1.1\r\n"),
    SLICE("PROPFIND / HTTP/1.1\r\n"),
    SLICE("\r\nGET / HTTP/1.1\r\n"),
    SLICE(" PROXY UNKNOWN\r\n"),
    SLICE("proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY\r\n"),
    SLICE("PROXY \r\n"),
    SLICE("PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY UNKNOWNX\r\n"),
    SLICE("PROXY TCP4\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 \r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"),
    SLICE("PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1\t2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r \n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\r\n"),
    SLICE("PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2 1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1\0 2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP4 ::1 ::2 1 2\r\n"),
    SLICE("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP6 ::1 2.2.2.2 1 2\r\n"),
    SLICE("PROXY TCP6 [::1] [::2] 1 2\r\n"),
    SLICE("PROXY TCP6 ::1%lo ::2 1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 02\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 00 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n"),
    SLICE("PROXY TCP4 1.1.1.1 2.2.2.2 1a 2\r\n"),
    // 108 bytes
    SLICE(
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
        "655350\r\n"),
    SLICE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
          "65535 6553500"),
    SLICE("\r\n\r\n\0\r\nQUIT\r"),
    SLICE(SIGNATURE "\x11\x11\0\x0c" IPV4), // version 1 in binary
    SLICE(SIGNATURE "\x31\x11\0\x0c" IPV4),
    SLICE(SIGNATURE "\x22\x11\0\x0c" IPV4), // no such command
    SLICE(SIGNATURE "\x2f\x11\0\x0c" IPV4),
    SLICE(SIGNATURE "\x21\x10\0\x0c" IPV4), // no such family or transport
    SLICE(SIGNATURE "\x21\x01\0\x0c" IPV4),
    SLICE(SIGNATURE "\x21\x13\0\x0c" IPV4),
    SLICE(SIGNATURE "\x21\x41\0\x0c" IPV4),
    SLICE(SIGNATURE "\x21\xff\0\x0c" IPV4),
    SLICE(SIGNATURE "\x21\x11\0\x0b" IPV4), // shorter than its addresses
    SLICE(SIGNATURE "\x21\x11\0\0" IPV4),
    SLICE(SIGNATURE "\x21\x21\0\x23" IPV6),
    SLICE(SIGNATURE "\x21\x31\0\xd7" UNIX),
    SLICE(SIGNATURE "\x21\x11\xff\xff" IPV4),        // longer than any header may be
    SLICE(SIGNATURE "\x20\x00\x3f\xf1"),             // by one byte
    SLICE(SIGNATURE "\x21\x11\0\x0d" IPV4 "\x04"),   // half a TLV
    SLICE(SIGNATURE "\x21\x11\0\x0e" IPV4 "\x04\0"), // …
    SLICE(SIGNATURE "\x21\x11\0\x0f" IPV4 "\x04\0\x01"),
    SLICE(SIGNATURE "\x21\x11\0\x11" IPV4 "\x04\x01\0ab"),
    SLICE(SIGNATURE "\x21\x11\0\x12" IPV4 "\x03\0\x03"
                    "abc"), // a checksum has four bytes
    SLICE(SIGNATURE "\x21\x11\0\x14" IPV4 "\x03\0\x05"
                    "abcde"),
    SLICE(SIGNATURE "\x21\x11\0\x13" IPV4 "\x03\0\x04\0\0\0\0"),
};

static void malformed_headers_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        enum proxy_protocol_result result = PROXY_PROTOCOL_MORE;
        if (read_piece(malformed[i]) != PROXY_PROTOCOL_MALFORMED)
            print_error("number %zu was not refused: %.*s\n", i, (int)malformed[i].len, malformed[i].at);
        assert_int_equal(read_piece(malformed[i]), PROXY_PROTOCOL_MALFORMED);
        // However it is cut, it never gets through before it is refused.
        for (size_t len = 0; len <= malformed[i].len && result == PROXY_PROTOCOL_MORE; len++)
            result = read_piece(slice_make(malformed[i].at, len));
        assert_int_equal(result, PROXY_PROTOCOL_MALFORMED);
    }
}

// Any byte of a summed header changed, to any value: refused, or (where the change makes it longer) never
// done.
static void a_checksum_covers_every_byte(void **state) {
    (void)state;
    static const char summed[] = SUMMED;
    char copy[sizeof summed - 1];
    for (size_t i = 0; i < sizeof copy; i++) {
        for (unsigned value = 0; value < 256; value++) {
            bool local = i == 12 && value == 0x20, unspecified = i == 13 && value == 0; // nothing is read
            bool unsummed = i == 28 || (i == 15 && value == 12); // the checksum itself was taken away
            if (value == (unsigned char)summed[i] || local || unspecified || unsummed)
                continue;
            memcpy(copy, summed, sizeof copy);
            copy[i] = (char)value;
            assert_int_not_equal(read_piece(slice_make(copy, sizeof copy)), PROXY_PROTOCOL_DONE);
        }
    }
}

// Every single-byte change of every header: whatever comes out, it is the same for every cut.
static void the_verdict_does_not_depend_on_the_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < VALID; i++) {
        char copy[256];
        struct slice bytes = slice_make(copy, valid[i].bytes.len);
        for (size_t k = 0; k < bytes.len; k++) {
            for (unsigned change = 1; change < 256; change = change * 2 + 1) {
                enum proxy_protocol_result result = PROXY_PROTOCOL_MORE;
                memcpy(copy, valid[i].bytes.at, bytes.len);
                copy[k] = (char)(copy[k] ^ (char)change);
                for (size_t len = 0; len <= bytes.len && result == PROXY_PROTOCOL_MORE; len++)
                    result = read_piece(slice_make(copy, len));
                assert_int_equal(read_piece(bytes), result);
            }
        }
    }
}

static void the_longest_one(void **state) {
    (void)state;
    static char bytes[PROXY_PROTOCOL_MOST + 1] = SIGNATURE "\x21\x11\x3f\xf0" IPV4 "\x04\x3f\xe1";
    struct proxy_protocol_header header;
    assert_int_equal(proxy_protocol_read(slice_make(bytes, PROXY_PROTOCOL_MOST - 1), &header),
                     PROXY_PROTOCOL_MORE);
    assert_int_equal(proxy_protocol_read(slice_make(bytes, PROXY_PROTOCOL_MOST), &header),
                     PROXY_PROTOCOL_DONE);
    assert_int_equal(header.length, PROXY_PROTOCOL_MOST);
}

int test_proxy_protocol(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_headers_are_read),
        cmocka_unit_test(every_prefix_needs_more),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(a_checksum_covers_every_byte),
        cmocka_unit_test(the_verdict_does_not_depend_on_the_cut),
        cmocka_unit_test(the_longest_one),
    };
    return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}
