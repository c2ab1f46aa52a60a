#include "seen.h"

#include "base/mem.h"
#include "base/random.h"

#include "base/hash.h"

// A ring of hashes in the order in which they came, and a table that finds them (open addressing, at most
// half full, with the holes of removals closed). 0 is an empty place.
struct seen {
    uint64_t seed;
    uint64_t *ring, *table;
    size_t most, next, places; // places: a power of two
};

struct seen *seen_new(size_t most) {
    struct random_state random;
    struct seen *seen = mem_zero(1, sizeof *seen);
    random_seed(&random);
    must(most > 0);
    seen->seed = random_next(&random);
    seen->most = most;
    for (seen->places = 16; seen->places < 2 * most;)
        seen->places *= 2;
    seen->ring = mem_zero(most, sizeof *seen->ring);
    seen->table = mem_zero(seen->places, sizeof *seen->table);
    return seen;
}

void seen_free(struct seen *seen) {
    if (!seen)
        return;
    mem_free(seen->ring);
    mem_free(seen->table);
    mem_free(seen);
}

// Where the hash is, or the empty place where it belongs.
static size_t place_of(const struct seen *seen, uint64_t hash) {
    size_t place = hash & (seen->places - 1);
    while (seen->table[place] && seen->table[place] != hash)
        place = (place + 1) & (seen->places - 1);
    return place;
}

// What stands behind a hole moves up where it would not be found otherwise.
static void forget(struct seen *seen, uint64_t hash) {
    size_t mask = seen->places - 1, hole = place_of(seen, hash);
    for (size_t at = (hole + 1) & mask; seen->table[at]; at = (at + 1) & mask) {
        size_t home = seen->table[at] & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; // it lies between its home and the hole
        seen->table[hole] = seen->table[at];
        hole = at;
    }
    seen->table[hole] = 0;
}

bool seen_add(struct seen *seen, struct slice name) {
    uint64_t hash = hash_bytes(seen->seed, name);
    hash += hash == 0;
    if (seen->table[place_of(seen, hash)])
        return true;
    if (seen->ring[seen->next])
        forget(seen, seen->ring[seen->next]);
    seen->ring[seen->next] = hash;
    seen->next = (seen->next + 1) % seen->most;
    seen->table[place_of(seen, hash)] = hash;
    return false;
}
