// client: one call to a running daemon's admin API.
#pragma once
#include "app/options.h"
#include "base/strbuf.h"
#include <jansson.h>

// Calls and returns EXIT_DONE with the answer's body in *out; else says on stderr what was wrong (with
// --json: prints the refusal's JSON; the daemon's own message when it refused) and returns EXIT_REFUSED or
// EXIT_UNREACHABLE. *out is the caller's to free in any case and holds the body of a refusal too. `body`
// NULL: GET.
int client_call(const struct invocation *invocation, const char *path, const char *body, struct strbuf *out);
// The same, but refusals are not printed: the caller does it from *out.
int client_call_quietly(const struct invocation *invocation, const char *path, const char *body,
                        struct strbuf *out);
// The same with GET, for who looks again and again: it is given ten seconds. `quietly`: also nothing is said
// when the daemon cannot be reached.
int client_ask(const struct invocation *invocation, const char *path, struct strbuf *out, bool quietly);
// Prints what such a refusal says; returns `result`.
int client_tell(const struct invocation *invocation, int result, const struct strbuf *out);
// GET, then prints the answer: its JSON with --json, else what `write` makes of it.
int client_print(const struct invocation *invocation, const char *path,
                 void (*write)(struct strbuf *out, const json_t *answer));
// "/api/v1/routes/ROUTE/tail" of the command's first argument; without a tail nothing follows ROUTE.
void client_route_path(struct strbuf *path, const struct invocation *invocation, const char *tail);
// Appends text as one path segment or query value, percent-encoded.
void client_encode(struct strbuf *path, const char *text);
