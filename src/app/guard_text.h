// guard_text: the judgement of one guard, signal, limit or goal, for people, from the API's JSON
// (docs/api.md). Appended to a text, with colours where stdout has them.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

void guard_text_verdict(struct strbuf *out, const json_t *guard); // in its colour
void guard_text_line(struct strbuf *out, const json_t *guard);    // name, verdict and why in one line
void guard_text_whole(struct strbuf *out, const json_t *guard);   // with counts, estimates and e-values
