#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct slice bytes, struct strbuf *out) {
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < have ? (unsigned char)bytes.at[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            strbuf_char(out, k <= have ? letters[bits >> (18 - 6 * k) & 63] : '=');
    }
}

int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_read(struct slice text, char *bytes, size_t *len) {
    size_t padding = 0, count = 0;
    if (text.len % 4 != 0)
        return false;
    while (padding < 2 && padding < text.len && text.at[text.len - 1 - padding] == '=')
        padding++;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len - padding; i++) {
        int value = base64_digit(text.at[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 0)
            continue;
        unsigned left = 6 - 2 * (unsigned)(i % 4); // bits that belong to the next byte
        bytes[count++] = (char)(bits >> left & 0xff);
        bits &= (1u << left) - 1;
    }
    *len = count;
    return bits == 0;
}
