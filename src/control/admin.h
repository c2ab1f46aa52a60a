// admin: the admin address: prepares, opens and replaces its socket and token; hands calls to the API.
// Control thread.
#pragma once
#include "control.h"

struct admin *admin_new(struct control *control);
void admin_free(struct admin *admin);               // stops, drops open calls, removes its unix socket
const char *admin_token(const struct admin *admin); // NULL: none is set

// Phase one of a reload: opens the socket when the address is new. `token` is copied; NULL: none. NULL and
// *error on failure.
struct admin_change;
struct admin_change *admin_prepare(struct admin *admin, const struct config *config, const char *token,
                                   struct error *error);
void admin_abandon(struct admin_change *change);
void admin_commit(struct admin *admin, struct admin_change *change); // cannot fail
