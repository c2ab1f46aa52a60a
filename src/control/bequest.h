// bequest: what one daemon tells the one that replaces it, and hears from it, as JSON objects with a `kind`.
// The two may be of different versions: what is not known is passed over, what is missing is nothing. Pure.
//   hello, listener*, admin, end              the old one, at once
//   take                                      the new one: its configuration is good, it can take over
//   endpoint*, weights*, yours                the old one, which has let go of state_dir
//   ready                                     the new one: its workers serve
//   main                                      the old one: it drains now
//   tasks*, reload                            the old one, until it ends
//   failed                                    the new one, instead of take
#pragma once
#include "config/config.h"
#include "control/emit.h"
#include "control/outcome.h"
#include "io/socket_file.h"
#include "io/tls.h"
#include "proxy/handover.h"
#include "upstream/endpoint.h"
#include <jansson.h>

#define BEQUEST_PROTOCOL 1

enum bequest_kind {
    BEQUEST_HELLO,
    BEQUEST_LISTENER,
    BEQUEST_ADMIN,
    BEQUEST_END,
    BEQUEST_TAKE,
    BEQUEST_FAILED,
    BEQUEST_ENDPOINT,
    BEQUEST_WEIGHTS,
    BEQUEST_YOURS,
    BEQUEST_READY,
    BEQUEST_MAIN,
    BEQUEST_TASKS,
    BEQUEST_RELOAD,
    BEQUEST_UNKNOWN
};
// NULL when it is no object; else json_decref.
json_t *bequest_parse(struct slice text, enum bequest_kind *kind);
const char *bequest_text(const json_t *root, const char *name); // NULL when absent
void bequest_write(enum bequest_kind kind, struct strbuf *out); // of one that says no more

struct bequest_hello {
    const char *version, *config_path;
    uint64_t upgrades, failures; // so far
    unsigned char tickets[TLS_TICKETS_BYTES];
};
void bequest_write_hello(const struct bequest_hello *hello, struct strbuf *out);
bool bequest_read_hello(const json_t *root, struct bequest_hello *hello, struct error *error);

// The sockets themselves go beside it. *file: mem owned by the reader.
void bequest_write_listener(enum bequest_kind kind, const struct lent_listener *listener, struct strbuf *out);
void bequest_read_listener(const json_t *root, struct lent_listener *listener, struct socket_file *file);

// What is known of an endpoint beyond the configuration; false: nothing, and nothing is written.
bool bequest_write_endpoint(const struct endpoint *endpoint, struct strbuf *out);
void bequest_read_endpoint(const json_t *root, struct endpoint *endpoint);

// Weights that were set by hand beside those of the file they replaced.
void bequest_write_weights(const struct route_config *route, const uint16_t *weights, struct strbuf *out);
// False: the file says something else today, or the variants are others.
bool bequest_read_weights(const json_t *root, const struct route_config *route, uint16_t *weights);

// Which of the addresses the new one does not listen at.
void bequest_write_ready(const struct inherited *inherited, struct strbuf *out);
bool bequest_left(const json_t *ready, const char *address);

void bequest_write_tasks(struct slice lines, struct strbuf *out);
void bequest_write_failed(const struct outcome *outcome, struct strbuf *out);
