// status_text: the daemon's status, for people, from the API's JSON (docs/api.md). Appended to a text, with
// colours where stdout has them.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

void status_text_whole(struct strbuf *out, const json_t *root);  // of /api/v1/status
void status_text_daemon(struct strbuf *out, const json_t *root); // its first lines
void status_text_route(struct strbuf *out, const json_t *route); // after an empty line; one of `routes`
void status_text_pool(struct strbuf *out, const json_t *pool);   // the same of `pools`
