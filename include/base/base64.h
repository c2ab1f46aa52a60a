// base64: bytes as text of 64 characters, with "+", "/" and padding (RFC 4648 4). Pure; any thread.
#pragma once
#include "base/slice.h"
#include "base/strbuf.h"

void base64_write(struct slice bytes, struct strbuf *out);

// What a letter of the alphabet stands for; -1: it is none.
int base64_digit(char c);
// The most bytes that a text of this length stands for.
#define BASE64_BYTES(len) ((len) / 4 * 3)
// Into `bytes`, which has room for BASE64_BYTES(text.len). False: it is not base64, as an encoder writes it
// (whole groups, padding at the end only, the bits that stand for nothing are zero).
bool base64_read(struct slice text, char *bytes, size_t *len);
