#include "base/mem.h"
#include "base/refcount.h"
#include "tls_inside.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// What browsers and libraries of the last ten years speak: forward secrecy and authenticated encryption only.
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS      "X25519:P-256:P-384"

// One certificate, with all that a connection which uses it needs.
struct served {
    SSL_CTX *handle;
    unsigned char *ocsp; // as the file has it; NULL: none
    int ocsp_len;
    ASN1_GENERALIZEDTIME *ocsp_until; // NULL: for ever
};
struct served_name {
    char *name;    // lower case, "*." in front of a wildcard
    size_t served; // whose it is
};
struct tls_context {
    struct refcount refs;
    struct served *served; // the first is for every name that is not in `names`
    size_t served_count;
    struct served_name *names; // sorted
    size_t name_count;
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

// ---- files

// The oldest of OpenSSL's complaints, in words.
static const char *complaint(void) {
    unsigned long code = ERR_peek_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)
        return "no such thing in PEM form is in it";
    const char *text = ERR_reason_error_string(code);
    return text ? text : "cannot be read";
}

static bool add_file(EVP_MD_CTX *digest, const char *path, struct error *error) {
    char bytes[4096];
    size_t n;
    if (!path)
        return EVP_DigestUpdate(digest, "-", 1) == 1;
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(error, "cannot read %s: %s", path, strerror(errno));
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
        EVP_DigestUpdate(digest, bytes, n);
    bool ok = !ferror(file);
    fclose(file);
    EVP_DigestUpdate(digest, "|", 1);
    return ok || error_set(error, "cannot read %s", path);
}

static bool digest_files(struct tls_context *context, const char *const *paths, size_t count,
                         const char *settings, struct error *error) {
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;
    must(ok);
    EVP_DigestUpdate(digest, settings, strlen(settings) + 1);
    for (size_t i = 0; ok && i < count; i++)
        ok = add_file(digest, paths[i], error);
    if (ok)
        EVP_DigestFinal_ex(digest, context->digest, &context->digest_len);
    EVP_MD_CTX_free(digest);
    return ok;
}

// A key that asks for a passphrase cannot be used by a daemon: it gets none, and that fails.
static int no_passphrase(char *room, int size, int writing, void *context) {
    (void)room;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static bool load_pair(SSL_CTX *handle, const char *certificate, const char *key, struct error *error) {
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(handle, certificate) != 1)
        return error_set(error, "cannot use certificate %s: %s", certificate, complaint());
    if (SSL_CTX_use_PrivateKey_file(handle, key, SSL_FILETYPE_PEM) != 1) {
        if (ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH) {
            ERR_clear_error();
            return error_set(error, "private key %s is not the one of certificate %s", key, certificate);
        }
        return error_set(error, "cannot use private key %s: %s", key, complaint());
    }
    return true;
}

static bool trust(SSL_CTX *handle, const char *ca, struct error *error) {
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(handle, ca) != 1)
        return error_set(error, "cannot use the authorities in %s: %s", ca, complaint());
    return true;
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
    SSL_CTX_set_default_passwd_cb(handle, no_passphrase);
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
        mem_free(context->served[i].ocsp);
        ASN1_GENERALIZEDTIME_free(context->served[i].ocsp_until);
    }
    for (size_t i = 0; i < context->name_count; i++)
        mem_free(context->names[i].name);
    mem_free(context->names);
    mem_free(context->served);
    tls_tickets_unref(context->tickets);
    mem_free(context);
}

bool tls_context_same(const struct tls_context *a, const struct tls_context *b) {
    return a && b && a->digest_len == b->digest_len && memcmp(a->digest, b->digest, a->digest_len) == 0;
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

// ---- server: the certificate by name (RFC 6066 3)

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct served_name *)a)->name, ((const struct served_name *)b)->name);
}

static const struct served *find_served(const struct tls_context *context, const char *name) {
    char lower[256];
    size_t len = strlen(name);
    if (len == 0 || len >= sizeof lower)
        return &context->served[0];
    for (size_t i = 0; i <= len; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    struct served_name key = {lower, 0};
    const struct served_name *found =
        bsearch(&key, context->names, context->name_count, sizeof key, compare_names);
    char *dot = strchr(lower, '.');
    if (!found && dot && dot > lower) { // a wildcard stands for one label, the first
        *--dot = '*';
        key.name = dot;
        found = bsearch(&key, context->names, context->name_count, sizeof key, compare_names);
    }
    return &context->served[found ? found->served : 0];
}

static int choose_certificate(SSL *ssl, int *alert, void *pointer) {
    (void)alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct tls_context *context = pointer;
    if (name && context->name_count)
        SSL_set_SSL_CTX(ssl, find_served(context, name)->handle);
    return SSL_TLSEXT_ERR_OK;
}

static void add_name(struct tls_context *context, const ASN1_STRING *text, size_t served) {
    size_t len = (size_t)ASN1_STRING_length(text);
    char *name = mem_zero(len + 1, 1);
    memcpy(name, ASN1_STRING_get0_data(text), len);
    for (size_t i = 0; i < len; i++)
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] + 32);
    context->names = mem_resize(context->names, (context->name_count + 1) * sizeof *context->names);
    context->names[context->name_count++] = (struct served_name){name, served};
}

static void add_names(struct tls_context *context, size_t served) {
    X509 *certificate = SSL_CTX_get0_certificate(context->served[served].handle);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            add_name(context, name->d.dNSName, served);
    }
    GENERAL_NAMES_free(names);
}

// Sorted, and of several certificates for one name the first.
static void settle_names(struct tls_context *context) {
    size_t kept = 0;
    if (context->name_count == 0)
        return;
    qsort(context->names, context->name_count, sizeof *context->names, compare_names);
    for (size_t i = 0; i < context->name_count; i++) {
        struct served_name *last = kept ? &context->names[kept - 1] : NULL;
        if (!last || strcmp(last->name, context->names[i].name) != 0) {
            context->names[kept++] = context->names[i];
            continue;
        }
        if (context->names[i].served < last->served)
            last->served = context->names[i].served;
        mem_free(context->names[i].name);
    }
    context->name_count = kept;
}

// ---- server: OCSP stapling (RFC 6066 8)

static int staple(SSL *ssl, void *pointer) {
    const struct served *served = pointer;
    if (served->ocsp_until && X509_cmp_current_time(served->ocsp_until) < 0)
        return SSL_TLSEXT_ERR_NOACK; // an outdated answer is worse than none
    unsigned char *copy = OPENSSL_memdup(served->ocsp, (size_t)served->ocsp_len);
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, served->ocsp_len);
    return SSL_TLSEXT_ERR_OK;
}

// The single answers' serial numbers tell whose answer it is.
static bool answers_for(OCSP_BASICRESP *basic, X509 *certificate, ASN1_GENERALIZEDTIME **until) {
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        ASN1_INTEGER *serial = NULL;
        ASN1_GENERALIZEDTIME *next = NULL;
        OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
        if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) != 0)
            continue;
        OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
        *until = next ? ASN1_STRING_dup(next) : NULL;
        return true;
    }
    return false;
}

static bool read_ocsp(struct served *served, const char *path, struct error *error) {
    BIO *file = BIO_new_file(path, "rb");
    OCSP_RESPONSE *response = file ? d2i_OCSP_RESPONSE_bio(file, NULL) : NULL;
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
    bool ok = false;
    if (!basic || OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        error_set(error, "%s holds no successful OCSP response in DER form", path);
    else if (!answers_for(basic, SSL_CTX_get0_certificate(served->handle), &served->ocsp_until))
        error_set(error, "the OCSP response in %s is about another certificate", path);
    else
        ok = true;
    unsigned char *der = NULL;
    served->ocsp_len = ok ? i2d_OCSP_RESPONSE(response, &der) : 0;
    if (served->ocsp_len > 0) {
        served->ocsp = mem_alloc((size_t)served->ocsp_len);
        memcpy(served->ocsp, der, (size_t)served->ocsp_len);
        SSL_CTX_set_tlsext_status_cb(served->handle, staple);
        SSL_CTX_set_tlsext_status_arg(served->handle, served);
    }
    OPENSSL_free(der);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    BIO_free(file);
    ERR_clear_error();
    return ok;
}

// ---- server

static bool ask_for_certificates(SSL_CTX *handle, const struct tls_server_settings *settings,
                                 struct error *error) {
    if (!settings->client_ca)
        return true;
    if (!trust(handle, settings->client_ca, error))
        return false;
    SSL_CTX_set_client_CA_list(handle, SSL_load_client_CA_file(settings->client_ca));
    SSL_CTX_set_verify(
        handle, SSL_VERIFY_PEER | (settings->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return true;
}

// Sessions are kept by clients, in tickets. One that was made under other client authorities is not resumed.
static bool set_sessions(SSL_CTX *handle, const struct tls_server_settings *settings, struct error *error) {
    struct tls_context scratch = {.digest_len = 0};
    if (!digest_files(&scratch, &settings->client_ca, 1, settings->client_required ? "required" : "", error))
        return false;
    SSL_CTX_set_session_id_context(handle, scratch.digest, SSL_MAX_SID_CTX_LENGTH);
    SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(handle, 12 * 3600);
    tls_tickets_attach(handle);
    return true;
}

static bool serve(struct tls_context *context, const struct tls_server_settings *settings, size_t index,
                  struct error *error) {
    const struct tls_identity *identity = &settings->identities[index];
    struct served *served = &context->served[context->served_count++];
    SSL_CTX *handle = served->handle = handle_new(context, TLS_server_method());
    if (settings->only_1_3)
        SSL_CTX_set_min_proto_version(handle, TLS1_3_VERSION);
    SSL_CTX_set_alpn_select_cb(handle, choose_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(handle, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(handle, context);
    if (!load_pair(handle, identity->certificate, identity->private_key, error) ||
        !ask_for_certificates(handle, settings, error) || !set_sessions(handle, settings, error) ||
        (identity->ocsp_response && !read_ocsp(served, identity->ocsp_response, error)))
        return false;
    add_names(context, index);
    return true;
}

struct tls_context *tls_context_server(const struct tls_server_settings *settings, struct error *error) {
    struct tls_context *context = context_new(settings->identity_count);
    const char **paths = mem_zero(settings->identity_count * 3 + 1, sizeof *paths);
    char words[32];
    bool ok = true;
    context->tickets = tls_tickets_ref(settings->tickets);
    for (size_t i = 0; ok && i < settings->identity_count; i++) {
        ok = serve(context, settings, i, error);
        paths[i * 3] = settings->identities[i].certificate;
        paths[i * 3 + 1] = settings->identities[i].private_key;
        paths[i * 3 + 2] = settings->identities[i].ocsp_response;
    }
    paths[settings->identity_count * 3] = settings->client_ca;
    snprintf(words, sizeof words, "server %d %d", settings->client_required, settings->only_1_3);
    ok = ok && digest_files(context, paths, settings->identity_count * 3 + 1, words, error);
    mem_free(paths);
    settle_names(context);
    return made(context, ok);
}

// ---- client

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    return tls_keep_session(ssl, session);
}

static bool set_client(SSL_CTX *handle, const struct tls_client_settings *settings, struct error *error) {
    static const unsigned char spoken[] = "\x08http/1.1";
    SSL_CTX_set_alpn_protos(handle, spoken, sizeof spoken - 1); // 0 is success
    SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(handle, keep_session);
    SSL_CTX_set_verify(handle, settings->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (settings->ca && !trust(handle, settings->ca, error))
        return false;
    if (!settings->ca && settings->verify)
        SSL_CTX_set_default_verify_paths(handle);
    return !settings->certificate || load_pair(handle, settings->certificate, settings->private_key, error);
}

struct tls_context *tls_context_client(const struct tls_client_settings *settings, struct error *error) {
    struct tls_context *context = context_new(1);
    const char *paths[] = {settings->ca, settings->certificate, settings->private_key};
    context->served[context->served_count++].handle = handle_new(context, TLS_client_method());
    bool ok = set_client(context->served[0].handle, settings, error) &&
              digest_files(context, paths, 3, settings->verify ? "client verify" : "client", error);
    return made(context, ok);
}
