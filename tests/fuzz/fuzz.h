// fuzz: what the targets share. Each target is one file with one LLVMFuzzerTestOneInput, built in two ways:
// with clang as a libFuzzer program, and with any compiler as a program that runs the kept inputs once
// (replay.c). A property that does not hold ends the program: must() of base/mem.h.
#pragma once
#include "base/mem.h"
#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Bytes in pieces. Every piece stands at the very end of a block of its own, so that AddressSanitizer sees a
// look past it. How they are cut hangs on the bytes alone: an input that fails once fails again.
enum cut {
    CUT_NOT,    // one piece
    CUT_BYTES,  // one byte each
    CUT_SMALL,  // 1 to 8 bytes
    CUT_MIXED,  // 1 to 64 bytes
    CUT_HALVES, // two pieces
    CUT_COUNT
};
struct pieces {
    struct slice rest;
    char *room;
    size_t size;
    uint64_t state;
    enum cut cut;
};
void pieces_start(struct pieces *pieces, struct slice bytes, enum cut cut);
bool pieces_next(struct pieces *pieces, struct slice *piece); // the piece's bytes may be written to
void pieces_end(struct pieces *pieces);

// A number that hangs on the bytes alone.
uint64_t fuzz_hash(struct slice bytes);
// Takes the line off the front of *rest, without its LF; all of it when there is none.
struct slice fuzz_line(struct slice *rest);
