#include "peer.h"

#include "unit.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>

static const char *method_name(struct evhttp_request *request) {
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    default:
        return "other";
    }
}

static void note_field(struct evhttp_request *request, const char *name, char *text, size_t size) {
    const char *value = evhttp_find_header(evhttp_request_get_input_headers(request), name);
    snprintf(text, size, "%s", value ? value : "-");
}

static void note(struct peer_call *call, struct evhttp_request *request) {
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    ev_ssize_t len = evbuffer_copyout(body, call->body, sizeof call->body - 1);
    call->body[len > 0 ? len : 0] = '\0';
    snprintf(call->method, sizeof call->method, "%s", method_name(request));
    snprintf(call->uri, sizeof call->uri, "%s", evhttp_request_get_uri(request));
    note_field(request, "Content-Type", call->type, sizeof call->type);
    note_field(request, "Host", call->host, sizeof call->host);
    note_field(request, "Grpc-Metadata-hasleader", call->leader, sizeof call->leader);
}

static void reply(struct evhttp_request *request, int status, const char *body) {
    evbuffer_add(evhttp_request_get_output_buffer(request), body, strlen(body));
    evhttp_send_reply(request, status, "as told", NULL);
}

static void on_request(struct evhttp_request *request, void *context) {
    struct peer *peer = context;
    const char *body = peer->body ? peer->body : "";
    struct peer_call call;
    note(&call, request);
    int status =
        peer->count < PEER_CALLS && peer->statuses[peer->count] ? peer->statuses[peer->count] : peer->status;
    if (peer->answer)
        status = peer->answer(&call, &body, peer->context);
    if (peer->count < PEER_CALLS)
        peer->calls[peer->count] = call;
    peer->count++;
    if (status != PEER_HOLD) {
        reply(request, status, body);
        return;
    }
    assert_true(peer->under_way < PEER_CALLS);
    peer->held[peer->under_way++] = request;
    if (peer->under_way > peer->most_under_way)
        peer->most_under_way = peer->under_way;
}

void peer_release(struct peer *peer, int status) {
    unsigned held = peer->under_way;
    peer->under_way = 0;
    for (unsigned i = 0; i < held; i++)
        reply(peer->held[i], status, peer->body ? peer->body : "");
}

void peer_open(struct peer *peer, struct event_base *base) {
    memset(peer, 0, sizeof *peer);
    peer->base = base;
    peer->status = 200;
    peer->http = evhttp_new(base);
    assert_non_null(peer->http);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(peer->http, "127.0.0.1", 0);
    assert_non_null(bound);
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    assert_int_equal(getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &len), 0);
    peer->port = ntohs(address.sin_port);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%u", peer->port);
    evhttp_set_gencb(peer->http, on_request, peer);
}

void peer_close(struct peer *peer) {
    if (peer->http)
        evhttp_free(peer->http);
    peer->http = NULL;
}

static void on_end(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    *(bool *)context = true;
}

static void run(struct event_base *base, unsigned ms, const unsigned *counter, unsigned wanted) {
    bool over = false;
    struct timeval after = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};
    struct event *end = event_new(base, -1, 0, on_end, &over);
    event_add(end, &after);
    while (!over && !(counter && *counter >= wanted))
        event_base_loop(base, EVLOOP_ONCE);
    event_free(end);
}

void peer_run_until(struct event_base *base, const unsigned *counter, unsigned wanted) {
    run(base, 60000, counter, wanted);
    if (*counter < wanted)
        fail_msg("%u of %u after a minute", *counter, wanted);
}

void peer_run_for(struct event_base *base, unsigned ms) {
    run(base, ms, NULL, 0);
}
