// Keys of session tickets (RFC 5077, RFC 8446 4.6.1). A ticket holds a session, sealed by the newest key; one
// sealed by the key before is still opened. Handshakes take the lock for a copy of 80 bytes.
#include "base/clock.h"
#include "base/mem.h"
#include "base/refcount.h"
#include "tls_inside.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

#define LIFE_NS (12 * 3600 * 1000000000ull)

struct ticket_key {
    unsigned char name[16], seal[32], mac[32];
};
struct tls_tickets {
    struct refcount refs;
    pthread_mutex_t lock;
    struct ticket_key newest, before;
    bool any_before;
    uint64_t made_ns;
};

static void make(struct ticket_key *key) {
    must(RAND_bytes((unsigned char *)key, sizeof *key) == 1);
}

struct tls_tickets *tls_tickets_new(void) {
    struct tls_tickets *tickets = mem_zero(1, sizeof *tickets);
    refcount_init(&tickets->refs);
    pthread_mutex_init(&tickets->lock, NULL);
    make(&tickets->newest);
    tickets->made_ns = clock_monotonic_ns();
    return tickets;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets) {
    refcount_take(&tickets->refs);
    return tickets;
}

void tls_tickets_unref(struct tls_tickets *tickets) {
    if (!tickets || !refcount_drop(&tickets->refs))
        return;
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(&tickets->newest, sizeof tickets->newest);
    OPENSSL_cleanse(&tickets->before, sizeof tickets->before);
    mem_free(tickets);
}

static void renew(struct tls_tickets *tickets) {
    uint64_t now = clock_monotonic_ns();
    if (now - tickets->made_ns < LIFE_NS)
        return;
    tickets->before = tickets->newest;
    tickets->any_before = now - tickets->made_ns < 2 * LIFE_NS; // a key that slept for a day is too old
    make(&tickets->newest);
    tickets->made_ns = now;
}

// Both keys, whether there is one before, and the monotonic clock when the newest was made: the clock is the
// machine's, not the process's.
struct packed {
    struct ticket_key newest, before;
    uint64_t any_before, made_ns;
};
_Static_assert(sizeof(struct packed) == TLS_TICKETS_BYTES, "no padding");

void tls_tickets_export(struct tls_tickets *tickets, unsigned char bytes[TLS_TICKETS_BYTES]) {
    pthread_mutex_lock(&tickets->lock);
    struct packed packed = {tickets->newest, tickets->before, tickets->any_before, tickets->made_ns};
    pthread_mutex_unlock(&tickets->lock);
    memcpy(bytes, &packed, sizeof packed);
    OPENSSL_cleanse(&packed, sizeof packed);
}

bool tls_tickets_import(struct tls_tickets *tickets, const unsigned char *bytes, size_t len) {
    struct packed packed;
    if (len != sizeof packed)
        return false;
    memcpy(&packed, bytes, sizeof packed);
    bool known = packed.any_before <= 1 && packed.made_ns <= clock_monotonic_ns();
    if (known) {
        pthread_mutex_lock(&tickets->lock);
        tickets->newest = packed.newest;
        tickets->before = packed.before;
        tickets->any_before = packed.any_before;
        tickets->made_ns = packed.made_ns;
        pthread_mutex_unlock(&tickets->lock);
    }
    OPENSSL_cleanse(&packed, sizeof packed);
    return known;
}

// 1: the newest key (to seal with, or named by the ticket), 2: the one before, 0: neither.
static int find(struct tls_tickets *tickets, const unsigned char *name, struct ticket_key *key) {
    int found = 0;
    pthread_mutex_lock(&tickets->lock);
    renew(tickets);
    if (!name || memcmp(name, tickets->newest.name, sizeof key->name) == 0)
        found = 1;
    else if (tickets->any_before && memcmp(name, tickets->before.name, sizeof key->name) == 0)
        found = 2;
    *key = found == 2 ? tickets->before : tickets->newest;
    pthread_mutex_unlock(&tickets->lock);
    return found;
}

static bool start(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int sealing) {
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->seal, iv, sealing) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                  int sealing) {
    const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    int found = find(tls_context_tickets(context), sealing ? NULL : name, &key);
    if (found && sealing) {
        memcpy(name, key.name, sizeof key.name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
    }
    if (found && !sealing && SSL_version(ssl) == TLS1_3_VERSION)
        found = 2; // tickets are for one use there (RFC 8446 C.4): the next visit needs another
    if (found && !start(&key, iv, cipher, mac, sealing))
        found = -1;
    OPENSSL_cleanse(&key, sizeof key);
    return found;
}

void tls_tickets_attach(SSL_CTX *handle) {
    must(SSL_CTX_set_tlsext_ticket_key_evp_cb(handle, ticket) == 1);
}
