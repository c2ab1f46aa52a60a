#include "endpoint_fetch.h"

#define BODY_MOST (1u << 20)

// "model:8000:10.0.0.2,[2001:db8::2]": another address comes first in each check, so that none goes
// unchecked. The others stand in for one that takes no connection, as for requests.
static void write_resolved(struct endpoint *endpoint, const char *name, struct strbuf *out) {
    const struct address_list *list = endpoint->addresses;
    char text[ADDRESS_TEXT];
    strbuf_format(out, "%s:%u:", name, address_port(&list->items[0]));
    for (unsigned i = 0; i < list->count; i++) {
        const struct address *address = &list->items[(endpoint->checks_made + i) % list->count];
        address_host(address, text);
        strbuf_format(out, strchr(text, ':') ? "%s[%s]" : "%s%s", i ? "," : "", text);
    }
    endpoint->checks_made++;
}

// Under TLS the URL's host is the name that the endpoint has to prove, wherever it is.
static void write_url(const struct endpoint *endpoint, const char *path, struct strbuf *out) {
    const struct address *first = &endpoint->addresses->items[0];
    if (endpoint->tls)
        strbuf_format(out, strchr(endpoint->server_name, ':') ? "https://[%s]:%u" : "https://%s:%u",
                      endpoint->server_name, address_port(first));
    else
        strbuf_string(out, first->any.sa_family == AF_UNIX ? "http://localhost" : endpoint->url);
    strbuf_string(out, path);
}

struct fetch *endpoint_fetch(struct fetcher *fetcher, const struct endpoint_request *wanted,
                             void (*done)(const struct fetch_answer *answer, void *context), void *context) {
    struct endpoint *endpoint = wanted->endpoint;
    const struct address *first = &endpoint->addresses->items[0];
    const char *name = endpoint->tls ? endpoint->server_name : endpoint->host;
    struct strbuf url = {0}, resolved = {0};
    write_url(endpoint, wanted->request->path, &url);
    if (name && !strchr(name, ':'))
        write_resolved(endpoint, name, &resolved);
    struct fetch_request request = {
        .method = wanted->request->method,
        .url = strbuf_text(&url),
        .headers = &wanted->request->headers,
        .body = slice_of(wanted->request->body),
        .user_agent = wanted->user_agent,
        .unix_path = first->any.sa_family == AF_UNIX ? first->unix_path.sun_path : NULL,
        .resolved = resolved.len ? strbuf_text(&resolved) : NULL,
        .host = endpoint->tls ? endpoint->authority : NULL,
        .tls = endpoint->tls ? wanted->tls : NULL,
        .timeout_ms = wanted->timeout_ms,
        .most_body = BODY_MOST,
        .fresh = true,
    };
    struct fetch *fetch = fetch_start(fetcher, &request, done, context);
    strbuf_free(&url);
    strbuf_free(&resolved);
    return fetch;
}
