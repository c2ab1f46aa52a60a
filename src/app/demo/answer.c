#include "answer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/emit.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>

static const char *phrase(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 500:
        return "Internal Server Error";
    default:
        return "Error";
    }
}

static const char *method_name(struct evhttp_request *request) {
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_HEAD:
        return "HEAD";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_PATCH:
        return "PATCH";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    default:
        return "OTHER";
    }
}

static void write_log(const struct answer *answer, bool aborted) {
    struct strbuf line = {0};
    struct emit emit = {.out = &line};
    struct evkeyvalq *headers = evhttp_request_get_input_headers(answer->request);
    emit_object(&emit);
    emit_text(emit_name(&emit, "method"), method_name(answer->request));
    emit_text(emit_name(&emit, "target"), evhttp_request_get_uri(answer->request));
    emit_text(emit_name(&emit, "request_id"), evhttp_find_header(headers, "X-Request-Id"));
    emit_u64(emit_name(&emit, "status"), (uint64_t)answer->status);
    emit_bool(emit_name(&emit, "stream"), answer->stream);
    emit_bool(emit_name(&emit, "aborted"), aborted);
    emit_number(emit_name(&emit, "ms"), (double)(clock_monotonic_ns() - answer->begun_ns) / NS_PER_MS, 3);
    emit_end(&emit, '}');
    fprintf(answer->model->log, "%s\n", strbuf_text(&line));
    strbuf_free(&line);
}

static void answer_free(struct answer *answer, bool aborted) {
    struct model *model = answer->model;
    if (model->log)
        write_log(answer, aborted);
    if (aborted)
        model->aborted++;
    model->active--;
    event_free(answer->timer);
    event_free(answer->hangup);
    if (answer->work)
        answer->work_free(answer->work);
    strbuf_free(&answer->body);
    mem_free(answer);
    if (model->draining && model->active == 0)
        event_base_loopexit(model->base, NULL);
}

// The whole answer has been handed to the kernel.
static void on_complete(struct evhttp_request *request, void *context) {
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
    answer_free(context, false);
}

// evhttp frees the request with its connection, unless it has cut the two apart: then it is ours to free.
static void on_close(struct evhttp_connection *connection, void *context) {
    struct answer *answer = context;
    struct evhttp_request *request = answer->request;
    evhttp_connection_set_closecb(connection, NULL, NULL);
    answer_free(answer, true);
    if (!evhttp_request_get_connection(request))
        evhttp_request_free(request);
}

// The client has closed its side. evhttp does not read while it answers, so it would only notice by writing.
static void on_hangup(evutil_socket_t fd, short what, void *context) {
    struct answer *answer = context;
    (void)fd, (void)what;
    evhttp_connection_free(evhttp_request_get_connection(answer->request)); // on_close follows
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    struct answer *answer = context;
    (void)fd, (void)what;
    answer->wake(answer);
}

struct answer *answer_begin(struct model *model, struct evhttp_request *request) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct answer *answer = mem_zero(1, sizeof *answer);
    answer->model = model;
    answer->request = request;
    answer->begun_ns = clock_monotonic_ns();
    answer->timer = evtimer_new(model->base, on_timer, answer);
    answer->hangup = event_new(model->base, bufferevent_getfd(evhttp_connection_get_bufferevent(connection)),
                               EV_CLOSED, on_hangup, answer);
    must(answer->timer && answer->hangup);
    event_add(answer->hangup, NULL);
    model->requests++;
    model->active++;
    evhttp_connection_set_closecb(connection, on_close, answer);
    evhttp_request_set_on_complete_cb(request, on_complete, answer);
    answer_header(answer, "X-Model-Server", model->name);
    if (model->draining)
        answer_header(answer, "Connection", "close");
    return answer;
}

void answer_after(struct answer *answer, uint64_t delay_us, void (*wake)(struct answer *answer)) {
    struct timeval delay = {.tv_sec = (time_t)(delay_us / 1000000),
                            .tv_usec = (suseconds_t)(delay_us % 1000000)};
    answer->wake = wake;
    evtimer_add(answer->timer, &delay);
}

void answer_header(struct answer *answer, const char *name, const char *value) {
    evhttp_add_header(evhttp_request_get_output_headers(answer->request), name, value);
}

// From here on the connection belongs to evhttp's writing: a hang-up is noticed there.
void answer_send_bytes(struct answer *answer, int status, const char *content_type, struct evbuffer *bytes) {
    char length[24];
    answer->status = status;
    answer_header(answer, "Content-Type", content_type);
    if (evhttp_request_get_command(answer->request) == EVHTTP_REQ_HEAD) {
        evutil_snprintf(length, sizeof length, "%zu", evbuffer_get_length(bytes));
        answer_header(answer, "Content-Length", length);
        evbuffer_drain(bytes, evbuffer_get_length(bytes));
    }
    evhttp_send_reply(answer->request, status, phrase(status), bytes);
}

static struct evbuffer *body_bytes(struct answer *answer) {
    struct evbuffer *bytes = evbuffer_new();
    must(bytes && evbuffer_add(bytes, answer->body.at, answer->body.len) == 0);
    strbuf_clear(&answer->body);
    return bytes;
}

void answer_send(struct answer *answer, int status, const char *content_type) {
    struct evbuffer *bytes = body_bytes(answer);
    answer_send_bytes(answer, status, content_type, bytes);
    evbuffer_free(bytes);
}

void answer_error(struct answer *answer, int status, const char *type, const char *message) {
    struct emit emit = {.out = &answer->body};
    strbuf_clear(&answer->body);
    emit_object(&emit);
    emit_object(emit_name(&emit, "error"));
    emit_text(emit_name(&emit, "message"), message);
    emit_text(emit_name(&emit, "type"), type);
    emit_null(emit_name(&emit, "param"));
    emit_null(emit_name(&emit, "code"));
    emit_end(&emit, '}');
    emit_end(&emit, '}');
    answer_send(answer, status, "application/json");
}

void answer_stream_begin(struct answer *answer, const char *content_type) {
    answer->stream = true;
    answer->status = 200;
    answer_header(answer, "Content-Type", content_type);
    answer_header(answer, "Cache-Control", "no-cache");
    evhttp_send_reply_start(answer->request, 200, phrase(200));
}

void answer_stream_piece(struct answer *answer) {
    struct evbuffer *bytes = body_bytes(answer);
    evhttp_send_reply_chunk(answer->request, bytes);
    evbuffer_free(bytes);
}

void answer_stream_end(struct answer *answer) {
    evhttp_send_reply_end(answer->request);
}
