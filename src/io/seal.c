#include "io/seal.h"

#include "base/mem.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

struct seal {
    EVP_CIPHER_CTX *cipher;
};

void seal_make_key(unsigned char key[SEAL_KEY]) {
    must(RAND_bytes(key, SEAL_KEY) == 1);
}

struct seal *seal_new(const unsigned char key[SEAL_KEY]) {
    struct seal *seal = mem_zero(1, sizeof *seal);
    seal->cipher = EVP_CIPHER_CTX_new();
    must(seal->cipher && EVP_EncryptInit_ex(seal->cipher, EVP_aes_128_ecb(), NULL, key, NULL) == 1 &&
         EVP_CIPHER_CTX_set_padding(seal->cipher, 0) == 1);
    return seal;
}

void seal_free(struct seal *seal) {
    if (!seal)
        return;
    EVP_CIPHER_CTX_free(seal->cipher);
    mem_free(seal);
}

uint64_t seal_tag(struct seal *seal, const unsigned char block[16]) {
    unsigned char out[16];
    int len = 0;
    uint64_t tag = 0;
    must(EVP_EncryptUpdate(seal->cipher, out, &len, block, 16) == 1 && len == 16);
    for (int i = 0; i < 8; i++)
        tag = tag << 8 | out[i];
    return tag;
}
