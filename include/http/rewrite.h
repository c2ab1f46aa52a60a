// rewrite: sets, adds and removes values of a JSON text (RFC 8259) where they stand: every byte that is not
// part of an edited value stays as it is, blanks, escapes, numbers and the order of keys among them. Pure.
//
// Places are JSON pointers (RFC 6901). Keys are compared as what they mean, whatever escapes they are written
// with. A key that comes twice in an object is edited each time, so that it does not matter which one a
// reader takes.
#pragma once
#include "base/slice.h"
#include "base/strbuf.h"

struct rewrite {
    const char *pointer; // well-formed, not ""
    const char *value;   // JSON text; NULL: the value is removed, and it is no mistake when it is not there
    bool in_front; // `pointer` leads to an array, which must be there: `value` becomes its first element
};

enum rewrite_result {
    REWRITE_DONE,     // `out` has the whole text, maybe unchanged
    REWRITE_INVALID,  // the text is no JSON
    REWRITE_TOO_DEEP, // nested deeper than 128 objects and arrays
    REWRITE_NO_PLACE, // a pointer leads through what is neither object nor array, or past an array's end
};
const char *rewrite_result_name(enum rewrite_result result); // "done", "invalid" …: for logs

// Applies the edits one after the other. What a pointer of a value to set leads through is made where it is
// missing, as objects. On any other result than REWRITE_DONE `out` is as it was.
enum rewrite_result rewrite(struct slice text, const struct rewrite *edits, size_t count, struct strbuf *out);

// The value at `pointer` as it is written; of keys that come twice the last. at == NULL: there is none, or
// the text is no JSON up to its end.
struct slice rewrite_find(struct slice text, const char *pointer);
