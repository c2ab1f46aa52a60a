// Shared by the tests of config: loading texts and comparing what is said of them.
#pragma once
#include "base/strbuf.h"
#include "config/config.h"

// Every diagnostic as "NAME:LINE:COL: text (hint)\n"; the folder of the test data reads DIR.
void diagnostics_write(const struct diagnostics *diagnostics, const char *name, struct strbuf *out);
// Loads and must succeed; the caller unrefs. The text is parsed as if it stood in the folder
// tests/data/config.
struct config *load_text(const char *text);
struct config *load_file(const char *path);
// Parses, must fail, and says exactly `expected` (lines without the file's name).
void refuse_text(const char *text, const char *expected);
// The whole file; fails the test when it cannot be read.
void read_text_file(const char *path, struct strbuf *out);

// Enough for a file without anything special: a listener, the pools blue and green.
#define HEAD                                      \
    "listeners: [{address: 127.0.0.1:8080}]\n"    \
    "pools:\n"                                    \
    "  blue: {endpoints: [http://127.0.0.1:1]}\n" \
    "  green: {endpoints: [http://127.0.0.1:2]}\n"
#define ROUTES "routes: [{name: chat, variants: {all: {pool: blue}}}]\n"
