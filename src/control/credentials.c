#include "credentials.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "exposure.h"
#include "token.h"

#define TOKEN_LEAST 16 // characters, where other machines may try
// What the loading of one section's files needs to say where they stand.
struct loading {
    const struct config *config;
    const char *kind, *name; // whose it is: "pool", "green"
    struct place section;
    struct outcome *outcome;
};

static void add_mistake(const char *path, const char *sentence, void *context) {
    const struct loading *loading = context;
    struct error error;
    error_set(&error, "%s %s: %s", loading->kind, loading->name, sentence);
    outcome_fail(loading->outcome, config_path_place(loading->config, path, loading->section), error.text);
}

// ---- listeners

static struct tls_identity identity(const struct certificate_config *config) {
    return (struct tls_identity){config->certificate, config->private_key, config->ocsp_response};
}

// The main certificate is the first.
static const struct certificate_config *shown(const struct listener_tls_config *tls, size_t index) {
    return index ? &tls->certificates[index - 1] : &tls->main;
}

static struct tls_context *listener_context(const struct listener_tls_config *tls,
                                            struct tls_tickets *tickets, struct loading *loading) {
    struct tls_complaints complaints = {add_mistake, loading};
    size_t count = tls->certificate_count + 1;
    struct tls_identity *identities = mem_alloc(count * sizeof *identities);
    for (size_t i = 0; i < count; i++)
        identities[i] = identity(shown(tls, i));
    struct tls_server_settings settings = {
        .identities = identities,
        .identity_count = count,
        .client_ca = tls->client_certificate == CLIENT_CERTIFICATE_OFF ? NULL : tls->client_ca,
        .client_required = tls->client_certificate == CLIENT_CERTIFICATE_REQUIRED,
        .only_1_3 = tls->minimum_version == MINIMUM_TLS_1_3,
        .tickets = tickets,
    };
    struct tls_context *context = tls_context_server(&settings, &complaints);
    mem_free(identities);
    return context;
}

static struct tls_context *load_server(struct credentials *credentials, const struct listener_tls_config *tls,
                                       struct tls_tickets *tickets, struct loading *loading) {
    struct tls_context *context = listener_context(tls, tickets, loading);
    for (size_t i = 0; context && i < tls->certificate_count + 1; i++) {
        const char *path = shown(tls, i)->certificate;
        struct certificate certificate = {
            .listener = loading->name,
            .path = path,
            .place = config_path_place(loading->config, path, loading->section),
            .validity = tls_context_validity(context, i),
        };
        certificates_add(&credentials->certificates, &certificate);
    }
    return context;
}

static void load_listener(struct credentials *credentials, const struct config *config,
                          struct tls_tickets *tickets, struct outcome *outcome) {
    const struct listener_config *listener = &config->listeners[credentials->listener_count];
    struct tls_context **context = &credentials->listeners[credentials->listener_count++];
    const struct listener_tls_config *tls = listener->tls;
    if (!tls)
        return;
    struct loading loading = {config, "listener", listener->address, tls->main.place, outcome};
    *context = load_server(credentials, tls, tickets, &loading);
}

static void load_admin(struct credentials *credentials, const struct config *config,
                       struct tls_tickets *tickets, struct outcome *outcome) {
    const struct admin_config *admin = &config->admin;
    if (!admin->tls)
        return;
    struct loading loading = {config, "admin", admin->address, admin->tls->main.place, outcome};
    credentials->admin = load_server(credentials, admin->tls, tickets, &loading);
}

// ---- pools

static bool secure(const struct pool_config *pool) {
    for (size_t i = 0; i < pool->endpoint_count; i++)
        if (pool->endpoints[i].tls)
            return true;
    return false;
}

static struct tls_context *client_context(const struct pool_tls_config *tls, struct loading *loading) {
    struct tls_complaints complaints = {add_mistake, loading};
    struct tls_client_settings settings = {
        .ca = tls->ca,
        .certificate = tls->certificate,
        .private_key = tls->private_key,
        .verify = tls->verify,
    };
    return tls_context_client(&settings, &complaints);
}

// Without a `tls` section, certificates are verified by the system's authorities.
static void load_pool(struct credentials *credentials, const struct config *config, struct outcome *outcome) {
    static const struct pool_tls_config standard = {.verify = true};
    const struct pool_config *pool = &config->pools[credentials->pool_count];
    const struct pool_tls_config *tls = pool->tls ? pool->tls : &standard;
    struct tls_context **context = &credentials->pools[credentials->pool_count++];
    struct loading loading = {config, "pool", pool->name, pool->tls ? tls->place : pool->place, outcome};
    if (!secure(pool))
        return;
    *context = client_context(tls, &loading);
    if (!*context || !tls->certificate)
        return;
    struct certificate certificate = {
        .pool = pool->name,
        .path = tls->certificate,
        .place = config_path_place(config, tls->certificate, tls->place),
        .validity = tls_context_validity(*context, 0),
    };
    certificates_add(&credentials->certificates, &certificate);
}

// ---- the collector of spans

// Whoever sends reads the files anew each time: that they can be used is seen here.
static void check_tracing(const struct config *config, struct outcome *outcome) {
    const struct tracing_config *tracing = config->tracing;
    if (!tracing || !tracing->tls)
        return;
    struct loading loading = {config, "tracing", tracing->url, tracing->tls->place, outcome};
    tls_context_unref(client_context(tracing->tls, &loading));
}

// ---- the admin token

static void load_token(struct credentials *credentials, const struct config *config,
                       struct outcome *outcome) {
    const char *path = config->admin.token_file;
    struct error error;
    if (!path)
        return;
    struct place place = config_path_place(config, path, config->admin.place);
    credentials->token = token_read(path, &error);
    if (!credentials->token)
        outcome_fail(outcome, place, error.text);
    else if (config->admin.reachable && strlen(credentials->token) < TOKEN_LEAST) {
        error_set(&error, "the token in %s has less than %d characters: on the network it could be guessed",
                  path, TOKEN_LEAST);
        outcome_fail(outcome, place, error.text);
    }
}

struct credentials *credentials_load(const struct config *config, struct tls_tickets *tickets,
                                     struct outcome *outcome) {
    struct credentials *credentials = mem_zero(1, sizeof *credentials);
    size_t before = outcome->mistake_count;
    credentials->listeners = mem_zero(config->listener_count + 1, sizeof(struct tls_context *));
    credentials->pools = mem_zero(config->pool_count + 1, sizeof(struct tls_context *));
    for (size_t i = 0; i < config->listener_count; i++)
        load_listener(credentials, config, tickets, outcome);
    for (size_t i = 0; i < config->pool_count; i++)
        load_pool(credentials, config, outcome);
    check_tracing(config, outcome);
    load_admin(credentials, config, tickets, outcome);
    load_token(credentials, config, outcome);
    exposure_check(config, outcome);
    certificates_warn(&credentials->certificates, clock_wall_ms(), outcome);
    if (outcome->mistake_count == before)
        return credentials;
    credentials_free(credentials);
    return NULL;
}

void credentials_free(struct credentials *credentials) {
    if (!credentials)
        return;
    for (size_t i = 0; i < credentials->listener_count; i++)
        tls_context_unref(credentials->listeners[i]);
    for (size_t i = 0; i < credentials->pool_count; i++)
        tls_context_unref(credentials->pools[i]);
    tls_context_unref(credentials->admin);
    mem_free(credentials->listeners);
    mem_free(credentials->pools);
    secret_free(credentials->token);
    certificates_free(&credentials->certificates);
    mem_free(credentials);
}
