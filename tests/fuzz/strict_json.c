#include "strict_json.h"

#define DEPTH_MOST 3000 // so that a test's stack is enough

struct reader {
    const char *at, *end;
    unsigned depth, deepest;
};

static int peek(const struct reader *r) {
    return r->at < r->end ? (unsigned char)*r->at : -1;
}

static bool take(struct reader *r, int c) {
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

static void blanks(struct reader *r) {
    while (take(r, ' ') || take(r, '\t') || take(r, '\n') || take(r, '\r'))
        ;
}

static bool digits(struct reader *r) {
    const char *begin = r->at;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at > begin;
}

static bool number(struct reader *r) {
    take(r, '-');
    if (!take(r, '0') && !digits(r))
        return false;
    if (take(r, '.') && !digits(r))
        return false;
    if (!take(r, 'e') && !take(r, 'E'))
        return true;
    if (!take(r, '+'))
        take(r, '-');
    return digits(r);
}

static bool hex_digit(struct reader *r) {
    int c = peek(r);
    bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    r->at += hex;
    return hex;
}

static bool escape(struct reader *r) {
    if (take(r, 'u'))
        return hex_digit(r) && hex_digit(r) && hex_digit(r) && hex_digit(r);
    return take(r, '"') || take(r, '\\') || take(r, '/') || take(r, 'b') || take(r, 'f') || take(r, 'n') ||
           take(r, 'r') || take(r, 't');
}

static bool string(struct reader *r) {
    if (!take(r, '"'))
        return false;
    while (!take(r, '"')) {
        if (peek(r) < 0x20) // a control, or the end
            return false;
        if (take(r, '\\') ? !escape(r) : !take(r, peek(r)))
            return false;
    }
    return true;
}

static bool word(struct reader *r, const char *text) {
    for (; *text; text++)
        if (!take(r, *text))
            return false;
    return true;
}

static bool value(struct reader *r);

static bool members(struct reader *r, int close) {
    blanks(r);
    if (take(r, close))
        return true;
    do {
        blanks(r);
        if (close == '}') {
            if (!string(r))
                return false;
            blanks(r);
            if (!take(r, ':'))
                return false;
            blanks(r);
        }
        if (!value(r))
            return false;
        blanks(r);
    } while (take(r, ','));
    return take(r, close);
}

static bool value(struct reader *r) {
    int c = peek(r);
    if (c == '"')
        return string(r);
    if (c == 't')
        return word(r, "true");
    if (c == 'f')
        return word(r, "false");
    if (c == 'n')
        return word(r, "null");
    if (c != '{' && c != '[')
        return number(r);
    r->at++;
    if (++r->depth > r->deepest)
        r->deepest = r->depth;
    if (r->depth > DEPTH_MOST || !members(r, c == '{' ? '}' : ']'))
        return false;
    r->depth--;
    return true;
}

bool strict_json(struct slice text, unsigned *depth) {
    struct reader r = {.at = text.at, .end = text.at + text.len};
    blanks(&r);
    bool whole = value(&r);
    blanks(&r);
    *depth = r.deepest;
    return whole && r.at == r.end;
}

bool strict_utf8(struct slice text) { // RFC 3629
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.at[i++];
        unsigned more = c < 0x80                ? 0
                        : c >= 0xc2 && c < 0xe0 ? 1
                        : c >= 0xe0 && c < 0xf0 ? 2
                        : c >= 0xf0 && c < 0xf5 ? 3
                                                : 9;
        uint32_t code = more == 1 ? c & 0x1f : more == 2 ? c & 0xf : c & 7;
        if (more == 9 || text.len - i < more)
            return false;
        for (unsigned k = 0; k < more; k++) {
            unsigned char next = (unsigned char)text.at[i++];
            if ((next & 0xc0) != 0x80)
                return false;
            code = code << 6 | (next & 0x3f);
        }
        if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff)))
            return false;
    }
    return true;
}
