// octet: which bytes may stand where in a head. One table look-up per byte; never locale dependent. Any
// thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum octet_class {
    OCTET_TOKEN = 1,  // RFC 9110 5.6.2: methods, field names
    OCTET_TARGET = 2, // printable ASCII without space and '#'
    OCTET_VALUE = 4,  // field values and reason phrases: HTAB, SP, VCHAR, obs-text
    OCTET_HOST = 8,   // RFC 3986 reg-name without ',' (a list) and '%' (checked apart)
};

extern const uint8_t octet_classes[256];

static inline bool octet_is(char c, unsigned classes) {
    return octet_classes[(unsigned char)c] & classes;
}
static inline char octet_lower(char c) {
    return (unsigned char)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}
// The value of a hexadecimal digit, or -1.
static inline int octet_hex(char c) {
    if ((unsigned char)(c - '0') < 10)
        return c - '0';
    char lower = (char)(c | 0x20);
    return (unsigned char)(lower - 'a') < 6 ? lower - 'a' + 10 : -1;
}
