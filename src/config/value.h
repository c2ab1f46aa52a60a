// value: scalars as people write them. Pure. Each returns false for what it does not understand.
#pragma once
#include <stdbool.h>
#include <stdint.h>

bool value_bool(const char *text, bool *value);        // true false yes no on off
bool value_integer(const char *text, int64_t *value);  // decimal, may be negative
bool value_number(const char *text, double *value);    // decimal, finite
bool value_json_number(const char *text);              // a number as JSON writes it
bool value_duration(const char *text, int64_t *ms);    // 250ms 5s 10m 1h 1.5s
bool value_size(const char *text, int64_t *bytes);     // 4096 16KiB 10MiB 1GiB
bool value_percent(const char *text, int64_t *points); // 5, 0.25: at most two decimals -> basis points
bool name_valid(const char *text);                     // [A-Za-z0-9_][A-Za-z0-9_.-]{0,63}
bool token_valid(const char *text);                    // a token of RFC 9110 5.6.2
bool host_valid(const char *text);                     // letters, digits, - _ and dots between labels
#define UNIX_PATH_MOST 107                             // bytes of a unix socket's path
bool url_valid(const char *text);                      // http:// or https://, a host, no white space
bool header_value_valid(const char *text);             // no control characters but HTAB
