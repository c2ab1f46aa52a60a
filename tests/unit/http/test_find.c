#include "../../../src/http/find.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

#define LENGTHS 70 // several times as many bytes as are looked at together

enum kind { EITHER, STRUCTURE, PAIR, NOTABLE };

static const char *find(enum kind kind, const char *at, const char *end) {
    if (kind == EITHER)
        return find_either(at, end, '\n', '\r');
    if (kind == NOTABLE)
        return find_notable(at, end, "ued");
    return kind == STRUCTURE ? find_structure(at, end) : find_pair(at, end, '"', "ued");
}

// `what` at every place of texts of every length, after `filler`; in memory that ends with the text.
static void finds(enum kind kind, char filler, const char *what) {
    size_t size = strlen(what);
    for (size_t len = 0; len < LENGTHS; len++) {
        char *text = malloc(len ? len : 1), *end = text + len;
        memset(text, filler, len);
        assert_ptr_equal(find(kind, text, end), end);
        for (size_t at = 0; at + size <= len; at++) {
            memset(text, filler, len);
            memcpy(text + at, what, size);
            assert_ptr_equal(find(kind, text, end), text + at);
        }
        free(text);
    }
}

static void at_every_place(void **state) {
    (void)state;
    static const char fillers[] = {'x', '\0', (char)0x80, (char)0xff};
    for (size_t i = 0; i < sizeof fillers; i++) {
        finds(EITHER, fillers[i], "\n");
        finds(EITHER, fillers[i], "\r");
        finds(STRUCTURE, fillers[i], "\"");
        finds(STRUCTURE, fillers[i], "{");
        finds(STRUCTURE, fillers[i], "}");
        finds(STRUCTURE, fillers[i], "[");
        finds(STRUCTURE, fillers[i], "]");
        finds(PAIR, fillers[i], "\"u");
        finds(PAIR, fillers[i], "\"e");
        finds(PAIR, fillers[i], "\"d");
        finds(NOTABLE, fillers[i], "\n.");
        finds(NOTABLE, fillers[i], "\r.");
        finds(NOTABLE, fillers[i], "\"u");
        finds(NOTABLE, fillers[i], "\"e");
        finds(NOTABLE, fillers[i], "\"d");
    }
    finds(PAIR, '"', "\"d"); // of quotes only the one before it
    finds(PAIR, 'u', "\"u");
}

// The first of two, and of all 256 bytes only those that are looked for.
static void only_what_is_looked_for(void **state) {
    (void)state;
    char text[40];
    for (int c = 0; c < 256; c++) {
        memset(text, c, sizeof text);
        const char *end = text + sizeof text;
        assert_ptr_equal(find(EITHER, text, end), c == '\n' || c == '\r' ? text : end);
        assert_ptr_equal(find(STRUCTURE, text, end), c && strchr("\"[]{}", c) ? text : end);
        assert_ptr_equal(find(PAIR, text, end), end);
        assert_ptr_equal(find(NOTABLE, text, end), c == '\n' || c == '\r' ? text : end);
    }
    memset(text, 'x', sizeof text);
    text[30] = '\n';
    text[20] = '\r';
    assert_ptr_equal(find(EITHER, text, text + sizeof text), text + 20);
    text[39] = '"'; // nothing behind it
    assert_ptr_equal(find(PAIR, text, text + sizeof text), text + sizeof text);
    assert_ptr_equal(find(NOTABLE, text + 31, text + sizeof text), text + sizeof text);
}

int test_find(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_place),
        cmocka_unit_test(only_what_is_looked_for),
    };
    return cmocka_run_group_tests_name("find", tests, NULL, NULL);
}
