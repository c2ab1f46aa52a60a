// secret: what must not be found out: compared in a time that tells nothing of it, and wiped when it is done
// with. Pure; any thread.
#pragma once
#include "base/slice.h"

// Takes as long for every wrong value of one length. An empty secret equals nothing.
bool secret_equal(struct slice given, struct slice secret);
void secret_free(char *text); // of mem.h, NUL-terminated; NULL is allowed
