#include "admin_server.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/tls_bufferevent.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/queue.h>

#define BODY_MOST    (1024 * 1024) // a batch of feedback
#define HEAD_MOST    16384
#define IDLE_SECONDS 60
// The page's own files and calls, nothing of anybody else's, and nothing that stands in the page itself.
#define POLICY                                                                                      \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct admin_server {
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    struct tls_context *tls; // NULL: plain
    void (*handle)(struct call *call, void *context);
    void *context;
    struct link calls; // not answered yet
    bool leaving;
};
struct held_call {
    struct call call;
    struct link link;
    struct admin_server *server;
    struct evhttp_request *request; // NULL: the client has gone
    struct evkeyvalq query;
};

static struct held_call *held(const struct call *call) {
    return (struct held_call *)(void *)((char *)(uintptr_t)call - offsetof(struct held_call, call));
}

const char *call_query(const struct call *call, const char *name) {
    return evhttp_find_header(&held(call)->query, name);
}

char *call_decode(struct slice segment) {
    char *raw = mem_zero(segment.len + 1, 1);
    memcpy(raw, segment.at, segment.len);
    size_t len;
    char *decoded = evhttp_uridecode(raw, 0, &len);
    mem_free(raw);
    char *copy = decoded && strlen(decoded) == len ? mem_copy_string(decoded) : NULL;
    free(decoded);
    return copy;
}

static void call_free(struct held_call *call) {
    list_remove(&call->link);
    evhttp_clear_headers(&call->query);
    strbuf_free(&call->call.out);
    mem_free(call);
}

// evhttp frees the request with its connection, unless it has cut the two apart: then it is ours to free.
static void on_close(struct evhttp_connection *connection, void *context) {
    (void)connection;
    struct held_call *call = context;
    if (!evhttp_request_get_connection(call->request))
        evhttp_request_free(call->request);
    call->request = NULL;
}

// One reason phrase for each status the API uses.
static const char *phrase(int status) {
    static const struct {
        int status;
        const char *phrase;
    } known[] = {{200, "OK"},
                 {304, "Not Modified"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {409, "Conflict"},
                 {415, "Unsupported Media Type"},
                 {422, "Unprocessable Content"},
                 {429, "Too Many Requests"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].phrase;
    return "Error";
}

static void release(const void *data, size_t len, void *memory) {
    (void)data, (void)len;
    mem_free(memory);
}

static void add_headers(const struct call *call, struct evhttp_request *request, const char *content_type) {
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", content_type);
    evhttp_add_header(headers, "Cache-Control", call->tag ? "no-cache" : "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "Content-Security-Policy", POLICY);
    evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
    if (call->allow)
        evhttp_add_header(headers, "Allow", call->allow);
    if (call->tag) {
        evhttp_add_header(headers, "ETag", call->tag);
        evhttp_add_header(headers, "Vary", "Accept-Encoding");
    }
    if (call->content_encoding)
        evhttp_add_header(headers, "Content-Encoding", call->content_encoding);
}

void call_answer(struct call *call, int status, const char *content_type) {
    struct held_call *self = held(call);
    struct evhttp_request *request = self->request;
    if (!request) {
        call_free(self);
        return;
    }
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    add_headers(call, request, content_type);
    if (self->server->leaving)
        evhttp_add_header(headers, "Connection", "close");
    if (status == 401)
        evhttp_add_header(headers, "WWW-Authenticate", "Bearer");
    if (call->retry_after) {
        char seconds[16];
        evutil_snprintf(seconds, sizeof seconds, "%u", call->retry_after);
        evhttp_add_header(headers, "Retry-After", seconds);
    }
    struct evbuffer *body = evbuffer_new();
    must(body != NULL);
    if (call->method == CALL_HEAD) {
        char length[24];
        evutil_snprintf(length, sizeof length, "%zu", call->out.len);
        evhttp_add_header(headers, "Content-Length", length);
    } else if (call->out.len) { // the text moves, it is not copied: /metrics can be long
        evbuffer_add_reference(body, call->out.at, call->out.len, release, call->out.at);
        call->out = (struct strbuf){0};
    }
    evhttp_send_reply(request, status, phrase(status), body);
    evbuffer_free(body);
    call_free(self);
}

static struct bufferevent *stream_of(const struct call *call) {
    return evhttp_connection_get_bufferevent(evhttp_request_get_connection(held(call)->request));
}

void call_stream(struct call *call, const char *content_type) {
    static const struct timeval patience = {.tv_sec = IDLE_SECONDS};
    struct evhttp_request *request = held(call)->request;
    if (!request)
        return;
    add_headers(call, request, content_type);
    evhttp_send_reply_start(request, 200, phrase(200));
    // a client that listens says nothing: only one that does not take what is sent is out of time
    bufferevent_set_timeouts(stream_of(call), NULL, &patience);
}

bool call_stream_open(const struct call *call) {
    return held(call)->request != NULL;
}

size_t call_stream_unsent(const struct call *call) {
    return call_stream_open(call) ? evbuffer_get_length(bufferevent_get_output(stream_of(call))) : 0;
}

void call_stream_send(struct call *call, struct slice piece) {
    if (!call_stream_open(call) || piece.len == 0)
        return;
    struct evbuffer *buffer = evbuffer_new();
    must(buffer && evbuffer_add(buffer, piece.at, piece.len) == 0);
    evhttp_send_reply_chunk(held(call)->request, buffer);
    evbuffer_free(buffer);
}

void call_stream_end(struct call *call) {
    struct evhttp_request *request = held(call)->request;
    if (request) {
        static const struct timeval patience = {.tv_sec = IDLE_SECONDS};
        bufferevent_set_timeouts(stream_of(call), &patience, &patience);
        evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
        evhttp_send_reply_end(request);
    }
    call_free(held(call));
}

void call_stream_drop(struct call *call) {
    if (call_stream_open(call)) // says so through on_close
        evhttp_connection_free(evhttp_request_get_connection(held(call)->request));
    call_free(held(call));
}

// Of a client that has gone: remote, from nowhere.
static enum access_peer peer_of(struct evhttp_request *request, struct ip *from) {
    struct bufferevent *stream = evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
    struct address peer = {.len = sizeof(struct sockaddr_un)};
    static const unsigned char one[16] = {[15] = 1}; // ::1
    *from = (struct ip){.family = IP_LOCAL};
    if (getpeername(bufferevent_getfd(stream), &peer.any, &peer.len) != 0)
        return ACCESS_PEER_REMOTE;
    if (peer.any.sa_family == AF_UNIX)
        return ACCESS_PEER_UNIX;
    *from = address_ip(&peer);
    bool local = from->family == IP_4 ? from->bytes[0] == 127 : memcmp(from->bytes, one, sizeof one) == 0;
    return local ? ACCESS_PEER_LOOPBACK : ACCESS_PEER_REMOTE;
}

static enum call_method method_of(struct evhttp_request *request) {
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return CALL_GET;
    case EVHTTP_REQ_HEAD:
        return CALL_HEAD;
    case EVHTTP_REQ_POST:
        return CALL_POST;
    default:
        return CALL_OTHER;
    }
}

static void on_request(struct evhttp_request *request, void *context) {
    struct admin_server *server = context;
    struct held_call *self = mem_zero(1, sizeof *self);
    TAILQ_INIT(&self->query);
    self->server = server;
    self->request = request;
    list_push(&server->calls, &self->link);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL, *query = uri ? evhttp_uri_get_query(uri) : NULL;
    if (query)
        evhttp_parse_query_str(query, &self->query);
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(input);
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    self->call.method = method_of(request);
    self->call.path = path && *path ? path : "/";
    self->call.body = slice_make(len ? (const char *)evbuffer_pullup(input, -1) : "", len);
    self->call.accept = evhttp_find_header(headers, "Accept");
    self->call.accept_encoding = evhttp_find_header(headers, "Accept-Encoding");
    self->call.if_none_match = evhttp_find_header(headers, "If-None-Match");
    self->call.access = (struct access_call){
        .secure = bufferevent_openssl_get_ssl(
                      evhttp_connection_get_bufferevent(evhttp_request_get_connection(request))) != NULL,
        .authorization = evhttp_find_header(headers, "Authorization"),
        .host = evhttp_find_header(headers, "Host"),
        .origin = evhttp_find_header(headers, "Origin"),
        .content_type = evhttp_find_header(headers, "Content-Type"),
        .fetch_site = evhttp_find_header(headers, "Sec-Fetch-Site"),
    };
    self->call.access.peer = peer_of(request, &self->call.access.from);
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, self);
    server->handle(&self->call, server->context);
}

// evhttp by itself closes a socket and then takes it out of the epoll set: by then the number may be that of
// a worker's new socket. A bufferevent that owns its socket does it in the right order.
static struct bufferevent *own_socket(struct event_base *base, void *context) {
    const struct admin_server *server = context;
    if (server->tls)
        return tls_bufferevent_server(base, server->tls);
    return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

struct admin_server *admin_server_new(struct event_base *base,
                                      void (*handle)(struct call *call, void *context), void *context) {
    struct admin_server *server = mem_zero(1, sizeof *server);
    server->handle = handle;
    server->context = context;
    list_init(&server->calls);
    server->http = evhttp_new(base);
    must(server->http != NULL);
    evhttp_set_bevcb(server->http, own_socket, server);
    evhttp_set_timeout(server->http, IDLE_SECONDS);
    evhttp_set_max_headers_size(server->http, HEAD_MOST);
    evhttp_set_max_body_size(server->http, BODY_MOST);
    // Every method comes here, so that a wrong one is answered with what would be right.
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                                 EVHTTP_REQ_PATCH | EVHTTP_REQ_TRACE);
    evhttp_set_gencb(server->http, on_request, server);
    return server;
}

void admin_server_secure(struct admin_server *server, struct tls_context *context) {
    struct tls_context *before = server->tls;
    server->tls = context ? tls_context_ref(context) : NULL;
    tls_context_unref(before);
}

void admin_server_silence(struct admin_server *server) {
    if (server->bound)
        evhttp_del_accept_socket(server->http, server->bound);
    server->bound = NULL;
}

void admin_server_pause(struct admin_server *server, bool pause) {
    struct evconnlistener *listener = server->bound ? evhttp_bound_socket_get_listener(server->bound) : NULL;
    if (listener && (pause ? evconnlistener_disable(listener) : evconnlistener_enable(listener)) != 0)
        log_error(pause ? "the admin address cannot be paused for the upgrade"
                        : "the admin address does not accept connections again after the failed upgrade",
                  "");
}

void admin_server_leave(struct admin_server *server) {
    admin_server_silence(server);
    server->leaving = true;
}

void admin_server_listen(struct admin_server *server, int take_fd) {
    admin_server_silence(server);
    server->bound = evhttp_accept_socket_with_handle(server->http, take_fd);
    must(server->bound != NULL);
}

void admin_server_free(struct admin_server *server) {
    if (!server)
        return;
    evhttp_free(server->http); // closes the connections: open calls lose their requests
    while (!list_empty(&server->calls))
        call_free(list_entry(server->calls.next, struct held_call, link));
    tls_context_unref(server->tls);
    mem_free(server);
}
