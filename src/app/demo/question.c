#include "question.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

static const char *const words[] = {
    "A",       " sluice", " lets",  " a",      " little", " water", " through", " first,", " and", " looks",
    " at",     " what",   " comes", " out.",   " If",     " it",    " is",      " clear,", " the", " gate",
    " rises;", " if",     " not,",  " it",     " falls",  " at",    " once.",   " Those",  " who", " drank",
    " from",   " the",    " new",   " stream", " keep",   " to",    " it",      " while",  " the", " gate",
    " stands", " where",  " it",    " stood.", " So",     " the",   " village", " learns", " of",  " a",
    " bad",    " spring", " from",  " one",    " cup.",
};
#define WORDS (sizeof words / sizeof *words)

const char *question_token(unsigned i) {
    return i < WORDS ? words[i] : i % WORDS == 0 ? " A" : words[i % WORDS];
}

unsigned question_count(const char *text) {
    unsigned count = 0;
    for (text += strspn(text, " \t\r\n"); *text; text += strspn(text, " \t\r\n")) {
        text += strcspn(text, " \t\r\n");
        count++;
    }
    return count;
}

// Text, or an array of texts or of parts {"type": "text", "text": …}.
static unsigned count_content(const json_t *content) {
    unsigned count = 0;
    size_t i;
    json_t *part;
    if (json_is_string(content))
        return question_count(json_string_value(content));
    if (!json_is_array(content))
        return 0;
    json_array_foreach(content, i, part) {
        const json_t *text = json_is_object(part) ? json_object_get(part, "text") : part;
        if (json_is_string(text))
            count += question_count(json_string_value(text));
    }
    return count;
}

static bool count_messages(const json_t *messages, unsigned *count, const char **why) {
    size_t i;
    json_t *message;
    if (!json_is_array(messages) || json_array_size(messages) == 0) {
        *why = "'messages' must be a list with at least one message";
        return false;
    }
    json_array_foreach(messages, i, message) {
        if (!json_is_string(json_object_get(message, "role"))) {
            *why = "every message must be an object with a 'role'";
            return false;
        }
        *count += count_content(json_object_get(message, "content"));
    }
    return true;
}

static bool count_prompt(const json_t *body, bool chat, unsigned *count, const char **why) {
    const json_t *prompt = json_object_get(body, "prompt");
    if (chat)
        return count_messages(json_object_get(body, "messages"), count, why);
    *count = count_content(prompt);
    *why = "'prompt' must be a text or a list of texts";
    return json_is_string(prompt) || json_is_array(prompt);
}

// Absent and null leave *tokens; the newer name wins.
static bool limit_tokens(const json_t *body, struct question *question, const char **why) {
    const json_t *limit = json_object_get(body, "max_completion_tokens");
    if (!limit || json_is_null(limit))
        limit = json_object_get(body, "max_tokens");
    if (!limit || json_is_null(limit))
        return true;
    *why = "'max_tokens' must be a whole number of at least 1";
    if (!json_is_integer(limit) || json_integer_value(limit) < 1)
        return false;
    if (json_integer_value(limit) < (json_int_t)question->tokens) {
        question->tokens = (unsigned)json_integer_value(limit);
        question->cut = true;
    }
    return true;
}

static bool read_fields(struct question *question, const json_t *body, const char **why) {
    const json_t *model = json_object_get(body, "model"), *choices = json_object_get(body, "n");
    if (model && !json_is_string(model)) {
        *why = "'model' must be a text";
        return false;
    }
    if (choices && !json_is_null(choices) && json_integer_value(choices) != 1) {
        *why = "'n' must be 1: this server gives one choice";
        return false;
    }
    if (model) {
        mem_free(question->model);
        question->model = mem_copy_string(json_string_value(model));
    }
    question->stream = json_is_true(json_object_get(body, "stream"));
    question->include_usage =
        json_is_true(json_object_get(json_object_get(body, "stream_options"), "include_usage"));
    return count_prompt(body, question->chat, &question->prompt_tokens, why) &&
           limit_tokens(body, question, why);
}

struct question *question_read(struct model *model, bool chat, const json_t *body, const char **why) {
    struct question *question = mem_zero(1, sizeof *question);
    question->chat = chat;
    question->model = mem_copy_string(model->id);
    question->tokens = model->tokens;
    question->created = clock_wall_ms() / 1000;
    snprintf(question->id, sizeof question->id, "%s-%016llx", chat ? "chatcmpl" : "cmpl",
             (unsigned long long)random_next(&model->random));
    *why = "the body must be a JSON object";
    if (json_is_object(body) && read_fields(question, body, why))
        return question;
    question_free(question);
    return NULL;
}

void question_free(void *memory) {
    struct question *question = memory;
    mem_free(question->model);
    mem_free(question);
}
