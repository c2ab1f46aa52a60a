#include "base/mem.h"
#include "base/refcount.h"
#include "tls_files.h"
#include "tls_inside.h"
#include "tls_names.h"
#include "tls_staple.h"
#include <stdio.h>
#include <string.h>

// What browsers and libraries of the last ten years speak: forward secrecy and authenticated encryption only.
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS      "X25519:P-256:P-384"

// One certificate, with all that a connection which uses it needs.
struct served {
    SSL_CTX *handle;
    struct tls_staple staple;
};
struct tls_context {
    struct refcount refs;
    struct served *served; // the first is for every name that is not in `names`
    size_t served_count;
    struct tls_names names;
    struct tls_tickets *tickets;
    unsigned char digest[EVP_MAX_MD_SIZE]; // of everything it was made from
    unsigned digest_len;
};

SSL_CTX *tls_context_handle(const struct tls_context *context) {
    return context->served[0].handle;
}

struct tls_tickets *tls_context_tickets(const struct tls_context *context) {
    return context->tickets;
}

// ---- both sides

static void note(const SSL *ssl, int where, int code) {
    tls_note_alert((SSL *)ssl, where, code);
}

static SSL_CTX *handle_new(struct tls_context *context, const SSL_METHOD *kind) {
    SSL_CTX *handle = SSL_CTX_new(kind);
    must(handle);
    SSL_CTX_set_app_data(handle, context);
    SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
    must(SSL_CTX_set_cipher_list(handle, CIPHERS_1_2) == 1 && SSL_CTX_set1_groups_list(handle, GROUPS) == 1);
    // An end without close_notify is told apart by the stream itself, which knows what had to come.
    SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_PRIORITIZE_CHACHA |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Buffers go back when they are empty, so that an idle connection holds none.
    SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(handle, 1);
    SSL_CTX_set_info_callback(handle, note);
    return handle;
}

static struct tls_context *context_new(size_t served) {
    struct tls_context *context = mem_zero(1, sizeof *context);
    refcount_init(&context->refs);
    context->served = mem_zero(served, sizeof *context->served);
    return context;
}

struct tls_context *tls_context_ref(struct tls_context *context) {
    refcount_take(&context->refs);
    return context;
}

void tls_context_unref(struct tls_context *context) {
    if (!context || !refcount_drop(&context->refs))
        return;
    for (size_t i = 0; i < context->served_count; i++) {
        SSL_CTX_free(context->served[i].handle);
        tls_staple_free(&context->served[i].staple);
    }
    tls_names_free(&context->names);
    mem_free(context->served);
    tls_tickets_unref(context->tickets);
    mem_free(context);
}

bool tls_context_same(const struct tls_context *a, const struct tls_context *b) {
    return a && b && a->digest_len == b->digest_len && memcmp(a->digest, b->digest, a->digest_len) == 0;
}

struct tls_validity tls_context_validity(const struct tls_context *context, size_t identity) {
    must(identity < context->served_count);
    return tls_chain_validity(context->served[identity].handle);
}

static struct tls_context *made(struct tls_context *context, bool ok) {
    if (ok)
        return context;
    tls_context_unref(context);
    return NULL;
}

// ---- server: the protocol (RFC 7301)

// Only HTTP/1.1 is spoken: a client that offers protocols without it is told so, one that offers none is
// served.
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *len,
                           const unsigned char *offered, unsigned offered_len, void *context) {
    static const unsigned char spoken[] = "\x08http/1.1";
    (void)ssl;
    (void)context;
    unsigned char *found;
    if (SSL_select_next_proto(&found, len, spoken, sizeof spoken - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

// ---- server

static int choose_certificate(SSL *ssl, int *alert, void *pointer) {
    (void)alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct tls_context *context = pointer;
    if (name)
        SSL_set_SSL_CTX(ssl, context->served[tls_names_find(&context->names, name)].handle);
    return SSL_TLSEXT_ERR_OK;
}

static bool ask_for_certificates(SSL_CTX *handle, const struct tls_server_settings *settings,
                                 const struct tls_complaints *to) {
    if (!settings->client_ca)
        return true;
    if (!tls_trust(handle, settings->client_ca, to))
        return false;
    SSL_CTX_set_client_CA_list(handle, SSL_load_client_CA_file(settings->client_ca));
    SSL_CTX_set_verify(
        handle, SSL_VERIFY_PEER | (settings->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return true;
}

// Sessions are kept by clients, in tickets. One that was made under other client authorities is not resumed.
static bool set_sessions(SSL_CTX *handle, const struct tls_server_settings *settings,
                         const struct tls_complaints *to) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;
    if (!tls_digest(&settings->client_ca, 1, settings->client_required ? "required" : "", digest, &len, to))
        return false;
    SSL_CTX_set_session_id_context(handle, digest, SSL_MAX_SID_CTX_LENGTH);
    SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(handle, 12 * 3600);
    tls_tickets_attach(handle);
    return true;
}

static bool load_identity(struct served *served, const struct tls_identity *identity,
                          const struct tls_complaints *to) {
    struct error error;
    if (!tls_load_pair(served->handle, identity->certificate, identity->private_key, to))
        return false;
    if (!identity->ocsp_response ||
        tls_staple_read(&served->staple, served->handle, identity->ocsp_response, &error))
        return true;
    return tls_refuse(to, identity->ocsp_response, &error);
}

static bool serve(struct tls_context *context, const struct tls_server_settings *settings, size_t index,
                  const struct tls_complaints *to) {
    struct served *served = &context->served[context->served_count++];
    SSL_CTX *handle = served->handle = handle_new(context, TLS_server_method());
    if (settings->only_1_3)
        SSL_CTX_set_min_proto_version(handle, TLS1_3_VERSION);
    SSL_CTX_set_alpn_select_cb(handle, choose_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(handle, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(handle, context);
    bool ok = load_identity(served, &settings->identities[index], to);
    // The authorities are everybody's: what is wrong with them is said once.
    const struct tls_complaints *first = index == 0 ? to : NULL;
    if (!ask_for_certificates(handle, settings, first) || !set_sessions(handle, settings, first) || !ok)
        return false;
    tls_names_add(&context->names, SSL_CTX_get0_certificate(handle), index);
    return true;
}

static bool digest_server(struct tls_context *context, const struct tls_server_settings *settings,
                          const struct tls_complaints *to) {
    size_t count = settings->identity_count * 3 + 1;
    const char **paths = mem_zero(count, sizeof *paths);
    char words[32];
    for (size_t i = 0; i < settings->identity_count; i++) {
        paths[i * 3] = settings->identities[i].certificate;
        paths[i * 3 + 1] = settings->identities[i].private_key;
        paths[i * 3 + 2] = settings->identities[i].ocsp_response;
    }
    paths[count - 1] = settings->client_ca;
    snprintf(words, sizeof words, "server %d %d", settings->client_required, settings->only_1_3);
    bool ok = tls_digest(paths, count, words, context->digest, &context->digest_len, to);
    mem_free(paths);
    return ok;
}

struct tls_context *tls_context_server(const struct tls_server_settings *settings,
                                       const struct tls_complaints *to) {
    struct tls_context *context = context_new(settings->identity_count);
    bool ok = true;
    context->tickets = tls_tickets_ref(settings->tickets);
    for (size_t i = 0; i < settings->identity_count; i++)
        ok = serve(context, settings, i, to) && ok;
    tls_names_settle(&context->names);
    return made(context, ok && digest_server(context, settings, to));
}

// ---- client

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    return tls_keep_session(ssl, session);
}

static bool set_client(SSL_CTX *handle, const struct tls_client_settings *settings,
                       const struct tls_complaints *to) {
    static const unsigned char spoken[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(handle, spoken, sizeof spoken - 1); // 0 is success
    SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(handle, keep_session);
    SSL_CTX_set_verify(handle, settings->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    bool ok = !settings->ca || tls_trust(handle, settings->ca, to);
    if (!settings->ca && settings->verify)
        SSL_CTX_set_default_verify_paths(handle);
    if (settings->certificate)
        ok = tls_load_pair(handle, settings->certificate, settings->private_key, to) && ok;
    return ok;
}

struct tls_context *tls_context_client(const struct tls_client_settings *settings,
                                       const struct tls_complaints *to) {
    struct tls_context *context = context_new(1);
    const char *paths[] = {settings->ca, settings->certificate, settings->private_key};
    context->served[context->served_count++].handle = handle_new(context, TLS_client_method());
    bool ok = set_client(context->served[0].handle, settings, to) &&
              tls_digest(paths, 3, settings->verify ? "client verify" : "client", context->digest,
                         &context->digest_len, to);
    return made(context, ok);
}
