// completion: the JSON of what a model answers, whole or in chunks, as OpenAI's API has it. Pure.
#pragma once
#include "base/strbuf.h"
#include "question.h"

// The whole answer.
void completion_whole(const struct question *question, const char *server, struct strbuf *out);
// One chunk of a stream, as JSON without its "data: ".
void completion_role(const struct question *question, const char *server, struct strbuf *out);
void completion_token(const struct question *question, const char *server, unsigned i, struct strbuf *out);
void completion_finish(const struct question *question, const char *server, struct strbuf *out);
void completion_usage(const struct question *question, const char *server, struct strbuf *out);
