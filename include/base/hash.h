// hash: XXH3, wrapped here and nowhere else. Pure; any thread.
#pragma once
#include "base/slice.h"

uint64_t hash_bytes(uint64_t seed, struct slice bytes);
