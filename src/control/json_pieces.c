#include "json_pieces.h"

#include <string.h>

void json_pieces_add(struct json_pieces *pieces, struct slice piece) {
    struct strbuf *held = &pieces->held;
    if (pieces->from) {
        memmove(held->at, held->at + pieces->from, held->len - pieces->from);
        held->len -= pieces->from;
        pieces->scanned -= pieces->from;
        pieces->from = 0;
    }
    strbuf_slice(held, piece);
}

// Braces count outside strings only. True: c ends the object.
static bool step(struct json_pieces *pieces, char c) {
    if (pieces->quoted) {
        pieces->quoted = pieces->escaped || c != '"';
        pieces->escaped = !pieces->escaped && c == '\\';
        return false;
    }
    if (c == '"')
        pieces->quoted = true;
    else if (c == '{')
        pieces->depth++;
    else if (c == '}')
        return --pieces->depth == 0;
    return false;
}

enum json_piece json_pieces_next(struct json_pieces *pieces, struct slice *object) {
    const struct strbuf *held = &pieces->held;
    while (pieces->depth == 0 && pieces->from < held->len && strchr(" \t\r\n", held->at[pieces->from]) &&
           held->at[pieces->from])
        pieces->scanned = ++pieces->from;
    if (pieces->from == held->len)
        return JSON_PIECE_NONE;
    if (held->at[pieces->from] != '{')
        return JSON_PIECE_BAD;
    while (pieces->scanned < held->len && pieces->scanned - pieces->from < pieces->most_bytes)
        if (step(pieces, held->at[pieces->scanned++])) {
            *object = slice_make(held->at + pieces->from, pieces->scanned - pieces->from);
            pieces->from = pieces->scanned;
            return JSON_PIECE_OBJECT;
        }
    return pieces->scanned - pieces->from < pieces->most_bytes ? JSON_PIECE_NONE : JSON_PIECE_BAD;
}

void json_pieces_free(struct json_pieces *pieces) {
    strbuf_free(&pieces->held);
}
