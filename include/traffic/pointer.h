// pointer: RFC 6901 look-ups in a JSON text. Pure.
#pragma once
#include "base/arena.h"
#include "base/slice.h"
#include <stdbool.h>

struct document;                                    // a parsed JSON text (jansson)
struct document *document_parse(struct slice text); // NULL when it is not JSON, or nested too deeply
void document_free(struct document *document);
// The value as text: a string's characters, a number's digits, otherwise the compact JSON; at == NULL when
// the pointer leads nowhere. Integers up to 64 bits stand as written, other numbers in their shortest form.
struct slice document_text(const struct document *document, const char *pointer, struct arena *arena);
// The same for strings and numbers only; at == NULL for everything else.
struct slice document_scalar(const struct document *document, const char *pointer, struct arena *arena);
// The number at `pointer`; false when there is none (a string of digits is no number).
bool document_number(const struct document *document, const char *pointer, double *value);
// Whether the value at `pointer` equals the JSON text `expected` (numbers by value).
bool document_equals(const struct document *document, const char *pointer, const char *expected);
