#include "upstream/secure.h"

struct tls_context *secure_context(const struct pool_config *config, struct error *error) {
    static const struct pool_tls_config standard = {.verify = true};
    const struct pool_tls_config *tls = config->tls ? config->tls : &standard;
    struct tls_client_settings settings = {
        .ca = tls->ca,
        .certificate = tls->certificate,
        .private_key = tls->private_key,
        .verify = tls->verify,
    };
    struct error why = {{0}};
    struct tls_context *context = tls_context_client(&settings, &why);
    if (!context)
        error_set(error, "pool %s: %s", config->name, why.text);
    return context;
}

const char *secure_name(const struct pool_config *config, const struct endpoint_config *endpoint) {
    return config->tls && config->tls->server_name ? config->tls->server_name : endpoint->host;
}
