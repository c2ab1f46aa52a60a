// proxy_protocol: what stands in front of a connection's first byte. A second reader, written from
// proxy-protocol.txt for the test, must take the same headers and the same addresses; of a part that is here
// the verdict is that of the whole, or none yet; what follows the header never matters.
#include "../fuzz.h"
#include "io/proxy_protocol.h"

#include <arpa/inet.h>

struct told {
    bool malformed, more, told;
    size_t length;
    char host[ADDRESS_TEXT];
    unsigned port;
};

// ---- version 1 (2.1): at most 107 bytes with CRLF

static bool take_port(const char *text, unsigned *port) {
    size_t len = strlen(text);
    *port = 0;
    if (len < 1 || len > 5 || (len > 1 && *text == '0') || strspn(text, "0123456789") != len)
        return false;
    for (; *text; text++)
        *port = *port * 10 + (unsigned)(*text - '0');
    return *port <= 65535;
}

// An IPv4 client is the same one as ::ffff:a.b.c.d.
static bool write_host(bool v6, const char *address, char host[ADDRESS_TEXT]) {
    bool mapped = v6 && memcmp(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
    return inet_ntop(v6 && !mapped ? AF_INET6 : AF_INET, mapped ? address + 12 : address, host, ADDRESS_TEXT);
}

static bool take_host(const char *text, bool v6, char host[ADDRESS_TEXT]) {
    char address[16];
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, address) == 1 && write_host(v6, address, host);
}

// `line` without its CRLF, behind "PROXY ".
static bool read_line(char *line, size_t len, struct told *told) {
    char *parts[6], destination[ADDRESS_TEXT];
    unsigned count = 0, port;
    if (strncmp(line, "UNKNOWN", 7) == 0 && (len == 7 || line[7] == ' '))
        return true;
    for (char *at = line; at && count < 6;) {
        parts[count++] = at;
        at = strchr(at, ' ');
        if (at)
            *at++ = '\0';
    }
    bool v6 = strcmp(parts[0], "TCP6") == 0;
    told->told = count == 5 && (v6 || strcmp(parts[0], "TCP4") == 0) && take_host(parts[1], v6, told->host) &&
                 take_host(parts[2], v6, destination) && take_port(parts[3], &told->port) &&
                 take_port(parts[4], &port);
    return told->told;
}

static void model_v1(struct slice bytes, struct told *told) {
    char line[128] = "";
    size_t end = 0;
    for (size_t i = 0; i < 6; i++) {
        if (i == bytes.len) {
            told->more = true;
            return;
        }
        if (bytes.at[i] != "PROXY "[i]) {
            told->malformed = true;
            return;
        }
    }
    for (end = 6; end < bytes.len && bytes.at[end] != '\r' && bytes.at[end] != '\n' && end < 106; end++)
        ;
    if (end == bytes.len || (bytes.at[end] == '\r' && end + 1 == bytes.len)) {
        told->more = end <= 105; // room for CRLF
        told->malformed = !told->more;
        return;
    }
    if (bytes.at[end] != '\r' || bytes.at[end + 1] != '\n' || end > 105) {
        told->malformed = true;
        return;
    }
    memcpy(line, bytes.at + 6, end - 6);
    // A NUL would end the copy early; only behind UNKNOWN it may stand.
    told->malformed = !read_line(line, end - 6, told) || (told->told && memchr(bytes.at, 0, end));
    told->length = end + 2;
}

// ---- version 2 (2.2)

static unsigned two(struct slice bytes, size_t at) {
    return (unsigned)(unsigned char)bytes.at[at] << 8 | (unsigned char)bytes.at[at + 1];
}

static uint32_t crc32c_zeroed(struct slice bytes, size_t zeroed) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= i >= zeroed && i < zeroed + 4 ? 0 : (unsigned char)bytes.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static bool vectors_right(struct slice header, size_t at) {
    unsigned sums = 0;
    for (; at < header.len; at += 3 + two(header, at + 1)) {
        if (at + 3 > header.len || at + 3 + two(header, at + 1) > header.len)
            return false;
        if (header.at[at] != 3) // PP2_TYPE_CRC32C
            continue;
        uint32_t sum = two(header, at + 1) == 4 ? two(header, at + 3) << 16 | two(header, at + 5) : 0;
        if (++sums > 1 || two(header, at + 1) != 4 || sum != crc32c_zeroed(header, at + 3))
            return false;
    }
    return true;
}

static void model_v2(struct slice bytes, struct told *told) {
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    static const struct {
        unsigned char family;
        unsigned len;
        int kind;
    } families[] = {{0x00, 0, 0},  {0x11, 12, AF_INET},  {0x12, 12, 0}, {0x21, 36, AF_INET6},
                    {0x22, 36, 0}, {0x31, 216, AF_UNIX}, {0x32, 216, 0}};
    unsigned len = 0;
    int kind = -1;
    for (size_t i = 0; i < 12 && i < bytes.len; i++)
        told->malformed = told->malformed || bytes.at[i] != signature[i];
    bool local = bytes.len > 12 && bytes.at[12] == 0x20;
    for (size_t i = 0; bytes.len > 13 && i < sizeof families / sizeof *families; i++)
        if (families[i].family == (unsigned char)bytes.at[13]) {
            len = families[i].len;
            kind = families[i].kind;
        }
    if ((bytes.len > 12 && !local && bytes.at[12] != 0x21) || (bytes.len > 13 && !local && kind < 0))
        told->malformed = true;
    told->more = !told->malformed && bytes.len < 16;
    if (told->malformed || told->more)
        return;
    told->length = 16 + two(bytes, 14);
    len = local ? 0 : len;
    told->malformed = told->length > PROXY_PROTOCOL_MOST || two(bytes, 14) < len;
    told->more = !told->malformed && bytes.len < told->length;
    if (told->malformed || told->more)
        return;
    told->malformed = len && !vectors_right(slice_make(bytes.at, told->length), 16 + len);
    told->told = !told->malformed && !local && kind > 0;
    if (told->told && kind != AF_UNIX) {
        write_host(kind == AF_INET6, bytes.at + 16, told->host);
        told->port = two(bytes, kind == AF_INET ? 24 : 48);
    } else if (told->told) {
        strcpy(told->host, "unix");
    }
}

static void compare(enum proxy_protocol_result result, const struct proxy_protocol_header *header,
                    const struct told *told) {
    char host[ADDRESS_TEXT];
    must((result == PROXY_PROTOCOL_MORE) == told->more);
    must((result == PROXY_PROTOCOL_MALFORMED) == told->malformed);
    if (result != PROXY_PROTOCOL_DONE)
        return;
    must(header->length == told->length && header->told == told->told);
    if (!told->told)
        return;
    address_host(&header->source, host);
    must(strcmp(host, told->host) == 0);
    must(header->source.any.sa_family == AF_UNIX || address_port(&header->source) == told->port);
}

static enum proxy_protocol_result read_part(struct slice bytes, size_t len,
                                            struct proxy_protocol_header *header) {
    char *exact = mem_alloc(len);
    memcpy(exact, bytes.at, len);
    enum proxy_protocol_result result = proxy_protocol_read(slice_make(exact, len), header);
    mem_free(exact);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = slice_make((const char *)data, size);
    struct proxy_protocol_header header, part;
    struct told told = {0};
    if (!size)
        return 0;
    enum proxy_protocol_result result = proxy_protocol_read(bytes, &header);
    (bytes.at[0] == '\r' ? model_v2 : model_v1)(bytes, &told);
    compare(result, &header, &told);
    uint64_t random = fuzz_hash(bytes);
    size_t lens[] = {1 + random % size, 1 + (random >> 20) % size,
                     result == PROXY_PROTOCOL_DONE ? header.length - 1 : 1, header.length};
    for (size_t i = 0; i < (result == PROXY_PROTOCOL_DONE ? 4u : 2u); i++) {
        enum proxy_protocol_result then = read_part(bytes, lens[i], &part);
        must(then == result || then == PROXY_PROTOCOL_MORE);
        if (result == PROXY_PROTOCOL_DONE)
            must((then == PROXY_PROTOCOL_DONE) == (lens[i] >= header.length));
    }
    return 0;
}
