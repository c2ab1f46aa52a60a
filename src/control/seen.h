// seen: names that were met before, the last so many of them, in fixed memory: what makes posting the same
// thing twice harmless. It keeps hashes of 64 bits under a random seed: of 100,000 names one in 10^14 is
// mistaken for another. One thread.
#pragma once
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>

struct seen;
struct seen *seen_new(size_t most); // with room for the last `most` names
void seen_free(struct seen *seen);  // NULL is allowed
// Whether the name was added before and not yet pushed out by `most` others; it is added when it was not.
bool seen_add(struct seen *seen, struct slice name);
