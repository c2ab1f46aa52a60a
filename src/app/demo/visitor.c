#include "visitor.h"

#include "base/clock.h"
#include "base/mem.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_SECONDS 30
#define END             "data: [DONE]\n\n"

// Of several lengths: what an answer costs begins with what was asked.
static const char *const questions[] = {
    "How does a sluice work?",
    "And why?",
    "What becomes of those who were on the new version when it is taken back to nothing?",
    "How many requests does it take until a new version is known to be no worse than the old one?",
};
#define QUESTIONS (sizeof questions / sizeof *questions)

void visitor_name(unsigned user, char name[VISITOR_NAME]) {
    snprintf(name, VISITOR_NAME, "user-%u", user + 1);
}

struct visitor *visitor_new(struct event_base *base, const char *host, unsigned port,
                            void (*done)(struct visitor *visitor, const struct witness_visit *visit,
                                         void *context),
                            void *context) {
    struct visitor *visitor = mem_zero(1, sizeof *visitor);
    visitor->connection = evhttp_connection_base_new(base, NULL, host, (uint16_t)port);
    must(visitor->connection != NULL);
    evhttp_connection_set_timeout(visitor->connection, TIMEOUT_SECONDS);
    evhttp_connection_set_retries(visitor->connection, 0);
    visitor->done = done;
    visitor->context = context;
    return visitor;
}

void visitor_free(struct visitor *visitor) {
    list_remove(&visitor->all);
    list_remove(&visitor->idle);
    evhttp_connection_free(visitor->connection);
    mem_free(visitor);
}

// Keeps the last bytes: they tell a stream that ended from one that was cut.
static void keep_tail(struct visitor *visitor, struct evbuffer *bytes) {
    char joined[sizeof visitor->tail * 2];
    size_t room = sizeof visitor->tail, len = evbuffer_get_length(bytes);
    if (len > room)
        evbuffer_drain(bytes, len - room);
    memcpy(joined, visitor->tail, visitor->tail_len);
    ssize_t taken = evbuffer_remove(bytes, joined + visitor->tail_len, room);
    size_t have = visitor->tail_len + (taken > 0 ? (size_t)taken : 0), kept = have < room ? have : room;
    memcpy(visitor->tail, joined + have - kept, kept);
    visitor->tail_len = kept;
}

static void on_piece(struct evhttp_request *request, void *context) {
    struct visitor *visitor = context;
    if (!visitor->first_byte_ns)
        visitor->first_byte_ns = clock_monotonic_ns();
    keep_tail(visitor, evhttp_request_get_input_buffer(request));
}

static bool is_whole(const struct visitor *visitor, struct evhttp_request *request) {
    size_t len = sizeof END - 1;
    if (!visitor->stream)
        return evbuffer_get_length(evhttp_request_get_input_buffer(request)) > 0;
    return visitor->tail_len >= len && memcmp(visitor->tail + visitor->tail_len - len, END, len) == 0;
}

// `request` is NULL, or has no status, when no answer came.
static void on_done(struct evhttp_request *request, void *context) {
    struct visitor *visitor = context;
    int status = request ? evhttp_request_get_response_code(request) : 0;
    uint64_t now = clock_monotonic_ns();
    struct witness_visit visit = {.user = visitor->user, .stream = visitor->stream, .status = status};
    if (status)
        visit.variant = evhttp_find_header(evhttp_request_get_input_headers(request), "X-Sluice-Variant");
    visit.good = status == 200 && is_whole(visitor, request);
    visit.duration_us =
        ((visitor->stream && visitor->first_byte_ns ? visitor->first_byte_ns : now) - visitor->begun_ns) /
        1000;
    visitor->idle_since_ns = now;
    visitor->done(visitor, &visit, visitor->context);
}

void visitor_ask(struct visitor *visitor, unsigned user, unsigned question, bool stream, uint64_t now_ns) {
    char name[VISITOR_NAME];
    struct evhttp_request *request = evhttp_request_new(on_done, visitor);
    must(request != NULL);
    list_remove(&visitor->idle);
    visitor->user = user;
    visitor->stream = stream;
    visitor->begun_ns = now_ns;
    visitor->first_byte_ns = 0;
    visitor->tail_len = 0;
    visitor_name(user, name);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Host", "demo.example");
    evhttp_add_header(headers, "Content-Type", "application/json");
    evhttp_add_header(headers, "X-User-Id", name);
    evbuffer_add_printf(evhttp_request_get_output_buffer(request),
                        "{\"model\":\"demo\",%s\"messages\":[{\"role\":\"user\",\"content\":"
                        "\"%s\"}]}",
                        stream ? "\"stream\":true,\"stream_options\":{\"include_usage\":true}," : "",
                        questions[question % QUESTIONS]);
    if (stream)
        evhttp_request_set_chunked_cb(request, on_piece);
    if (evhttp_make_request(visitor->connection, request, EVHTTP_REQ_POST, "/v1/chat/completions") != 0)
        on_done(NULL, visitor);
}
