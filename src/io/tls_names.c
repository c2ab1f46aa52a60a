#include "tls_names.h"
#include "base/mem.h"
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MOST 256 // RFC 1035 2.3.4, and the zero

// Of any locale: names are ASCII here.
static void copy_lower(char *to, const char *from, size_t len) {
    for (size_t i = 0; i < len; i++)
        to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] + 32) : from[i];
    to[len] = 0;
}

static int by_text(const void *left, const void *right) {
    const struct tls_name *a = left, *b = right;
    return strcmp(a->text, b->text);
}

static void add(struct tls_names *names, const ASN1_STRING *text, size_t subject) {
    size_t len = (size_t)ASN1_STRING_length(text);
    char *copy = mem_alloc(len + 1);
    copy_lower(copy, (const char *)ASN1_STRING_get0_data(text), len);
    names->items = mem_resize(names->items, (names->count + 1) * sizeof *names->items);
    names->items[names->count++] = (struct tls_name){copy, subject};
}

void tls_names_add(struct tls_names *names, const X509 *certificate, size_t subject) {
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS)
            add(names, name->d.dNSName, subject);
    }
    GENERAL_NAMES_free(all);
}

void tls_names_settle(struct tls_names *names) {
    size_t kept = 0;
    if (names->count == 0)
        return;
    qsort(names->items, names->count, sizeof *names->items, by_text);
    for (size_t i = 0; i < names->count; i++) {
        struct tls_name *last = kept ? &names->items[kept - 1] : NULL;
        if (!last || strcmp(last->text, names->items[i].text) != 0) {
            names->items[kept++] = names->items[i];
            continue;
        }
        if (names->items[i].subject < last->subject)
            last->subject = names->items[i].subject;
        mem_free(names->items[i].text);
    }
    names->count = kept;
}

static const struct tls_name *look_up(const struct tls_names *names, char *text) {
    struct tls_name key = {text, 0};
    return names->count ? bsearch(&key, names->items, names->count, sizeof key, by_text) : NULL;
}

size_t tls_names_find(const struct tls_names *names, const char *asked) {
    char lower[NAME_MOST];
    size_t len = strlen(asked);
    if (len == 0 || len >= sizeof lower)
        return 0;
    copy_lower(lower, asked, len);
    const struct tls_name *found = look_up(names, lower);
    char *dot = strchr(lower, '.');
    if (!found && dot && dot > lower) { // a wildcard stands for one label, the first
        *--dot = '*';
        found = look_up(names, dot);
    }
    return found ? found->subject : 0;
}

void tls_names_free(struct tls_names *names) {
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i].text);
    mem_free(names->items);
}
