// token: a claim out of a JSON web token, decoded and not verified. Pure.
#pragma once
#include "base/arena.h"
#include "base/slice.h"

// `credentials`: the value of Authorization. The claim's text when it is a string or a number; at == NULL
// when there is no Bearer token, it has no such claim, or its payload is malformed or past 16 KiB.
struct slice token_claim(struct slice credentials, const char *claim, struct arena *arena);
