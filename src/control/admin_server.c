#include "admin_server.h"

#include "base/list.h"
#include "base/mem.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/queue.h>

#define BODY_MOST    (1024 * 1024) // a batch of feedback
#define HEAD_MOST    16384
#define IDLE_SECONDS 60

struct admin_server {
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    void (*handle)(struct call *call, void *context);
    void *context;
    struct link calls; // not answered yet
};
struct held_call {
    struct call call;
    struct link link;
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
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {409, "Conflict"},
                 {415, "Unsupported Media Type"},
                 {422, "Unprocessable Content"},
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
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    if (call->allow)
        evhttp_add_header(headers, "Allow", call->allow);
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
    if (status == 401)
        evhttp_add_header(headers, "WWW-Authenticate", "Bearer");
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

static enum access_peer peer_of(struct evhttp_request *request) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct address peer;
    peer.len = sizeof(struct sockaddr_un);
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    if (getpeername(fd, &peer.any, &peer.len) != 0)
        return ACCESS_PEER_REMOTE;
    if (peer.any.sa_family == AF_UNIX)
        return ACCESS_PEER_UNIX;
    bool local = false;
    if (peer.any.sa_family == AF_INET)
        local = (ntohl(peer.v4.sin_addr.s_addr) >> 24) == 127;
    else if (IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr))
        local = peer.v6.sin6_addr.s6_addr[12] == 127;
    else
        local = IN6_IS_ADDR_LOOPBACK(&peer.v6.sin6_addr);
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
    self->call.access = (struct access_call){
        .peer = peer_of(request),
        .authorization = evhttp_find_header(headers, "Authorization"),
        .host = evhttp_find_header(headers, "Host"),
        .origin = evhttp_find_header(headers, "Origin"),
        .content_type = evhttp_find_header(headers, "Content-Type"),
        .fetch_site = evhttp_find_header(headers, "Sec-Fetch-Site"),
    };
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_close, self);
    server->handle(&self->call, server->context);
}

// evhttp by itself closes a socket and then takes it out of the epoll set: by then the number may be that of
// a worker's new socket. A bufferevent that owns its socket does it in the right order.
static struct bufferevent *own_socket(struct event_base *base, void *context) {
    (void)context;
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
    evhttp_set_bevcb(server->http, own_socket, NULL);
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

void admin_server_silence(struct admin_server *server) {
    if (server->bound)
        evhttp_del_accept_socket(server->http, server->bound);
    server->bound = NULL;
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
    mem_free(server);
}
