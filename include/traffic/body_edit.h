// body_edit: what a variant changes in the JSON body of its requests, and what is added to one so that a
// stream tells its tokens. Pure; any thread.
//
// The system prompt goes where the API has it, known by the end of the path: `system` for Anthropic's
// …/messages, `instructions` for OpenAI's …/responses; elsewhere, where the body has an array `messages`,
// into its first message when that is one of the role `system` or `developer`, else into a message in front
// of it. A body that has no place for a system prompt (embeddings, completions) keeps being without one.
#pragma once
#include "base/strbuf.h"
#include "config/config.h"
#include "http/head.h"
#include "http/rewrite.h"

// NULL edit: nothing is wanted.
bool body_edit_wanted(const struct request_edit_config *edit);
// Whether the body of that head is JSON, by its Content-Type; also when it does not say.
bool body_edit_applies(const struct head *head);
// Whether the body has a content coding, and cannot be read.
bool body_edit_coded(const struct head *head);
// Writes the edited body; on any other result than REWRITE_DONE `out` is as it was. `path` has no query.
enum rewrite_result body_edit(const struct request_edit_config *edit, struct slice path, struct slice body,
                              struct strbuf *out);

// Whether requests of that path may stream without telling their tokens: OpenAI's …/completions.
bool body_edit_may_stream(struct slice path);
// The body with `stream_options.include_usage` set. False: the request does not stream, asks for it anyway,
// or is none that is understood; `out` is as it was.
bool body_edit_ask_usage(struct slice body, struct strbuf *out);
