// pack: numbers in few bytes, for what instances tell each other; each has one form and is refused in any
// other. Appending cannot fail; reading remembers the first thing that is wrong and gives zeros from then on.
#pragma once
#include "base/strbuf.h"

struct unpack {
    struct slice rest;
    const char *wrong; // the first thing that is; NULL
};

void pack_byte(struct strbuf *out, unsigned value);
void pack_count(struct strbuf *out, uint64_t value); // 7 bits a byte
void pack_number(struct strbuf *out, double value);  // whole ones below 2^53 as a count, others in 9 bytes
void pack_single(struct strbuf *out, double value);  // 4 bytes, to 7 digits
// Zeros are told by how many there are; `count` values.
void pack_column(struct strbuf *out, const uint32_t *values, size_t count);

unsigned unpack_byte(struct unpack *from, unsigned most);
uint64_t unpack_count(struct unpack *from, uint64_t most);
double unpack_number(struct unpack *from, double most); // 0 to `most`
double unpack_single(struct unpack *from);              // finite and not negative
void unpack_column(struct unpack *from, uint32_t *values, size_t count);
bool unpack_end(struct unpack *from); // nothing was wrong, and nothing is left
