// json_pieces: a stream of JSON objects that comes in pieces cut anywhere, taken apart into its objects. What
// an object holds is not looked at, only where it ends. Pure; owner: the embedding object; one thread.
#pragma once
#include "base/strbuf.h"

struct json_pieces {   // zeroed but for most_bytes: nothing came yet
    size_t most_bytes; // of one object
    struct strbuf held;
    size_t from; // where what was not given out begins
    size_t
        scanned;  // up to here `depth`, `quoted` and `escaped` tell where we are; from <= scanned <= held.len
    size_t depth; // of braces
    bool quoted, escaped;
};
enum json_piece { JSON_PIECE_NONE, JSON_PIECE_OBJECT, JSON_PIECE_BAD };

void json_pieces_add(struct json_pieces *pieces, struct slice piece);
// The next object, borrowed until the next addition; NONE: more must come; BAD: what stands there begins no
// object, or one that is too long, and all that follows is lost.
enum json_piece json_pieces_next(struct json_pieces *pieces, struct slice *object);
void json_pieces_free(struct json_pieces *pieces);
