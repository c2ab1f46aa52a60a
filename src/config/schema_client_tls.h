// schema_client_tls: the keys of a `tls` section for a server that the daemon itself asks (a collector,
// etcd): those of a pool's that mean something where the server's name is the URL's.
#pragma once
#include "schema.h"
#include "schema_rules.h"

extern const struct key schema_client_tls[];
#define CLIENT_TLS_KEYS 4
#define CLIENT_TLS_SECTION(of)                                                                \
    {                                                                                         \
        .keys = schema_client_tls, .count = CLIENT_TLS_KEYS, .what = "the `tls` of `" of "`", \
        .rules = CERTIFICATE_AND_KEY, .size = sizeof(struct pool_tls_config),                 \
        .place_offset = 1 + offsetof(struct pool_tls_config, place)                           \
    }
