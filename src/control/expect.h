// expect: whether an answer is what a health check (or smoke test) expects. Pure.
#pragma once
#include "config/config.h"
#include <stdbool.h>

struct expect_answer {
    long status; // 0: none came, `error` says why
    struct slice body;
    bool truncated;
    const char *error; // may be NULL or empty
    int64_t took_ms;   // from the beginning to the last byte
};
// True, and why = "ok"; or false, and why says what was wrong in one line.
bool expect_met(const struct probe_expect_config *expect, const struct expect_answer *answer, char *why,
                size_t why_size);
