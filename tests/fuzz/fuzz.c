#include "fuzz.h"

#include <stdlib.h>

uint64_t fuzz_hash(struct slice bytes) { // FNV-1a, and a finish that spreads the last byte
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
    return (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
}

struct slice fuzz_line(struct slice *rest) {
    size_t end = slice_find(*rest, '\n');
    struct slice line = slice_make(rest->at, end);
    *rest = slice_from(*rest, end + 1);
    return line;
}

void pieces_start(struct pieces *pieces, struct slice bytes, enum cut cut) {
    *pieces = (struct pieces){.rest = bytes, .size = bytes.len, .cut = cut, .state = fuzz_hash(bytes) | 1};
    pieces->room = malloc(bytes.len ? bytes.len : 1);
    must(pieces->room);
}

static size_t piece_length(struct pieces *pieces) {
    pieces->state = pieces->state * UINT64_C(6364136223846793005) + 1442695040888963407;
    size_t random = (size_t)(pieces->state >> 40);
    switch (pieces->cut) {
    case CUT_BYTES:
        return 1;
    case CUT_SMALL:
        return 1 + random % 8;
    case CUT_MIXED:
        return 1 + random % 64;
    case CUT_HALVES:
        return pieces->rest.len == pieces->size ? 1 + random % pieces->size : pieces->size;
    default:
        return pieces->size;
    }
}

bool pieces_next(struct pieces *pieces, struct slice *piece) {
    if (!pieces->rest.len)
        return false;
    size_t len = piece_length(pieces);
    if (len > pieces->rest.len)
        len = pieces->rest.len;
    char *at = pieces->room + pieces->size - len;
    memcpy(at, pieces->rest.at, len);
    *piece = slice_make(at, len);
    pieces->rest = slice_from(pieces->rest, len);
    return true;
}

void pieces_end(struct pieces *pieces) {
    free(pieces->room);
}
