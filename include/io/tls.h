// tls: TLS 1.2 and 1.3 for streams, by OpenSSL. A context is built from files once and never changed (reload
// makes a new one); a `struct tls` is the record layer of one stream and belongs to that stream's worker.
//
// Bytes of one direction only ever leave in order: what the socket does not take stays in the `struct tls`,
// which accepts no more until it is gone (stream_write then says STREAM_BLOCKED).
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct tls_context; // shared, immutable; any thread

struct tls_identity { // PEM files: the chain, leaf first, and its key; a DER file with the OCSP response or
                      // NULL
    const char *certificate, *private_key, *ocsp_response;
};

// Keys of session tickets, shared by all server contexts of a process so that sessions are resumed by every
// worker and across reloads. Made anew every 12 hours; a ticket is accepted for 12 to 24 hours. Any thread.
struct tls_tickets;
struct tls_tickets *tls_tickets_new(void);
struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets);
void tls_tickets_unref(struct tls_tickets *tickets); // NULL is allowed
// The keys and their age, for the process that takes over; secret. False: `bytes` are not such.
#define TLS_TICKETS_BYTES 176
void tls_tickets_export(struct tls_tickets *tickets, unsigned char bytes[TLS_TICKETS_BYTES]);
bool tls_tickets_import(struct tls_tickets *tickets, const unsigned char *bytes, size_t len);

struct tls_server_settings {
    const struct tls_identity *identities; // the first is for every name that no other one is for
    size_t identity_count;
    const char *client_ca; // PEM file; NULL: clients are not asked for a certificate
    bool client_required;
    bool only_1_3;
    struct tls_tickets *tickets; // the context takes a reference of its own
};
struct tls_client_settings {
    const char *ca;                        // PEM file; NULL: the system's authorities
    const char *certificate, *private_key; // both or none
    bool verify;
};
// Who is told of every file that cannot be used: its path, the very string of the settings, and a sentence
// that names it.
struct tls_complaints {
    void (*tell)(const char *path, const char *sentence, void *context);
    void *context;
};
// NULL when a file cannot be used or does not fit the others; all that is wrong is told (`to` may be NULL).
// Cold path, any thread.
struct tls_context *tls_context_server(const struct tls_server_settings *settings,
                                       const struct tls_complaints *to);
struct tls_context *tls_context_client(const struct tls_client_settings *settings,
                                       const struct tls_complaints *to);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); // NULL is allowed
// Made from the same bytes and settings: a session of one is as good as one of the other.
bool tls_context_same(const struct tls_context *a, const struct tls_context *b);

// When a chain is good, in Unix seconds: from the latest begin to the earliest end of the certificates in its
// file. INT64_MIN and INT64_MAX: there are none.
struct tls_validity {
    int64_t from, until;
};
// Of one identity of a server, by its index; of a client: 0.
struct tls_validity tls_context_validity(const struct tls_context *context, size_t identity);

// What a client keeps to resume a session; one slot belongs to one worker. Zeroed: nothing.
struct tls_session {
    void *session;
    const struct tls_context *context; // compared, never followed
};
void tls_session_clear(struct tls_session *session);

// ---- of one stream (through io/stream.h)

struct stream;
// After the socket is connected and before anything is read or written. The context is referenced while the
// stream lives. `resume` (may be NULL) outlives the stream.
void stream_secure_server(struct stream *stream, struct tls_context *context);
void stream_secure_client(struct stream *stream, struct tls_context *context, const char *server_name,
                          struct tls_session *resume);
// Goes on with the handshake: STREAM_DONE, STREAM_BLOCKED, STREAM_FAILED (stream_tls_failure says why).
enum stream_result stream_handshake(struct stream *stream);
// Why the handshake or a later read or write failed, for a log line: "no shared cipher", with the alert that
// was sent or received where there was one. Valid until the next call on this thread.
const char *stream_tls_failure(const struct stream *stream);
const struct tls_context *stream_tls_context(const struct stream *stream); // NULL: plain
// The subject of the client's verified certificate (RFC 4514, ASCII) as memory of the caller, or NULL.
char *stream_tls_subject(const struct stream *stream);
