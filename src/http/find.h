// find: the first byte of some kind between `at` and `end`, or `end`; looks at sixteen bytes at a time. Pure.
#pragma once

const char *find_either(const char *at, const char *end, char a, char b);
// A quote, bracket or brace.
const char *find_structure(const char *at, const char *end);
// `first` with one of three bytes behind it.
const char *find_pair(const char *at, const char *end, char first, const char second[3]);
