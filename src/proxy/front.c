#include "front.h"
#include "base/mem.h"

static struct tls_identity identity(const struct certificate_config *config) {
    return (struct tls_identity){config->certificate, config->private_key, config->ocsp_response};
}

static struct tls_context *context_of(const struct listener_tls_config *config, struct tls_tickets *tickets,
                                      struct error *error) {
    size_t count = config->certificate_count + 1;
    struct tls_identity *identities = mem_alloc(count * sizeof *identities);
    identities[0] = identity(&config->main);
    for (size_t i = 1; i < count; i++)
        identities[i] = identity(&config->certificates[i - 1]);
    struct tls_server_settings settings = {
        .identities = identities,
        .identity_count = count,
        .client_ca = config->client_certificate == CLIENT_CERTIFICATE_OFF ? NULL : config->client_ca,
        .client_required = config->client_certificate == CLIENT_CERTIFICATE_REQUIRED,
        .only_1_3 = config->minimum_version == MINIMUM_TLS_1_3,
        .tickets = tickets,
    };
    struct tls_context *context = tls_context_server(&settings, error);
    mem_free(identities);
    return context;
}

struct front *front_new(const struct listener_config *config, struct tls_tickets *tickets,
                        const struct front *before, struct error *error) {
    struct error why = {{0}};
    struct tls_context *context = NULL;
    if (config->tls) {
        context = context_of(config->tls, tickets, &why);
        if (!context) {
            error_set(error, "listener %s: %s", config->address, why.text);
            return NULL;
        }
        if (before && tls_context_same(context, before->tls)) {
            tls_context_unref(context);
            context = tls_context_ref(before->tls);
        }
    }
    struct front *front = mem_zero(1, sizeof *front);
    refcount_init(&front->refs);
    front->tls = context;
    front->proxy_protocol = config->proxy_protocol;
    return front;
}

struct front *front_ref(struct front *front) {
    refcount_take(&front->refs);
    return front;
}

void front_unref(struct front *front) {
    if (!front || !refcount_drop(&front->refs))
        return;
    tls_context_unref(front->tls);
    mem_free(front);
}
