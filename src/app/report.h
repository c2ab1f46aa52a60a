// report: the A/B report, for people, from the API's JSON (docs/api.md). Appended to a text.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

void report_write(struct strbuf *out, const json_t *report);
