// The hash is part of the product's contract: these are the vectors that XXH3's author publishes for his own
// sanity check, so a library that computes something else cannot pass.
#include "base/hash.h"
#include "unit.h"

#define PRIME32 2654435761u
#define PRIME64 11400714785074694797u

static const struct {
    size_t len;
    uint64_t seed, hash;
} published[] = {
    {0, 0, 0x2D06800538D394C2},         {0, PRIME64, 0xA8A6B918B2F0364A},  {1, 0, 0xC44BDFF4074EECDB},
    {1, PRIME64, 0x032BE332DD766EF8},   {6, 0, 0x27B56A84CD2D7325},        {6, PRIME64, 0x84589C116AB59AB9},
    {12, 0, 0xA713DAF0DFBB77E7},        {12, PRIME64, 0xE7303E1B2336DE0E}, {24, 0, 0xA3FE70BF9D3510EB},
    {24, PRIME64, 0x850E80FC35BDD690},  {48, 0, 0x397DA259ECBA1F11},       {48, PRIME64, 0xADC2CBAA44ACC616},
    {80, 0, 0xBCDEFBBB2C47C90A},        {80, PRIME64, 0xC6DD0CB699532E73}, {195, 0, 0xCD94217EE362EC3A},
    {195, PRIME64, 0xBA68003D370CB3D9},
};

static void published_vectors(void **state) {
    (void)state;
    char bytes[256];
    uint64_t next = PRIME32;
    for (size_t i = 0; i < sizeof bytes; i++, next *= PRIME64)
        bytes[i] = (char)(next >> 56);
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        struct slice input = slice_make(bytes, published[i].len);
        assert_int_equal(hash_bytes(published[i].seed, input), published[i].hash);
    }
    assert_int_equal(hash_bytes(0, slice_make(NULL, 0)), 0x2D06800538D394C2);
}

int test_hash(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_vectors)};
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
