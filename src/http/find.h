// find: the first byte of some kind between `at` and `end`, or `end`; looks at sixteen bytes at a time. Pure.
#pragma once

const char *find_either(const char *at, const char *end, char a, char b);
// A quote, bracket or brace.
const char *find_structure(const char *at, const char *end);
// LF, CR, or a quote with one of three bytes behind it; the last byte is only looked at as what is behind.
const char *find_notable(const char *at, const char *end, const char second[3]);
// `first` with one of three bytes behind it.
const char *find_pair(const char *at, const char *end, char first, const char second[3]);
