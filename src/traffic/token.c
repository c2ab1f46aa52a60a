#include "token.h"

#include "base/base64.h"
#include "base/mem.h"
#include "traffic/pointer.h"

#define PAYLOAD_BYTES (16 * 1024) // as encoded

// RFC 4648 5: two letters are others.
static int sextet(char c) {
    if (c == '+' || c == '/')
        return -1;
    return base64_digit(c == '-' ? '+' : c == '_' ? '/' : c);
}

// base64url without padding (RFC 7515 2), though padding is suffered; at == NULL when malformed.
static struct slice decode(struct slice text, struct arena *arena) {
    while (text.len > 0 && text.at[text.len - 1] == '=')
        text.len--;
    if (text.len % 4 == 1)
        return slice_make(NULL, 0);
    char *bytes = arena_alloc(arena, text.len / 4 * 3 + 3);
    size_t len = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = sextet(text.at[i]);
        if (value < 0)
            return slice_make(NULL, 0);
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[len++] = (char)(bits >> held & 0xff);
        }
    }
    return slice_make(bytes, len);
}

// Claims are members of one object (RFC 7519 7.2).
static bool is_object(struct slice json) {
    while (json.len && strchr(" \t\r\n", json.at[0]) && json.at[0])
        json = slice_from(json, 1);
    return json.len && json.at[0] == '{';
}

// "/claim" with the claim's own ~ and / escaped.
static const char *pointer_of(const char *claim, struct arena *arena) {
    char *pointer = arena_alloc(arena, strlen(claim) * 2 + 2);
    char *to = pointer;
    *to++ = '/';
    for (; *claim; claim++) {
        if (*claim == '~' || *claim == '/') {
            *to++ = '~';
            *to++ = *claim == '~' ? '0' : '1';
        } else {
            *to++ = *claim;
        }
    }
    *to = '\0';
    return pointer;
}

struct slice token_claim(struct slice credentials, const char *claim, struct arena *arena) {
    const struct slice none = {0};
    struct slice rest = credentials;
    struct slice scheme = slice_cut(&rest, ' ');
    if (!rest.at || !slice_equal_fold(scheme, SLICE("Bearer")))
        return none;
    rest = slice_trim(rest);
    slice_cut(&rest, '.'); // the header
    if (!rest.at)
        return none;
    struct slice payload = slice_cut(&rest, '.');
    if (!rest.at || payload.len > PAYLOAD_BYTES)
        return none;
    struct slice json = decode(payload, arena);
    struct document *document = json.at && is_object(json) ? document_parse(json) : NULL;
    if (!document)
        return none;
    struct slice value = document_scalar(document, pointer_of(claim, arena), arena);
    document_free(document);
    return value;
}
