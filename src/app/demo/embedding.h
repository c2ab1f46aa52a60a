// embedding: /v1/embeddings of a simulated model server: the same text always has the same vector.
#pragma once
#include "answer.h"
#include <jansson.h>

// `body` is borrowed; NULL when the request's was not JSON. The answer is taken care of from here on.
void embedding_answer(struct answer *answer, const json_t *body);
