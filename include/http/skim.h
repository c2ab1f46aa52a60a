// skim: reads the text of one JSON object (RFC 8259), in pieces of any cut, for the values of a few keys.
// What it does not look for is stepped over, many bytes at a time, and checked only as far as that needs.
// Pure; one per text; takes no memory but its own.
//
// A key that is written with escapes is not recognised. Of a key that comes twice both values are told, in
// their order. What is no JSON object, is nested deeper than SKIM_DEPTH, or turns out to be garbage is read
// no further: what was told before it stands.
#pragma once
#include "base/slice.h"

#define SKIM_DEPTH  64 // nested objects and arrays
#define SKIM_LEVELS 4  // nested objects whose keys are looked at
#define SKIM_TEXT   24 // longest key, and longest string value that is told

// The keys to look for in one object; the list ends with a name of NULL.
struct skim_key {
    const char *name;
    int id;                          // told with its value
    const struct skim_key *inside;   // of a value that is an object: the keys to look for there; NULL: none
    const struct skim_key *elements; // of an array: the keys to look for in the objects of it; NULL: none
};
#define SKIM_VALUE(name, id) \
    { name, id, NULL, NULL }
#define SKIM_INSIDE(name, id, keys) \
    { name, id, keys, NULL }
#define SKIM_ELEMENTS(name, id, keys) \
    { name, id, NULL, keys }
#define SKIM_END \
    { NULL, 0, NULL, NULL }

enum skim_kind {
    SKIM_COUNT,      // an integer from 0 that fits 63 bits; other numbers are not told
    SKIM_STRING,     // `text` without quotes; at == NULL: it has escapes or is too long
    SKIM_OBJECT,     // begins; also each one of an array whose objects are looked at
    SKIM_ARRAY,      // begins
    SKIM_OBJECT_END, // only of those whose keys are looked at
};
struct skim_value {
    int id;
    enum skim_kind kind;
    uint64_t count;
    struct slice text; // valid during the call
};

struct skim {
    const struct skim_key *levels[SKIM_LEVELS]; // keys of the open objects that are looked at
    int ids[SKIM_LEVELS];
    const struct skim_key *found; // the key whose value comes; NULL: none that is looked for
    uint64_t nesting;             // of what is stepped over, innermost first: 1 an object, 0 an array
    uint64_t count;               // of the number that is being read
    uint8_t state, level,
        stepped;       // level: index of the innermost open one; stepped: depth that is stepped over
    uint8_t arrays;    // bits by level: its objects are elements of an array
    uint16_t text_len; // of the key or string that is read; UINT16_MAX: of no interest
    char text[SKIM_TEXT];
    // Room for string values that are longer, when it was set after skim_start; NULL: SKIM_TEXT is the most.
    char *wide;
    uint16_t wide_size;
};

void skim_start(struct skim *skim, const struct skim_key *keys);
// Tells each value as it ends. False: nothing more will be told, whatever comes.
bool skim_feed(struct skim *skim, struct slice bytes,
               void (*tell)(void *context, const struct skim_value *value), void *context);
