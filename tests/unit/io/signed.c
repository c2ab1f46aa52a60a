#include "signed.h"
#include "unit.h"
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static void write_files(const struct signed_files *files) {
    FILE *file = fopen(files->certificate, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, files->x509), 1);
    fclose(file);
    file = fopen(files->key, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, files->pair, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

struct signed_files *signed_new(const char *folder, const char *subject, const char *names,
                                const struct signed_files *by, int days) {
    static long serial = 1;
    struct signed_files *files = calloc(1, sizeof *files);
    snprintf(files->certificate, sizeof files->certificate, "%s/%ld.pem", folder, serial);
    snprintf(files->key, sizeof files->key, "%s/%ld.key", folder, serial);
    files->pair = EVP_EC_gen("P-256");
    X509 *x509 = files->x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), (long)days * 86400);
    X509_set_pubkey(x509, files->pair);
    X509_NAME *name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Test", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0);
    X509 *issuer = by ? by->x509 : x509;
    X509_set_issuer_name(x509, X509_get_subject_name(issuer));
    extend(x509, issuer, NID_basic_constraints, names ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (names)
        extend(x509, issuer, NID_subject_alt_name, names);
    assert_true(X509_sign(x509, by ? by->pair : files->pair, EVP_sha256()) > 0);
    write_files(files);
    return files;
}

void signed_free(struct signed_files *files) {
    unlink(files->certificate);
    unlink(files->key);
    X509_free(files->x509);
    EVP_PKEY_free(files->pair);
    free(files);
}
