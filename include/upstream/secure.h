// secure: how the endpoints of one pool are spoken to under TLS. Control thread.
#pragma once
#include "config/config.h"
#include "io/tls.h"

// The context for the https endpoints of a pool, from its `tls` section; without one, certificates are
// verified by the system's authorities. NULL and *error, which names the file and the pool.
struct tls_context *secure_context(const struct pool_config *config, struct error *error);
// The name that an endpoint is asked for and has to prove.
const char *secure_name(const struct pool_config *config, const struct endpoint_config *endpoint);
