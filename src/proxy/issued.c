#include "proxy/issued.h"

#include "base/hash.h"
#include "base/hex.h"
#include "base/strbuf.h"

#include <string.h>

enum { HAS_UNIT = 1, BY_CHOICE = 2 };
#define VERSION 1

uint32_t issued_arm(const char *route, const char *variant) {
    return (uint32_t)hash_bytes(hash_bytes(0, slice_of(route)), slice_of(variant));
}

static inline void put(unsigned char *to, uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        to[i] = (unsigned char)value;
}

static uint64_t get(const unsigned char *from, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | from[i];
    return value;
}

void issued_write(struct seal *seal, uint64_t random, const struct issued *issued, char text[ISSUED_DIGITS]) {
    unsigned char bytes[24];
    put(bytes, random, 8);
    put(bytes + 8, issued->arm, 4);
    put(bytes + 12, issued->unit, 2);
    bytes[14] = (unsigned char)((issued->has_unit ? HAS_UNIT : 0) | (issued->by_choice ? BY_CHOICE : 0));
    bytes[15] = VERSION;
    put(bytes + 16, seal_tag(seal, bytes), 8);
    hex_bytes(text, bytes, sizeof bytes / 8);
}

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool issued_read(struct seal *seal, struct slice text, struct issued *issued) {
    unsigned char bytes[24];
    if (text.len != ISSUED_DIGITS)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        int high = digit(text.at[2 * i]), low = digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    // All 64 bits at once: how far a guess was right takes no time to tell.
    if (bytes[15] != VERSION || get(bytes + 16, 8) != seal_tag(seal, bytes))
        return false;
    *issued = (struct issued){
        .arm = (uint32_t)get(bytes + 8, 4),
        .unit = (uint16_t)get(bytes + 12, 2),
        .has_unit = bytes[14] & HAS_UNIT,
        .by_choice = bytes[14] & BY_CHOICE,
    };
    return true;
}
