// error: what went wrong on a cold path (loading, opening, binding), for a person to read.
// Owner: the caller, on its stack. Any thread. Functions that can fail return bool and fill it when false.
#pragma once
#include <stdarg.h>
#include <stdbool.h>

struct error {
    char text[512]; // one sentence, names the place (path, address, key); empty when there is none
};

// Always returns false, so that `return error_set(error, …)` reads well. error may be NULL.
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
