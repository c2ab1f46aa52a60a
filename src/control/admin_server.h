// admin_server: the HTTP server under the admin address. The only file that knows evhttp. Control thread.
#pragma once
#include "access.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "io/address.h"
#include <event2/event.h>

enum call_method { CALL_GET, CALL_HEAD, CALL_POST, CALL_OTHER };

// One request. Handed to the handler, which answers it at once or later, exactly once, with call_answer.
struct call {
    enum call_method method;
    const char *path;  // as sent, without the query
    struct slice body; // at most 64 KiB
    struct access_call access;
    struct strbuf out;                                    // the answer's body is written here
    const char *accept, *accept_encoding, *if_none_match; // as sent; NULL when absent
    const char *allow, *content_encoding;                 // sent when set
    unsigned retry_after;                                 // seconds, sent unless 0
    const char *tag; // sent as ETag; the answer may then be kept, and is asked for again each time
};
const char *call_query(const struct call *call, const char *name);         // decoded; NULL when absent
void call_answer(struct call *call, int status, const char *content_type); // consumes the call
// Instead of call_answer: a body that comes bit by bit. The head is sent at once; the call is consumed by
// _end or _drop, also when the client has gone meanwhile.
void call_stream(struct call *call, const char *content_type);
void call_stream_send(struct call *call, struct slice piece); // nothing when the client has gone
bool call_stream_open(const struct call *call);               // the client is still there
size_t call_stream_unsent(const struct call *call);           // bytes that the client has not taken yet
void call_stream_end(struct call *call);                      // the body is complete
void call_stream_drop(struct call *call);                     // the connection is cut
// One segment of the path, percent-decoded. NULL when it is malformed or holds a NUL. mem_free.
char *call_decode(struct slice segment);

struct admin_server;
struct admin_server *admin_server_new(struct event_base *base,
                                      void (*handle)(struct call *call, void *context), void *context);
void admin_server_free(struct admin_server *server); // unanswered calls are dropped
// Starts accepting on a listening socket, which moves in; the one before stops.
void admin_server_listen(struct admin_server *server, int take_fd);
// Connections that come from now on are under TLS; NULL: they are plain. The context is referenced.
struct tls_context;
void admin_server_secure(struct admin_server *server, struct tls_context *context);
void admin_server_silence(struct admin_server *server);           // stops accepting
void admin_server_pause(struct admin_server *server, bool pause); // who comes waits
void admin_server_leave(
    struct admin_server *server); // stops accepting, and every answer is a connection's last
