// tls_names: which of several certificates is for the name that a client asks for (SNI, RFC 6066 3). Filled
// while a context is made, then only read, by any thread.
#pragma once
#include <openssl/x509.h>
#include <stddef.h>

struct tls_name {
    char *text;     // lower case, "*." in front of a wildcard
    size_t subject; // index of the certificate that it is in
};
struct tls_names { // zeroed: none
    struct tls_name *items;
    size_t count; // sorted once tls_names_settle was called
};
void tls_names_add(struct tls_names *names, const X509 *certificate, size_t subject); // its DNS names
// After the last one was added: of several certificates for one name the first has it.
void tls_names_settle(struct tls_names *names);
// The certificate for `asked`; 0 when none is: the first one is for every other name.
size_t tls_names_find(const struct tls_names *names, const char *asked);
void tls_names_free(struct tls_names *names);
