// plain: what a simulated model server answers besides its API, for tests of a proxy: bytes, an echo, the
// headers that arrived, its health, and its own settings and counters.
#pragma once
#include "answer.h"
#include <jansson.h>

void plain_health(struct answer *answer);
void plain_models(struct answer *answer);
void plain_bytes(struct answer *answer, const char *count); // of /b/N
void plain_echo(struct answer *answer);
void plain_headers(struct answer *answer);
void plain_settings(struct answer *answer);                   // GET /simulate
void plain_change(struct answer *answer, const json_t *body); // POST /simulate
