// tls_files: certificates, keys and authorities from PEM files into OpenSSL, with sentences that a person
// understands when they do not fit. Cold path, any thread.
#pragma once
#include "io/tls.h"
#include <openssl/ssl.h>

// Tells whoever wants to know (`to` may be NULL); always false.
bool tls_refuse(const struct tls_complaints *to, const char *path, const struct error *error);
// The oldest of OpenSSL's complaints about a file that should hold a `what`, in words; there are none
// afterwards. Valid until the next call on this thread.
const char *tls_complaint(const char *what);
// Whether the file can be opened and is none of OpenSSL's puzzles (it opens folders).
bool tls_readable(const char *path, const char *what, struct error *error);

// The chain and its key; both are looked at, whatever the other is worth.
bool tls_load_pair(SSL_CTX *handle, const char *certificate, const char *key,
                   const struct tls_complaints *to);
bool tls_trust(SSL_CTX *handle, const char *ca, const struct tls_complaints *to);
// When the chain that the handle has can be used: from its youngest certificate's begin to its first end.
struct tls_validity tls_chain_validity(const SSL_CTX *handle);

// What some files hold (NULL stands for itself) and the settings, in one value of at most EVP_MAX_MD_SIZE.
bool tls_digest(const char *const *paths, size_t count, const char *settings, unsigned char *digest,
                unsigned *len, const struct tls_complaints *to);
