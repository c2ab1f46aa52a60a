#include "schema_client_tls.h"

const struct key schema_client_tls[CLIENT_TLS_KEYS] = {
    {"ca", TYPE_PATH, offsetof(struct pool_tls_config, ca),
     .help = "PEM file with the authorities that are trusted; absent: the system's."},
    {"verify", TYPE_BOOL, offsetof(struct pool_tls_config, verify), .standard = "true",
     .help = "Verify the server's certificate."},
    {"certificate", TYPE_PATH, offsetof(struct pool_tls_config, certificate), .help = "Client certificate."},
    {"private_key", TYPE_PATH, offsetof(struct pool_tls_config, private_key), .help = "Its key."},
};
