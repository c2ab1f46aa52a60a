// jwt: a claim of a bearer token. The input: a claim in a line; then "p" and a payload, of which a token is
// made, or the value of Authorization itself. What is found is what a decoder of the test's and jansson find.
#include "../../../src/traffic/token.h"
#include "../fuzz.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdio.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct slice text, struct strbuf *out) {
    for (size_t i = 0; i < text.len; i += 3) {
        uint32_t bits = 0;
        size_t here = text.len - i < 3 ? text.len - i : 3;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < here ? (unsigned char)text.at[i + k] : 0);
        for (size_t k = 0; k <= here; k++)
            strbuf_char(out, alphabet[bits >> (18 - 6 * k) & 63]);
    }
}

// False: no base64url, padded or not. Bits that are left over are let go.
static bool decode(struct slice text, struct strbuf *out) {
    uint32_t bits = 0;
    unsigned held = 0;
    while (text.len && text.at[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const char *found = text.at[i] ? strchr(alphabet, text.at[i]) : NULL;
        if (!found)
            return false;
        bits = (bits << 6 | (uint32_t)(found - alphabet)) & 0xffffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            strbuf_char(out, (char)(bits >> held & 0xff));
        }
    }
    return text.len % 4 != 1;
}

// "Bearer" SP part "." part "." rest, in any case.
static bool payload_of(struct slice text, struct slice *payload) {
    size_t at = 0;
    static const char scheme[] = "bearer ";
    for (; at < sizeof scheme - 1; at++)
        if (at >= text.len || (scheme[at] == ' ' ? text.at[at] != ' ' : (text.at[at] | 0x20) != scheme[at]))
            return false;
    text = slice_trim(slice_from(text, at));
    size_t first = slice_find(text, '.');
    struct slice rest = slice_from(text, first + 1);
    size_t second = slice_find(rest, '.');
    *payload = slice_make(rest.at, second);
    return first < text.len && second < rest.len && second <= 16384;
}

// Unlike a person, jansson reads keys with NUL in them not at all; other texts it refuses are none of a
// claim's.
static void compare(struct slice ours, struct slice json, const char *claim) {
    json_t *root = json.len ? json_loadb(json.at, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    json_t *value = json_object_get(root, claim);
    char number[32];
    size_t open = 0;
    for (size_t i = 0; i < json.len; i++)
        open += json.at[i] == '[' || json.at[i] == '{';
    if (open > 60) { // may be refused as too deep
    } else if (json_is_string(value)) {
        must(ours.at && slice_equal(ours, slice_make(json_string_value(value), json_string_length(value))));
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", json_integer_value(value));
        must(ours.at && slice_equal(ours, slice_of(number)));
    } else if (json_is_real(value)) {
        must(ours.at && ours.len < sizeof number);
        memcpy(number, ours.at, ours.len);
        number[ours.len] = '\0';
        must(strtod(number, NULL) == json_real_value(value));
    } else if (root) {
        must(!ours.at);
    }
    json_decref(root);
}

static void check(struct slice credentials, const char *claim) {
    struct strbuf json = {0};
    struct slice payload;
    struct arena arena;
    arena_init(&arena, 1024);
    struct slice ours = token_claim(credentials, claim, &arena);
    if (payload_of(credentials, &payload) && decode(payload, &json))
        compare(ours, strbuf_as_slice(&json), claim);
    else
        must(!ours.at);
    strbuf_free(&json);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_make((const char *)data, size), line = fuzz_line(&rest);
    char claim[65];
    if (line.len > 64)
        return 0;
    memcpy(claim, line.at, line.len);
    claim[line.len] = '\0';
    if (rest.len && rest.at[0] == 'p') {
        struct strbuf token = {0};
        strbuf_literal(&token, "Bearer eyJhbGciOiJub25lIn0.");
        encode(slice_from(rest, 1), &token);
        strbuf_literal(&token, ".x");
        check(strbuf_as_slice(&token), claim);
        strbuf_free(&token);
    } else {
        check(rest, claim);
    }
    return 0;
}
