#include "pack.h"

#include <float.h>
#include <math.h>

#define WHOLE_MOST 9007199254740992.0 // 2^53
#define FRACTION   1                  // instead of a whole number's even count: eight bytes follow

// ---- writing

void pack_byte(struct strbuf *out, unsigned value) {
    strbuf_char(out, (char)value);
}

void pack_count(struct strbuf *out, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        pack_byte(out, (unsigned)(value & 0x7f) | 0x80);
    pack_byte(out, (unsigned)value);
}

static void pack_bits(struct strbuf *out, uint64_t bits, int bytes) {
    for (int i = 0; i < bytes; i++)
        pack_byte(out, (unsigned)(bits >> 8 * i & 0xff));
}

static bool whole(double value) {
    return value >= 0 && value < WHOLE_MOST && value == floor(value);
}

void pack_number(struct strbuf *out, double value) {
    uint64_t bits;
    if (whole(value)) {
        pack_count(out, (uint64_t)value << 1);
        return;
    }
    memcpy(&bits, &value, sizeof bits);
    pack_byte(out, FRACTION);
    pack_bits(out, bits, 8);
}

void pack_single(struct strbuf *out, double value) {
    float single = (float)fmax(0, fmin(value, FLT_MAX));
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    pack_bits(out, bits, 4);
}

// Odd: so many zeros and one more; even: twice a value that is not zero.
void pack_column(struct strbuf *out, const uint32_t *values, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t zeros = 0;
        while (i + zeros < count && values[i + zeros] == 0)
            zeros++;
        pack_count(out, zeros ? (uint64_t)(zeros - 1) << 1 | 1 : (uint64_t)values[i] << 1);
        i += zeros ? zeros : 1;
    }
}

// ---- reading

static uint64_t refuse(struct unpack *from, const char *wrong) {
    if (!from->wrong)
        from->wrong = wrong;
    from->rest = SLICE_NONE;
    return 0;
}

unsigned unpack_byte(struct unpack *from, unsigned most) {
    if (from->rest.len == 0)
        return (unsigned)refuse(from, "ends too early");
    unsigned value = (unsigned char)from->rest.at[0];
    from->rest = slice_from(from->rest, 1);
    return value <= most ? value : (unsigned)refuse(from, "has a value that is not known");
}

uint64_t unpack_count(struct unpack *from, uint64_t most) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned byte = unpack_byte(from, 0xff);
        if (from->wrong)
            return 0;
        if (shift == 63 && byte > 1)
            return refuse(from, "has a number of more than 64 bits");
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (shift && byte == 0)
            return refuse(from, "has a number that is longer than it need be");
        return value <= most ? value : refuse(from, "has a number that is too large");
    }
}

static uint64_t unpack_bits(struct unpack *from, int bytes) {
    uint64_t bits = 0;
    for (int i = 0; i < bytes; i++)
        bits |= (uint64_t)unpack_byte(from, 0xff) << 8 * i;
    return bits;
}

double unpack_number(struct unpack *from, double most) {
    uint64_t count = unpack_count(from, UINT64_MAX), bits;
    double value;
    if (count % 2 == 0) {
        value = (double)(count >> 1);
        if (value >= WHOLE_MOST)
            return (double)refuse(from, "has a number that is too large");
    } else {
        if (count != FRACTION)
            return (double)refuse(from, "has a number of no known kind");
        bits = unpack_bits(from, 8);
        memcpy(&value, &bits, sizeof value);
        if (from->wrong || signbit(value) || whole(value))
            return (double)refuse(from, "has a number that is negative or no fraction");
    }
    return value <= most ? value : (double)refuse(from, "has a number that is too large");
}

double unpack_single(struct unpack *from) {
    uint32_t bits = (uint32_t)unpack_bits(from, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) && !signbit(value) ? (double)value
                                              : (double)refuse(from, "has a sum that cannot be");
}

void unpack_column(struct unpack *from, uint32_t *values, size_t count) {
    bool after_zeros = false;
    memset(values, 0, count * sizeof *values);
    for (size_t i = 0; i < count && !from->wrong;) {
        uint64_t token = unpack_count(from, (uint64_t)UINT32_MAX << 1), value = token >> 1;
        bool zeros = token % 2;
        if (zeros ? after_zeros || value >= count - i : value == 0)
            refuse(from, "has zeros that are told wrongly");
        else if (!zeros)
            values[i] = (uint32_t)value;
        i += zeros ? (size_t)value + 1 : 1;
        after_zeros = zeros;
    }
}

bool unpack_end(struct unpack *from) {
    if (from->rest.len)
        refuse(from, "goes on behind its end");
    return !from->wrong;
}
