// hex: bytes as lower-case hexadecimal digits. Pure; any thread. In the header, since every request has some
// hundred.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// 16 digits, the most significant first.
static inline void hex_u64(char *to, uint64_t value) {
#if defined(__SSE2__)
    const __m128i half = _mm_set1_epi8(0x0f);
    __m128i bytes = _mm_cvtsi64_si128((long long)__builtin_bswap64(value));
    __m128i nibbles =
        _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), half), _mm_and_si128(bytes, half));
    __m128i letters = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
    __m128i digits = _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')),
                                  _mm_and_si128(letters, _mm_set1_epi8('a' - '0' - 10)));
    _mm_storeu_si128((__m128i *)(void *)to, digits);
#else
    for (int i = 15; i >= 0; i--, value >>= 4)
        to[i] = "0123456789abcdef"[value & 15];
#endif
}

// Two digits of each byte, in groups of 8 bytes.
static inline void hex_bytes(char *to, const unsigned char *bytes, size_t groups) {
    for (size_t i = 0; i < groups; i++) {
        uint64_t value = 0;
        for (int k = 0; k < 8; k++)
            value = value << 8 | bytes[8 * i + (size_t)k];
        hex_u64(to + 16 * i, value);
    }
}
