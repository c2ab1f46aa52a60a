// admin: the admin address: prepares, opens and replaces its socket and token; hands calls to the API.
// Control thread.
#pragma once
#include "control.h"

struct admin *admin_new(struct control *control);
void admin_free(struct admin *admin);               // stops, drops open calls, removes its unix socket
const char *admin_token(const struct admin *admin); // NULL: none is set

// The socket on its way to another process: which it is; nobody is let in meanwhile, they wait; it is closed,
// and its file is that process's (or removed). Open calls are answered and told to close.
struct lent_listener;
void admin_lend(const struct admin *admin, struct lent_listener *listener);
void admin_pause(struct admin *admin, bool pause);
void admin_leave(struct admin *admin, bool with_file);

// Phase one of a reload: opens the socket when the address is new. The token is copied, the TLS context
// referenced. NULL and *error on failure.
struct admin_change;
struct credentials;
struct admin_change *admin_prepare(struct admin *admin, const struct config *config,
                                   const struct credentials *credentials, struct error *error);
void admin_abandon(struct admin_change *change);
void admin_commit(struct admin *admin, struct admin_change *change); // cannot fail
