// answer: one request to a simulated model server, from its arrival until its answer has been written or its
// client has gone. Frees itself then; a handler never does. One thread.
#pragma once
#include "base/strbuf.h"
#include "model.h"
#include <event2/http.h>

struct answer {
    struct model *model;
    struct evhttp_request *request;
    int status;         // 0: nothing has been sent yet
    struct strbuf body; // of answer_send; the handler's to fill before
    bool stream;        // answer_stream_* is in use
    void *work;         // a handler's own state, released with work_free
    void (*work_free)(void *work);
    // private
    struct event *timer, *hangup;
    void (*wake)(struct answer *answer);
    uint64_t begun_ns;
};

struct answer *answer_begin(struct model *model, struct evhttp_request *request);
// Calls `wake` after the delay, unless the client goes away before.
void answer_after(struct answer *answer, uint64_t delay_us, void (*wake)(struct answer *answer));
// Sends answer->body as the whole answer. With HEAD only its length.
void answer_send(struct answer *answer, int status, const char *content_type);
// The same with bytes that are moved out of `bytes`.
void answer_send_bytes(struct answer *answer, int status, const char *content_type, struct evbuffer *bytes);
// An error as OpenAI writes it: {"error": {"message", "type", "param", "code"}}.
void answer_error(struct answer *answer, int status, const char *type, const char *message);
void answer_header(struct answer *answer, const char *name, const char *value); // before the first byte
// A body in pieces: begin, any number of pieces (answer->body, emptied by it), end.
void answer_stream_begin(struct answer *answer, const char *content_type);
void answer_stream_piece(struct answer *answer);
void answer_stream_end(struct answer *answer);
