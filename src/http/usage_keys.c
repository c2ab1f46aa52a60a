#include "usage_keys.h"

static const struct skim_key usage_keys[] = {
    SKIM_VALUE("prompt_tokens", ID_PROMPT),         SKIM_VALUE("input_tokens", ID_PROMPT),
    SKIM_VALUE("completion_tokens", ID_COMPLETION), SKIM_VALUE("output_tokens", ID_COMPLETION),
    SKIM_VALUE("total_tokens", ID_TOTAL),           SKIM_END,
};
static const struct skim_key details_keys[] = {
    SKIM_VALUE("input_length", ID_PROMPT),
    SKIM_VALUE("generated_tokens", ID_COMPLETION),
    SKIM_VALUE("finish_reason", ID_FINISH),
    SKIM_END,
};
static const struct skim_key incomplete_keys[] = {SKIM_VALUE("reason", ID_REASON), SKIM_END};
static const struct skim_key message_keys[] = {SKIM_INSIDE("usage", ID_USAGE, usage_keys), SKIM_END};
static const struct skim_key response_keys[] = {
    SKIM_INSIDE("usage", ID_USAGE, usage_keys),
    SKIM_VALUE("error", ID_ERROR),
    SKIM_VALUE("status", ID_STATUS),
    SKIM_INSIDE("incomplete_details", ID_ENVELOPE, incomplete_keys),
    SKIM_END,
};
static const struct skim_key token_keys[] = {SKIM_VALUE("text", ID_TEXT), SKIM_END};
static const struct skim_key call_keys[] = {SKIM_END};
// text, partial_json and thinking are Anthropic's, reasoning_content and reasoning vLLM's.
#define CONTENT_KEYS                                                                                  \
    SKIM_VALUE("content", ID_TEXT), SKIM_VALUE("text", ID_TEXT), SKIM_VALUE("partial_json", ID_TEXT), \
        SKIM_VALUE("thinking", ID_TEXT), SKIM_VALUE("reasoning_content", ID_TEXT),                    \
        SKIM_VALUE("reasoning", ID_TEXT), SKIM_VALUE("refusal", ID_TEXT),                             \
        SKIM_VALUE("function_call", ID_CALL), SKIM_VALUE("audio", ID_CALL),                           \
        SKIM_ELEMENTS("tool_calls", ID_CALL, call_keys)
// Of a choice, and of an event itself (Anthropic), where it may also say why it ended.
static const struct skim_key choice_delta_keys[] = {CONTENT_KEYS, SKIM_END};
static const struct skim_key delta_keys[] = {CONTENT_KEYS, SKIM_VALUE("stop_reason", ID_FINISH), SKIM_END};
static const struct skim_key choice_keys[] = {
    SKIM_INSIDE("delta", ID_DELTA, choice_delta_keys),
    SKIM_VALUE("text", ID_TEXT), // completions
    SKIM_VALUE("finish_reason", ID_FINISH),
    SKIM_END,
};
static const struct skim_key answer_keys[] = {SKIM_VALUE("finish_reason", ID_FINISH), SKIM_END};
const struct skim_key usage_body_keys[] = {
    SKIM_INSIDE("usage", ID_USAGE, usage_keys),
    SKIM_INSIDE("details", ID_USAGE, details_keys),
    SKIM_ELEMENTS("choices", ID_CHOICES, answer_keys),
    SKIM_VALUE("stop_reason", ID_FINISH),
    SKIM_VALUE("status", ID_STATUS),
    SKIM_INSIDE("incomplete_details", ID_ENVELOPE, incomplete_keys),
    SKIM_END,
};
// Of an event while the shape is not known, and of each shape: just what may_tell looks for, so that it does
// not matter which events come in one piece.
static const struct skim_key event_keys[] = {
    SKIM_INSIDE("usage", ID_USAGE, usage_keys),
    SKIM_INSIDE("details", ID_USAGE, details_keys),
    SKIM_INSIDE("message", ID_ENVELOPE, message_keys),
    SKIM_INSIDE("response", ID_ENVELOPE, response_keys),
    SKIM_ELEMENTS("choices", ID_CHOICES, choice_keys),
    SKIM_INSIDE("delta", ID_DELTA, delta_keys),
    SKIM_INSIDE("token", ID_TOKEN, token_keys),
    SKIM_VALUE("generated_text", ID_OVER),
    SKIM_VALUE("error", ID_ERROR),
    SKIM_VALUE("error_type", ID_ERROR_TYPE),
    SKIM_VALUE("type", ID_TYPE),
    SKIM_END,
};
static const struct skim_key choices_event_keys[] = {
    SKIM_INSIDE("usage", ID_USAGE, usage_keys),
    SKIM_ELEMENTS("choices", ID_CHOICES, choice_keys),
    SKIM_VALUE("error", ID_ERROR),
    SKIM_VALUE("error_type", ID_ERROR_TYPE),
    SKIM_END,
};
static const struct skim_key typed_event_keys[] = {
    SKIM_INSIDE("usage", ID_USAGE, usage_keys),
    SKIM_INSIDE("message", ID_ENVELOPE, message_keys),
    SKIM_INSIDE("response", ID_ENVELOPE, response_keys),
    SKIM_INSIDE("delta", ID_DELTA, delta_keys),
    SKIM_VALUE("error", ID_ERROR),
    SKIM_VALUE("type", ID_TYPE),
    SKIM_END,
};
static const struct skim_key token_event_keys[] = {
    SKIM_INSIDE("details", ID_USAGE, details_keys), SKIM_INSIDE("token", ID_TOKEN, token_keys),
    SKIM_VALUE("generated_text", ID_OVER),          SKIM_VALUE("error", ID_ERROR),
    SKIM_VALUE("error_type", ID_ERROR_TYPE),        SKIM_END,
};
const struct usage_event_keys usage_event_keys[] = {
    [SHAPE_UNKNOWN] = {event_keys, ""},
    [SHAPE_CHOICES] = {choices_event_keys, "uef"},
    [SHAPE_TYPED] = {typed_event_keys, "ues"},
    [SHAPE_TOKEN] = {token_event_keys, "deg"},
};
