// chat: /v1/chat/completions and /v1/completions of a simulated model server, whole or as server-sent events.
#pragma once
#include "answer.h"
#include <jansson.h>

// `body` is borrowed; NULL when the request's was not JSON. The answer is taken care of from here on.
void chat_answer(struct answer *answer, const json_t *body, bool chat);
