// issued: the X-Request-Id that is made here: 48 hexadecimal digits that say which variant of which route a
// request was decided for, so that a score can be posted by it later, at any replica that has the same key
// (docs/api.md, "Feedback"). Pure but for the seal.
//   8 bytes random | 4 bytes of the route's and variant's names | 2 bytes of the unit | 1 byte flags | 1 byte
//   version | 8 bytes tag
#pragma once
#include "base/slice.h"
#include "io/seal.h"
#include <stdbool.h>

#define ISSUED_DIGITS 48

struct issued {
    uint32_t arm;  // issued_arm()
    uint16_t unit; // the upper bits of its hash
    bool has_unit;
    bool by_choice; // a tester's or a task's: says nothing about the variant's users
};
// Of names, so that it holds over reloads and replicas.
uint32_t issued_arm(const char *route, const char *variant);
void issued_write(struct seal *seal, uint64_t random, const struct issued *issued, char text[ISSUED_DIGITS]);
// False: it was not made by who has that key.
bool issued_read(struct seal *seal, struct slice text, struct issued *issued);
