#include "parties.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct parties parties;

int parties_make(void **state) {
    (void)state;
    strcpy(parties.folder, "/tmp/sluice-tls-XXXXXX");
    assert_non_null(mkdtemp(parties.folder));
    parties.ca = signed_new(parties.folder, "ca", NULL, NULL, 30);
    parties.stranger = signed_new(parties.folder, "stranger", NULL, NULL, 30);
    parties.a = signed_new(parties.folder, "a", "DNS:a.test,IP:127.0.0.1", parties.ca, 30);
    parties.wild = signed_new(parties.folder, "wild", "DNS:*.b.test", parties.ca, 30);
    parties.foreign = signed_new(parties.folder, "foreign", "DNS:a.test", parties.stranger, 30);
    parties.twin = signed_new(parties.folder, "twin", "DNS:x.b.test", parties.stranger, 30);
    parties.user = signed_new(parties.folder, "us,er\n", "DNS:user", parties.ca, 30);
    parties.soon = signed_new(parties.folder, "soon", "DNS:soon", parties.ca, 3);
    parties.tickets = tls_tickets_new();
    return 0;
}

int parties_drop(void **state) {
    (void)state;
    struct signed_files *all[] = {parties.ca,      parties.stranger, parties.a,    parties.wild,
                                  parties.foreign, parties.twin,     parties.user, parties.soon};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        signed_free(all[i]);
    tls_tickets_unref(parties.tickets);
    return rmdir(parties.folder);
}

// ---- contexts

struct tls_identity parties_identity(const struct signed_files *files) {
    return (struct tls_identity){files->certificate, files->key, NULL};
}

struct tls_context *parties_server(const struct signed_files *first, const struct signed_files *second,
                                   const struct signed_files *third) {
    struct tls_identity identities[3] = {parties_identity(first)};
    size_t count = 1;
    if (second)
        identities[count++] = parties_identity(second);
    if (third)
        identities[count++] = parties_identity(third);
    struct tls_server_settings settings = {
        .identities = identities, .identity_count = count, .tickets = parties.tickets};
    struct tls_context *context = tls_context_server(&settings, NULL);
    assert_non_null(context);
    return context;
}

struct tls_context *parties_client(const struct signed_files *ca, const struct signed_files *shown) {
    struct tls_client_settings settings = {.ca = ca->certificate, .verify = true};
    if (shown) {
        settings.certificate = shown->certificate;
        settings.private_key = shown->key;
    }
    struct tls_context *context = tls_context_client(&settings, NULL);
    assert_non_null(context);
    return context;
}

struct tls_context *parties_asking(bool required) {
    struct tls_identity mine = parties_identity(parties.a);
    struct tls_server_settings settings = {.identities = &mine,
                                           .identity_count = 1,
                                           .client_ca = parties.ca->certificate,
                                           .client_required = required,
                                           .tickets = parties.tickets};
    struct tls_context *context = tls_context_server(&settings, NULL);
    assert_non_null(context);
    return context;
}
