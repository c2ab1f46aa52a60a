#include "completion.h"

#include "control/emit.h"

// Opens the object and writes what every answer and chunk begins with.
static void open_answer(struct emit *emit, const struct question *question, const char *server, bool chunk) {
    const char *object = chunk ? "chat.completion.chunk" : "chat.completion";
    emit_object(emit);
    emit_text(emit_name(emit, "id"), question->id);
    emit_text(emit_name(emit, "object"), question->chat ? object : "text_completion");
    emit_u64(emit_name(emit, "created"), question->created);
    emit_text(emit_name(emit, "model"), question->model);
    emit_text(emit_name(emit, "system_fingerprint"), server);
}

static void write_usage(struct emit *emit, const struct question *question) {
    emit_object(emit_name(emit, "usage"));
    emit_u64(emit_name(emit, "prompt_tokens"), question->prompt_tokens);
    emit_u64(emit_name(emit, "completion_tokens"), question->tokens);
    emit_u64(emit_name(emit, "total_tokens"), (uint64_t)question->prompt_tokens + question->tokens);
    emit_end(emit, '}');
}

static void open_choice(struct emit *emit) {
    emit_array(emit_name(emit, "choices"));
    emit_object(emit);
    emit_u64(emit_name(emit, "index"), 0);
}

static void close_choice(struct emit *emit, const char *finish_reason) {
    emit_null(emit_name(emit, "logprobs"));
    emit_text(emit_name(emit, "finish_reason"), finish_reason);
    emit_end(emit, '}');
    emit_end(emit, ']');
}

static const char *reason(const struct question *question) {
    return question->cut ? "length" : "stop";
}

void completion_whole(const struct question *question, const char *server, struct strbuf *out) {
    struct emit emit = {.out = out};
    struct strbuf text = {0};
    for (unsigned i = 0; i < question->tokens; i++)
        strbuf_string(&text, question_token(i));
    open_answer(&emit, question, server, false);
    open_choice(&emit);
    if (question->chat) {
        emit_object(emit_name(&emit, "message"));
        emit_text(emit_name(&emit, "role"), "assistant");
        emit_text(emit_name(&emit, "content"), strbuf_text(&text));
        emit_null(emit_name(&emit, "refusal"));
        emit_end(&emit, '}');
    } else {
        emit_text(emit_name(&emit, "text"), strbuf_text(&text));
    }
    close_choice(&emit, reason(question));
    write_usage(&emit, question);
    emit_end(&emit, '}');
    strbuf_free(&text);
}

// One chunk with one choice; `content` NULL: its delta is empty.
static void chunk(const struct question *question, const char *server, const char *content, bool role,
                  const char *finish_reason, struct strbuf *out) {
    struct emit emit = {.out = out};
    open_answer(&emit, question, server, true);
    open_choice(&emit);
    if (question->chat) {
        emit_object(emit_name(&emit, "delta"));
        if (role)
            emit_text(emit_name(&emit, "role"), "assistant");
        if (content)
            emit_text(emit_name(&emit, "content"), content);
        emit_end(&emit, '}');
    } else {
        emit_text(emit_name(&emit, "text"), content ? content : "");
    }
    close_choice(&emit, finish_reason);
    if (question->include_usage)
        emit_null(emit_name(&emit, "usage"));
    emit_end(&emit, '}');
}

void completion_role(const struct question *question, const char *server, struct strbuf *out) {
    chunk(question, server, "", true, NULL, out);
}

void completion_token(const struct question *question, const char *server, unsigned i, struct strbuf *out) {
    chunk(question, server, question_token(i), false, NULL, out);
}

void completion_finish(const struct question *question, const char *server, struct strbuf *out) {
    chunk(question, server, NULL, false, reason(question), out);
}

void completion_usage(const struct question *question, const char *server, struct strbuf *out) {
    struct emit emit = {.out = out};
    open_answer(&emit, question, server, true);
    emit_array(emit_name(&emit, "choices"));
    emit_end(&emit, ']');
    write_usage(&emit, question);
    emit_end(&emit, '}');
}
