// zip: a text as gzip (RFC 1952), in one piece, as small as it gets. For what is sent often and made once.
#pragma once
#include "base/slice.h"
#include "base/strbuf.h"

// The same bytes for the same text: no name and no time are in it.
void zip_text(struct slice text, struct strbuf *out); // appended
