// credentials: what the files hold that a configuration names: TLS contexts and the admin token. Read by
// every start and reload and by `sluice check`, here and nowhere else: what one accepts the others accept.
// Any thread.
#pragma once
#include "certificates.h"

struct credentials {
    struct tls_context **listeners, **pools; // in the configuration's order; NULL: without TLS
    size_t listener_count, pool_count;
    struct tls_context *admin;        // NULL: without TLS
    char *token;                      // of the admin API; NULL: none
    struct certificates certificates; // borrow from the configuration
};
// NULL with a mistake for every file that cannot be used. Warnings are added to the outcome in either case.
struct credentials *credentials_load(const struct config *config, struct tls_tickets *tickets,
                                     struct outcome *outcome);
void credentials_free(struct credentials *credentials); // NULL is allowed
