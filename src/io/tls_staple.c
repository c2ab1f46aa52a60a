#include "tls_staple.h"
#include "base/mem.h"
#include "tls_files.h"
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <string.h>

static int send_it(SSL *ssl, void *pointer) {
    const struct tls_staple *staple = pointer;
    if (staple->until && X509_cmp_current_time(staple->until) < 0)
        return SSL_TLSEXT_ERR_NOACK; // an outdated answer is worse than none
    unsigned char *copy = OPENSSL_memdup(staple->file, (size_t)staple->len);
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, staple->len);
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

static void attach(struct tls_staple *staple, SSL_CTX *handle, OCSP_RESPONSE *response) {
    unsigned char *der = NULL;
    staple->len = i2d_OCSP_RESPONSE(response, &der);
    if (staple->len <= 0)
        return;
    staple->file = mem_alloc((size_t)staple->len);
    memcpy(staple->file, der, (size_t)staple->len);
    OPENSSL_free(der);
    SSL_CTX_set_tlsext_status_cb(handle, send_it);
    SSL_CTX_set_tlsext_status_arg(handle, staple);
}

bool tls_staple_read(struct tls_staple *staple, SSL_CTX *handle, const char *path, struct error *error) {
    ERR_clear_error();
    if (!tls_readable(path, "OCSP response", error))
        return false;
    BIO *file = BIO_new_file(path, "rb");
    OCSP_RESPONSE *response = file ? d2i_OCSP_RESPONSE_bio(file, NULL) : NULL;
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
    bool ok = false;
    if (!basic || OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        error_set(error, "%s holds no successful OCSP response in DER form", path);
    else if (!answers_for(basic, SSL_CTX_get0_certificate(handle), &staple->until))
        error_set(error, "the OCSP response in %s is about another certificate", path);
    else
        ok = true;
    if (ok)
        attach(staple, handle, response);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    BIO_free(file);
    ERR_clear_error();
    return ok;
}

void tls_staple_free(struct tls_staple *staple) {
    mem_free(staple->file);
    ASN1_GENERALIZEDTIME_free(staple->until);
}
