#include "caller.h"

#include "base/mem.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <string.h>

#define TIMEOUT_SECONDS 5

struct caller {
    struct evhttp_connection *connection;
    void (*done)(const json_t *json, void *context); // NULL: nothing is under way
    void *context;
};

struct caller *caller_new(struct event_base *base, unsigned port) {
    struct caller *caller = mem_zero(1, sizeof *caller);
    caller->connection = evhttp_connection_base_new(base, NULL, "127.0.0.1", (uint16_t)port);
    must(caller->connection != NULL);
    evhttp_connection_set_timeout(caller->connection, TIMEOUT_SECONDS);
    return caller;
}

void caller_free(struct caller *caller) {
    if (!caller)
        return;
    evhttp_connection_free(caller->connection);
    mem_free(caller);
}

bool caller_busy(const struct caller *caller) {
    return caller->done != NULL;
}

static json_t *read_json(struct evhttp_request *request) {
    if (!request || evhttp_request_get_response_code(request) != 200)
        return NULL;
    struct evbuffer *bytes = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(bytes);
    const char *text = (const char *)evbuffer_pullup(bytes, -1);
    return text ? json_loadb(text, len, 0, NULL) : NULL;
}

static void on_done(struct evhttp_request *request, void *context) {
    struct caller *caller = context;
    void (*done)(const json_t *json, void *given) = caller->done;
    json_t *json = read_json(request);
    caller->done = NULL;
    done(json, caller->context);
    json_decref(json);
}

void caller_ask(struct caller *caller, const char *path, const char *body,
                void (*done)(const json_t *json, void *context), void *context) {
    if (caller_busy(caller))
        return;
    struct evhttp_request *request = evhttp_request_new(on_done, caller);
    must(request != NULL);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Host", "localhost");
    caller->done = done;
    caller->context = context;
    if (body) {
        evhttp_add_header(headers, "Content-Type", "application/json");
        evbuffer_add(evhttp_request_get_output_buffer(request), body, strlen(body));
    }
    if (evhttp_make_request(caller->connection, request, body ? EVHTTP_REQ_POST : EVHTTP_REQ_GET, path) != 0)
        on_done(NULL, caller);
}
