// seal: a tag of 64 bits on 16 bytes, which only who has the key can make: AES-128 of the one block, cut in
// half. (One block under a pseudo-random permutation is a CBC-MAC of fixed length, NIST SP 800-38B's ground
// case, and a message of one length needs nothing more.) One thread each.
#pragma once
#include <stdint.h>

#define SEAL_KEY 16 // bytes

void seal_make_key(unsigned char key[SEAL_KEY]); // of random bytes

struct seal;
struct seal *seal_new(const unsigned char key[SEAL_KEY]);
void seal_free(struct seal *seal); // NULL is allowed
uint64_t seal_tag(struct seal *seal, const unsigned char block[16]);
