// tls_staple: an OCSP response that goes out with a certificate (RFC 6066 8). Read once, then shared by every
// thread.
#pragma once
#include "base/error.h"
#include <openssl/ssl.h>

struct tls_staple {      // zeroed: none
    unsigned char *file; // as it stands there; NULL: none
    int len;
    ASN1_GENERALIZEDTIME *until; // NULL: for ever
};
// Reads the DER file, which has to be about the handle's certificate; the handle's connections staple it from
// then on, until its next update is due. The staple outlives the handle.
bool tls_staple_read(struct tls_staple *staple, SSL_CTX *handle, const char *path, struct error *error);
void tls_staple_free(struct tls_staple *staple);
