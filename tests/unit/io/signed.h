// signed: certificates for tests, made on the spot: PEM files in a folder of their own.
#pragma once
#include <limits.h>
#include <stdint.h>

struct evp_pkey_st;
struct x509_st;
struct signed_files {
    char certificate[PATH_MAX], key[PATH_MAX];
    struct evp_pkey_st *pair;
    struct x509_st *x509;
};
// `names` as OpenSSL writes them ("DNS:a.test,IP:127.0.0.1"); NULL makes an authority. `by` NULL: by itself.
// Good from an hour ago to `days` from now.
struct signed_files *signed_new(const char *folder, const char *subject, const char *names,
                                const struct signed_files *by, int days);
void signed_free(struct signed_files *files); // with the files
