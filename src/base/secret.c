#include "base/secret.h"
#include "base/mem.h"

bool secret_equal(struct slice given, struct slice secret) {
    volatile unsigned char difference = given.len != secret.len;
    for (size_t i = 0; i < given.len && secret.len; i++)
        difference = (unsigned char)(difference | (given.at[i] ^ secret.at[i % secret.len]));
    return !difference && secret.len > 0;
}

void secret_free(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    mem_free(text);
}
