// skim: one value taken out of a JSON text that passes by. The input: a pointer in a line, the text. What is
// found does not hang on how the text is cut, and is what jansson finds there, when the text is JSON without
// escapes and twins.
#include "../fuzz.h"
#include "../strict_json.h"
#include "http/pick.h"

#include <jansson.h>
#include <stdio.h>

static bool read_pointer(struct slice line, char *pointer) {
    size_t levels = 0, name = 0;
    if (!line.len || line.len > SKIM_LEVELS * (SKIM_TEXT + 1) || line.at[0] != '/' ||
        memchr(line.at, 0, line.len))
        return false;
    for (size_t i = 0; i < line.len; i++) {
        bool slash = line.at[i] == '/';
        levels += slash;
        name = slash ? 0 : name + 1;
        if (name > SKIM_TEXT || levels > SKIM_LEVELS || line.at[i] == '~')
            return false;
    }
    memcpy(pointer, line.at, line.len);
    pointer[line.len] = '\0';
    return true;
}

static void feed(struct pick *pick, const char *pointer, struct slice text, enum cut cut) {
    struct pieces pieces;
    struct slice piece;
    pick_start(pick, pointer);
    pieces_start(&pieces, text, cut);
    while (pieces_next(&pieces, &piece))
        pick_feed(pick, piece);
    pieces_end(&pieces);
}

static json_t *look_up(json_t *value, const char *pointer) {
    char name[SKIM_TEXT + 1];
    for (; *pointer && json_is_object(value); value = json_object_get(value, name)) {
        size_t len = strcspn(pointer + 1, "/");
        memcpy(name, pointer + 1, len);
        name[len] = '\0';
        pointer += 1 + len;
    }
    return *pointer ? NULL : value;
}

static void compare(const struct pick *pick, const char *pointer, struct slice text) {
    char number[24] = "";
    unsigned depth;
    if (memchr(text.at, '\\', text.len) || !strict_json(text, &depth) || depth >= SKIM_DEPTH)
        return;
    json_t *root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *value = root ? look_up(root, pointer) : NULL;
    struct slice expected = SLICE_NONE;
    if (json_is_string(value))
        expected = slice_make(json_string_value(value), json_string_length(value));
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        expected = slice_make(number, (size_t)sprintf(number, "%lld", json_integer_value(value)));
    if (expected.len > PICK_MOST || !expected.len || *pointer == '-')
        expected = SLICE_NONE;
    bool minus_zero =
        json_is_integer(value) && json_integer_value(value) == 0 && memchr(text.at, '-', text.len);
    if (json_is_object(root) && !minus_zero)
        must(pick->value.at ? slice_equal(pick->value, expected) : !expected.at);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_make((const char *)data, size);
    char pointer[SKIM_LEVELS * (SKIM_TEXT + 1) + 1];
    static struct pick whole, cut;
    if (!read_pointer(fuzz_line(&text), pointer))
        return 0;
    feed(&whole, pointer, text, CUT_NOT);
    for (enum cut how = CUT_BYTES; how <= CUT_SMALL; how++) {
        feed(&cut, pointer, text, how);
        must(!whole.value.at == !cut.value.at && slice_equal(whole.value, cut.value));
        must(whole.value.at || whole.over == cut.over);
    }
    compare(&whole, pointer, text);
    return 0;
}
