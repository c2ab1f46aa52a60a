// roff: text for manual pages (mdoc). Words in `…` become bold, each sentence begins a line, lines are short,
// and nothing is mistaken for a request. Pure.
#pragma once
#include "base/strbuf.h"

#define ROFF_DATE "November 29, 2026" // of the manual pages

void roff_text(struct strbuf *out, const char *text);  // ends with a line's end
void roff_word(struct strbuf *out, const char *text);  // within a line: escaped alone
void roff_lines(struct strbuf *out, const char *text); // as it stands, line by line (.Bd -literal)
