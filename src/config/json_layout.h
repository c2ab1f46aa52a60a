// json_layout: JSON text made readable: two spaces a level, and what fits a line stays on it. A comma may be
// missing between two values or stand behind the last one; `'` outside strings counts as `"`.
#pragma once
#include "base/strbuf.h"

void json_layout(struct slice text, struct strbuf *out);
