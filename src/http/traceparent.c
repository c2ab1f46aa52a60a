#include "http/traceparent.h"
#include "base/hex.h"

#define TRACE_AT 3
#define SPAN_AT  36
#define FLAGS_AT 53

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool all_zero(struct slice digits) {
    for (size_t i = 0; i < digits.len; i++)
        if (digits.at[i] != '0')
            return false;
    return true;
}

static uint8_t hex_byte(const char *at) {
    unsigned value = 0;
    for (int i = 0; i < 2; i++)
        value = value << 4 | (unsigned)(at[i] <= '9' ? at[i] - '0' : at[i] - 'a' + 10);
    return (uint8_t)value;
}

// 2-32-16-2 digits. A later version may add more behind another dash.
static bool well_formed(struct slice value) {
    if (value.len < TRACEPARENT_BYTES)
        return false;
    for (size_t i = 0; i < TRACEPARENT_BYTES; i++) {
        bool dash = i == TRACE_AT - 1 || i == SPAN_AT - 1 || i == FLAGS_AT - 1;
        if (dash ? value.at[i] != '-' : !is_hex(value.at[i]))
            return false;
    }
    unsigned version = hex_byte(value.at);
    return version != 0xff &&
           (value.len == TRACEPARENT_BYTES || (version > 0 && value.at[TRACEPARENT_BYTES] == '-'));
}

bool traceparent_read(struct slice value, struct traceparent *to) {
    if (!well_formed(value) || all_zero(slice_make(value.at + TRACE_AT, TRACE_DIGITS)) ||
        all_zero(slice_make(value.at + SPAN_AT, SPAN_DIGITS)))
        return false;
    memcpy(to->trace, value.at + TRACE_AT, TRACE_DIGITS);
    memcpy(to->span, value.at + SPAN_AT, SPAN_DIGITS);
    to->flags = hex_byte(value.at + FLAGS_AT);
    return true;
}

void traceparent_write(const struct traceparent *from, char text[TRACEPARENT_BYTES]) {
    memcpy(text, "00-", TRACE_AT);
    memcpy(text + TRACE_AT, from->trace, TRACE_DIGITS);
    text[SPAN_AT - 1] = '-';
    memcpy(text + SPAN_AT, from->span, SPAN_DIGITS);
    text[FLAGS_AT - 1] = '-';
    text[FLAGS_AT] = "0123456789abcdef"[from->flags >> 4];
    text[FLAGS_AT + 1] = "0123456789abcdef"[from->flags & 15];
}

void span_id_make(struct random_state *random, char span[SPAN_DIGITS]) {
    hex_u64(span, random_next(random) | 1); // never zero
}

void traceparent_begin(struct random_state *random, uint8_t flags, struct traceparent *to) {
    hex_u64(to->trace, random_next(random));
    hex_u64(to->trace + SPAN_DIGITS, random_next(random) | 1);
    span_id_make(random, to->span);
    to->flags = flags;
}
