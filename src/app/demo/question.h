// question: what a client asked a model for, read from the JSON body of /v1/chat/completions or
// /v1/completions. Owner: the answer's work; one thread.
#pragma once
#include "model.h"
#include <jansson.h>

struct question {
    bool chat;        // else a plain completion
    char *model;      // as asked for: what an edit of the request changes shows in the answer
    char id[48];      // of the answer
    uint64_t created; // Unix time
    unsigned prompt_tokens;
    unsigned tokens; // of the answer
    bool cut;        // by max_tokens: finish_reason "length"
    bool stream, include_usage;
};

// NULL when the body is not what the API wants; *why then says so in a sentence.
struct question *question_read(struct model *model, bool chat, const json_t *body, const char **why);
void question_free(void *memory); // a struct question *
// The answer's i-th token, with the space before it.
const char *question_token(unsigned i);
// How many tokens a text has, for the usage.
unsigned question_count(const char *text);
