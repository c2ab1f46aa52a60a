// strict_json: whether a text is JSON, by the grammar of RFC 8259 and nothing else; written for the tests,
// byte by byte. (jansson, the other judge, also refuses numbers it cannot hold, text that is no UTF-8 and
// half surrogates.)
#pragma once
#include "base/slice.h"

// *depth: the deepest nesting of objects and arrays met before the end, or before what is wrong.
bool strict_json(struct slice text, unsigned *depth);
bool strict_utf8(struct slice text);
