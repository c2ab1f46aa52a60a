// The keys of `admin`.
#include "schema.h"
#include "schema_rules.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct key tls_keys[] = {
    {"certificate", TYPE_PATH, offsetof(struct listener_tls_config, main.certificate), .flags = KEY_REQUIRED,
     .help = "PEM file with the certificate and its chain, the leaf first; read again on reload."},
    {"private_key", TYPE_PATH, offsetof(struct listener_tls_config, main.private_key), .flags = KEY_REQUIRED,
     .help = "PEM file with the private key; read again on reload."},
    {"client_ca", TYPE_PATH, offsetof(struct listener_tls_config, client_ca),
     .help = "PEM file with authorities: who connects must then show a certificate of theirs, also to read."},
};
static const struct section tls = {.keys = tls_keys,
                                   .count = COUNT(tls_keys),
                                   .what = "`admin.tls`",
                                   .size = sizeof(struct listener_tls_config),
                                   .place_offset = 1 + offsetof(struct listener_tls_config, main.place)};

static const struct key admin_keys[] = {
    {"address", TYPE_STRING, offsetof(struct admin_config, address), .standard = "127.0.0.1:9901",
     .form = &form_address,
     .help = "Where commands, dashboards and Prometheus connect; `unix:/path` too. An address that other "
             "machines reach needs `token_file` and `tls`."},
    {"token_file", TYPE_PATH, offsetof(struct admin_config, token_file),
     .help = "File with the token that every call which changes something must carry; without one such calls "
             "are accepted only over a "
             "unix socket or from loopback."},
    {"tls", TYPE_OPTIONAL, offsetof(struct admin_config, tls), .child = &tls,
     .help = "Serve the admin API under TLS; absent: plain. See security.md."},
};
const struct section schema_admin = {.keys = admin_keys,
                                     .count = COUNT(admin_keys),
                                     .what = "`admin`",
                                     .rules = REACH_RULES,
                                     .size = sizeof(struct admin_config),
                                     .place_offset = 1 + offsetof(struct admin_config, place)};
