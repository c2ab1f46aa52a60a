// Who the client of an exchange is, and what the upstream is told of it.
#include "exchange.h"
#include "http/writer.h"
#include "traffic/forwarded.h"

void client_find(struct exchange *exchange, const struct head *head) {
    const struct session *session = exchange->session;
    const struct network_list *trusted = &exchange_config(exchange)->trusted_proxies;
    exchange->peer_trusted = network_list_holds(trusted, &session->peer_ip);
    exchange->secure = session->stream.tls != NULL;
    exchange->client = slice_make(session->peer, session->peer_len);
    if (!exchange->peer_trusted)
        return;
    struct slice scheme = forwarded_proto(head);
    if (scheme.at)
        exchange->secure = slice_equal(scheme, SLICE("https"));
    struct ip client = forwarded_client(head, &session->peer_ip, trusted);
    char text[IP_TEXT];
    size_t len = ip_text(&client, text);
    exchange->client = arena_copy(&exchange->arena, slice_make(text, len));
}

struct slice client_ip(const struct exchange *exchange) {
    // The peers of unix sockets are not one client.
    return slice_equal(exchange->client, SLICE("unix")) ? SLICE_NONE : exchange->client;
}

// The peer is appended to the chain of a trusted one. A unix socket's has no address: it adds nothing, since
// whoever walks the chain would stop there; alone it is "unknown" (RFC 7239 6.2).
static void write_chain(const struct exchange *exchange, const struct head *head, struct strbuf *out) {
    const struct session *session = exchange->session;
    bool local = session->peer_ip.family == IP_LOCAL;
    strbuf_literal(out, "X-Forwarded-For: ");
    size_t before = out->len;
    if (exchange->peer_trusted)
        forwarded_chain(head, out);
    bool chain = out->len > before;
    if (!local && chain)
        strbuf_literal(out, ", ");
    if (!local)
        strbuf_append(out, session->peer, session->peer_len);
    else if (!chain)
        strbuf_literal(out, "unknown");
    strbuf_literal(out, "\r\n");
}

void client_write(const struct exchange *exchange, const struct head *head, struct slice host,
                  struct strbuf *out) {
    struct slice told = exchange->peer_trusted ? forwarded_host(head) : SLICE_NONE;
    write_chain(exchange, head, out);
    write_field(out, SLICE("X-Forwarded-Proto"), exchange->secure ? SLICE("https") : SLICE("http"));
    write_field(out, SLICE("X-Forwarded-Host"), told.at ? told : host);
}
