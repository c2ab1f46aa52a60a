#include "chat.h"

#include "base/mem.h"
#include "completion.h"

#define BAD_REQUEST "invalid_request_error"

// A stream under way: the answer's work.
struct reply {
    struct question *question;
    unsigned sent; // tokens
};

static void reply_free(void *memory) {
    struct reply *reply = memory;
    question_free(reply->question);
    mem_free(reply);
}

static void send_chunk(struct answer *answer, void (*write)(const struct question *question,
                                                            const char *server, struct strbuf *out)) {
    const struct reply *reply = answer->work;
    strbuf_literal(&answer->body, "data: ");
    write(reply->question, answer->model->name, &answer->body);
    strbuf_literal(&answer->body, "\n\n");
    answer_stream_piece(answer);
}

static void send_token(struct answer *answer) {
    struct reply *reply = answer->work;
    strbuf_literal(&answer->body, "data: ");
    completion_token(reply->question, answer->model->name, reply->sent++, &answer->body);
    strbuf_literal(&answer->body, "\n\n");
    answer_stream_piece(answer);
}

static void finish(struct answer *answer) {
    const struct reply *reply = answer->work;
    send_chunk(answer, completion_finish);
    if (reply->question->include_usage)
        send_chunk(answer, completion_usage);
    strbuf_literal(&answer->body, "data: [DONE]\n\n");
    answer_stream_piece(answer);
    answer_stream_end(answer);
}

static void next_token(struct answer *answer) {
    const struct reply *reply = answer->work;
    if (reply->sent < reply->question->tokens)
        send_token(answer);
    if (reply->sent < reply->question->tokens)
        answer_after(answer, answer->model->token_delay_us, next_token);
    else
        finish(answer);
}

static void first_byte(struct answer *answer) {
    const struct reply *reply = answer->work;
    if (!reply->question->stream) {
        completion_whole(reply->question, answer->model->name, &answer->body);
        answer_send(answer, 200, "application/json");
        return;
    }
    answer_stream_begin(answer, "text/event-stream; charset=utf-8");
    send_chunk(answer, completion_role);
    answer_after(answer, reply->question->tokens ? answer->model->token_delay_us : 0, next_token);
}

void chat_answer(struct answer *answer, const json_t *body, bool chat) {
    const char *why;
    struct question *question = question_read(answer->model, chat, body, &why);
    if (!question) {
        answer_error(answer, 400, BAD_REQUEST, why);
        return;
    }
    struct reply *reply = mem_zero(1, sizeof *reply);
    reply->question = question;
    answer->work = reply;
    answer->work_free = reply_free;
    answer_after(answer, model_latency(answer->model), first_byte);
}
