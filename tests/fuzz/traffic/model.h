// model: edits of a JSON text done to a tree of jansson's, to compare http/rewrite with.
#pragma once
#include "http/rewrite.h"

// Whether some object has a key twice, or jansson cannot read the text at all: then there is no model of it.
bool model_has_twins(struct slice text);
// Whether the edits make more than some levels of nesting.
bool model_deep(const struct rewrite *edits, size_t count);
// What rewrite has made of `text`, which jansson can read, is what the edits mean.
void model_check(struct slice text, const struct rewrite *edits, size_t count, enum rewrite_result result,
                 struct slice after);
