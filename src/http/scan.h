// scan: reads one JSON text (RFC 8259) strictly, front to back, in place. Pure; takes no memory.
#pragma once
#include "base/slice.h"
#include <stdbool.h>

#define SCAN_DEPTH 128 // nested objects and arrays

struct scan {
    const char *at, *end;
    unsigned depth;
    bool wrong, too_deep; // why it ended before its end
};

void scan_blanks(struct scan *scan);
bool scan_take(struct scan *scan, char byte); // false: another stands there, or none
bool scan_wrong(struct scan *scan);           // marks the text as no JSON; false
// A string without its quotes, as it is written.
bool scan_string(struct scan *scan, struct slice *raw);
// A string, number or word.
bool scan_scalar(struct scan *scan);
// Any value, passed over.
bool scan_value(struct scan *scan);
// An object or array opens: false past SCAN_DEPTH; scan_leave when it is closed.
bool scan_enter(struct scan *scan);
void scan_leave(struct scan *scan);

// ---- JSON pointers (RFC 6901)

// The first name of "/a~1b/c" is "a~1b"; *rest gets "/c", or NULL behind the last.
struct slice scan_name(const char *pointer, const char **rest);
// Whether a key as scan_string has read it means that name, whatever escapes either is written with.
bool scan_key_is(struct slice raw, struct slice name);
// The index that the name is: -1 none, INT64_MAX for "-", that behind the last.
int64_t scan_index(struct slice name);
