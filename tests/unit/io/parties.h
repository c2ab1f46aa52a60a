// parties: who meets in the tests of TLS. Made once for a group of tests.
#pragma once
#include "io/tls.h"
#include "signed.h"

extern struct parties {
    char folder[32];
    struct signed_files *ca, *stranger;          // authorities; clients trust the first
    struct signed_files *a, *wild, *user, *soon; // leaves of ca
    struct signed_files *foreign, *twin;         // leaves of stranger, with names that ca's have
    struct tls_tickets *tickets;
} parties;
int parties_make(void **state);
int parties_drop(void **state);

struct tls_identity parties_identity(const struct signed_files *files);
// The second and third may be NULL.
struct tls_context *parties_server(const struct signed_files *first, const struct signed_files *second,
                                   const struct signed_files *third);
struct tls_context *parties_asking(bool required); // a server that asks its clients for a certificate
struct tls_context *parties_client(const struct signed_files *ca, const struct signed_files *shown);
