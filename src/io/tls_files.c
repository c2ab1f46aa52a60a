#include "tls_files.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool tls_refuse(const struct tls_complaints *to, const char *path, const struct error *error) {
    if (to && to->tell)
        to->tell(path, error->text, to->context);
    return false;
}

static bool no_pem(unsigned long code) {
    int library = ERR_GET_LIB(code), reason = ERR_GET_REASON(code);
    return (library == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE) ||
           (library == ERR_LIB_OSSL_DECODER && reason == ERR_R_UNSUPPORTED) ||
           (library == ERR_LIB_X509 && reason == X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
}

const char *tls_complaint(const char *what) {
    static _Thread_local char text[128];
    unsigned long code = ERR_peek_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    if (no_pem(code)) {
        snprintf(text, sizeof text, "no %s in PEM form is in it", what);
        return text;
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_EE_KEY_TOO_SMALL)
        return "its key is too short to be safe";
    const char *reason = ERR_reason_error_string(code);
    return reason ? reason : "cannot be read";
}

bool tls_readable(const char *path, const char *what, struct error *error) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, "cannot read %s %s: %s", what, path, strerror(errno));
    bool folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    close(fd);
    return !folder || error_set(error, "cannot read %s %s: it is a folder", what, path);
}

// ---- certificates and keys

// A key that asks for a passphrase cannot be used by a daemon: it gets none, and that fails
// (OpenSSL would ask the terminal). `context`: where to note that it asked; NULL: nowhere.
static int no_passphrase(char *room, int size, int writing, void *context) {
    (void)room;
    (void)size;
    (void)writing;
    if (context)
        *(bool *)context = true;
    return -1;
}

static bool load_chain(SSL_CTX *handle, const char *certificate, const struct tls_complaints *to) {
    struct error error;
    ERR_clear_error();
    if (!tls_readable(certificate, "certificate", &error))
        return tls_refuse(to, certificate, &error);
    if (SSL_CTX_use_certificate_chain_file(handle, certificate) == 1)
        return true;
    error_set(&error, "cannot use certificate %s: %s", certificate, tls_complaint("certificate"));
    return tls_refuse(to, certificate, &error);
}

static bool load_key(SSL_CTX *handle, const char *certificate, const char *key,
                     const struct tls_complaints *to) {
    struct error error;
    bool asked = false;
    ERR_clear_error();
    if (!tls_readable(key, "private key", &error))
        return tls_refuse(to, key, &error);
    SSL_CTX_set_default_passwd_cb_userdata(handle, &asked);
    bool ok = SSL_CTX_use_PrivateKey_file(handle, key, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(handle, NULL);
    if (ok)
        return true;
    if (asked)
        error_set(&error, "cannot use private key %s: it needs a passphrase, which nobody is asked for", key);
    else if (ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH)
        error_set(&error, "private key %s is not the one of certificate %s", key, certificate);
    else
        error_set(&error, "cannot use private key %s: %s", key, tls_complaint("private key"));
    ERR_clear_error();
    return tls_refuse(to, key, &error);
}

bool tls_load_pair(SSL_CTX *handle, const char *certificate, const char *key,
                   const struct tls_complaints *to) {
    SSL_CTX_set_default_passwd_cb(handle, no_passphrase);
    bool chain = load_chain(handle, certificate, to);
    return load_key(handle, certificate, key, to) && chain;
}

bool tls_trust(SSL_CTX *handle, const char *ca, const struct tls_complaints *to) {
    struct error error;
    ERR_clear_error();
    if (!tls_readable(ca, "the authorities in", &error))
        return tls_refuse(to, ca, &error);
    if (SSL_CTX_load_verify_file(handle, ca) == 1)
        return true;
    error_set(&error, "cannot use the authorities in %s: %s", ca, tls_complaint("certificate"));
    return tls_refuse(to, ca, &error);
}

// ---- validity

static int64_t seconds_of(const ASN1_TIME *time, int64_t otherwise) {
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : otherwise;
}

static void narrow(struct tls_validity *validity, const X509 *certificate) {
    int64_t from = seconds_of(X509_get0_notBefore(certificate), INT64_MIN);
    int64_t until = seconds_of(X509_get0_notAfter(certificate), INT64_MAX);
    if (from > validity->from)
        validity->from = from;
    if (until < validity->until)
        validity->until = until;
}

struct tls_validity tls_chain_validity(const SSL_CTX *handle) {
    struct tls_validity validity = {INT64_MIN, INT64_MAX};
    const X509 *leaf = SSL_CTX_get0_certificate(handle);
    STACK_OF(X509) *chain = NULL;
    if (leaf)
        narrow(&validity, leaf);
    SSL_CTX_get0_chain_certs((SSL_CTX *)handle, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++)
        narrow(&validity, sk_X509_value(chain, i));
    return validity;
}

// ---- digest

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

bool tls_digest(const char *const *paths, size_t count, const char *settings, unsigned char *digest,
                unsigned *len, const struct tls_complaints *to) {
    struct error error;
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    bool ok = sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1;
    must(ok);
    EVP_DigestUpdate(sum, settings, strlen(settings) + 1);
    for (size_t i = 0; ok && i < count; i++)
        if (!add_file(sum, paths[i], &error))
            ok = tls_refuse(to, paths[i], &error);
    if (ok)
        EVP_DigestFinal_ex(sum, digest, len);
    EVP_MD_CTX_free(sum);
    return ok;
}
