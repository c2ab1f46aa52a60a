// redact: text that may be shown: what is secret in it is replaced by "***". Pure; any thread.
#pragma once
#include "base/slice.h"
#include "base/strbuf.h"

// A request's target, or a URL, as a log may have it: without the values of query parameters whose names say
// that they are secret (key, api_key, token, password, signature …, in any spelling), and without
// "user:password@". False, and nothing is written: it may be shown as it is.
bool redact_target(struct slice target, struct strbuf *out);

// A URL of which only where it leads may be shown: scheme, host and port. The paths of webhooks are secrets.
void redact_url(struct slice url, struct strbuf *out);

// Text that quotes a value which came from elsewhere: every whole occurrence of the value, and one that was
// cut short before a quotation mark or the end, becomes `${name}`. Values of fewer than REDACT_LEAST bytes
// stay. In place of the text, which is a string of at most `size` bytes with its end.
#define REDACT_LEAST 6
void redact_value(char *text, size_t size, const char *name, const char *value);
