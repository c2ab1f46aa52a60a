// pick: takes the text of one value out of a JSON text that passes by in pieces of any cut: a string without
// escapes or an integer. Pure; one per text; takes no memory but its own. The pointer has at most SKIM_LEVELS
// names of at most SKIM_TEXT bytes, of objects' keys, without `~`.
#pragma once
#include "http/skim.h"

#define PICK_MOST 256 // bytes of a value

struct pick {
    struct slice value; // in `text`; at == NULL: not found (yet)
    bool over;          // nothing more will be found
    struct skim skim;
    struct skim_key keys[SKIM_LEVELS][2];
    char names[SKIM_LEVELS][SKIM_TEXT + 1];
    char text[PICK_MOST];
};

// It must not be moved afterwards.
void pick_start(struct pick *pick, const char *pointer);
void pick_feed(struct pick *pick, struct slice bytes);
