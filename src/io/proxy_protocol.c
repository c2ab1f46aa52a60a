#include "io/proxy_protocol.h"
#include <arpa/inet.h>

#define V1_MOST 107 // with its CRLF
#define V2_HEAD 16

static const char v2_signature[12] = {13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10};

static unsigned octet(struct slice bytes, size_t at) {
    return (unsigned char)bytes.at[at];
}

static unsigned two(struct slice bytes, size_t at) {
    return octet(bytes, at) << 8 | octet(bytes, at + 1);
}

// True while `bytes`, perhaps cut, begins as `signature` does.
static bool begins(struct slice bytes, struct slice signature) {
    size_t len = bytes.len < signature.len ? bytes.len : signature.len;
    return memcmp(bytes.at, signature.at, len) == 0;
}

// ---- version 1: one line of text

// Decimal without leading zeros.
static bool read_port(struct slice text, uint16_t *port) {
    uint64_t value;
    if (text.len > 5 || (text.len > 1 && text.at[0] == '0') || !slice_to_u64(text, &value) || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

static bool read_host(struct slice text, int family, uint16_t port, struct address *address) {
    char host[INET6_ADDRSTRLEN];
    if (text.len >= sizeof host || slice_find(text, 0) < text.len)
        return false;
    memcpy(host, text.at, text.len);
    host[text.len] = 0;
    return address_numeric(address, host, port) && address->any.sa_family == family;
}

// "TCP4 SOURCE DESTINATION PORT PORT", "TCP6 …", or "UNKNOWN" and whatever.
static bool read_line(struct slice rest, struct proxy_protocol_header *header) {
    struct slice word = slice_cut(&rest, ' ');
    if (slice_equal(word, SLICE("UNKNOWN")))
        return true;
    int family = slice_equal(word, SLICE("TCP4")) ? AF_INET : AF_INET6;
    if (family == AF_INET6 && !slice_equal(word, SLICE("TCP6")))
        return false;
    struct address destination;
    uint16_t port, destination_port;
    struct slice from = slice_cut(&rest, ' '), to = slice_cut(&rest, ' '), from_port = slice_cut(&rest, ' ');
    header->told = rest.at && read_port(from_port, &port) && read_port(rest, &destination_port) &&
                   read_host(from, family, port, &header->source) &&
                   read_host(to, family, destination_port, &destination);
    return header->told;
}

static enum proxy_protocol_result read_v1(struct slice bytes, struct proxy_protocol_header *header) {
    static const struct slice start = {"PROXY ", 6};
    if (!begins(bytes, start))
        return PROXY_PROTOCOL_MALFORMED;
    size_t end = slice_find(bytes, '\r');
    if (slice_find(bytes, '\n') < end || end + 2 > V1_MOST)
        return PROXY_PROTOCOL_MALFORMED;
    if (end + 1 >= bytes.len)
        return PROXY_PROTOCOL_MORE;
    if (end < start.len || bytes.at[end + 1] != '\n' ||
        !read_line(slice_make(bytes.at + start.len, end - start.len), header))
        return PROXY_PROTOCOL_MALFORMED;
    header->length = end + 2;
    return PROXY_PROTOCOL_DONE;
}

// ---- version 2: binary

// CRC32C (Castagnoli), a byte at a time; once in a connection, over some hundred bytes.
static uint32_t crc32c(uint32_t crc, struct slice bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return crc;
}

// Over the whole header, with the four bytes of the checksum itself, at `at`, as zeros.
static bool checksum_right(struct slice header, size_t at) {
    uint32_t crc = crc32c(~0u, slice_make(header.at, at));
    crc = crc32c(crc, SLICE("\0\0\0\0"));
    crc = ~crc32c(crc, slice_from(header, at + 4));
    return crc == (two(header, at) << 16 | two(header, at + 2));
}

// The type-length-value triples from `at` on; `header` is whole.
static bool tlvs_right(struct slice header, size_t at) {
    enum { CRC32C = 3 };
    bool summed = false;
    while (at < header.len) {
        if (header.len - at < 3 || header.len - at - 3 < two(header, at + 1))
            return false;
        unsigned type = octet(header, at), len = two(header, at + 1);
        if (type == CRC32C) {
            if (summed || len != 4 || !checksum_right(header, at + 3))
                return false;
            summed = true;
        }
        at += 3 + len;
    }
    return true;
}

// Bytes of both addresses with their ports, by the byte of family and transport; -1: there is no such byte.
static int addresses_len(unsigned family) {
    switch (family) {
    case 0x00:
        return 0;
    case 0x11: // TCP over IPv4, and as a datagram
    case 0x12:
        return 12;
    case 0x21:
    case 0x22:
        return 36;
    case 0x31: // unix sockets
    case 0x32:
        return 216;
    default:
        return -1;
    }
}

static void take_source(struct slice bytes, unsigned family, struct proxy_protocol_header *header) {
    struct address *source = &header->source;
    memset(source, 0, sizeof *source);
    header->told = true;
    if (family == 0x11) {
        source->len = sizeof source->v4;
        source->v4.sin_family = AF_INET;
        memcpy(&source->v4.sin_addr, bytes.at + V2_HEAD, 4);
        address_set_port(source, (uint16_t)two(bytes, V2_HEAD + 8));
    } else if (family == 0x21) {
        source->len = sizeof source->v6;
        source->v6.sin6_family = AF_INET6;
        memcpy(&source->v6.sin6_addr, bytes.at + V2_HEAD, 16);
        address_set_port(source, (uint16_t)two(bytes, V2_HEAD + 32));
    } else if (family == 0x31) {
        source->len = sizeof source->any.sa_family;
        source->any.sa_family = AF_UNIX;
    } else {
        header->told = false;
    }
}

static enum proxy_protocol_result read_v2(struct slice bytes, struct proxy_protocol_header *header) {
    enum { LOCAL = 0x20, PROXY = 0x21 };
    if (!begins(bytes, slice_make(v2_signature, sizeof v2_signature)))
        return PROXY_PROTOCOL_MALFORMED;
    unsigned command = bytes.len > 12 ? octet(bytes, 12) : PROXY;
    unsigned family = bytes.len > 13 ? octet(bytes, 13) : 0;
    if (command != LOCAL && command != PROXY)
        return PROXY_PROTOCOL_MALFORMED;
    // What LOCAL says of the family is ignored, and so is everything behind it (section 2.2).
    int addresses = command == LOCAL ? 0 : addresses_len(family);
    if (addresses < 0)
        return PROXY_PROTOCOL_MALFORMED;
    if (bytes.len < V2_HEAD)
        return PROXY_PROTOCOL_MORE;
    size_t length = V2_HEAD + two(bytes, 14);
    if (length > PROXY_PROTOCOL_MOST || length < V2_HEAD + (size_t)addresses)
        return PROXY_PROTOCOL_MALFORMED;
    if (bytes.len < length)
        return PROXY_PROTOCOL_MORE;
    // Without an address of known length nobody can say where the TLVs begin.
    if (addresses > 0 && !tlvs_right(slice_make(bytes.at, length), V2_HEAD + (size_t)addresses))
        return PROXY_PROTOCOL_MALFORMED;
    if (addresses > 0)
        take_source(bytes, family, header);
    header->length = length;
    return PROXY_PROTOCOL_DONE;
}

enum proxy_protocol_result proxy_protocol_read(struct slice bytes, struct proxy_protocol_header *header) {
    header->told = false;
    header->length = 0;
    if (bytes.len == 0)
        return PROXY_PROTOCOL_MORE;
    return bytes.at[0] == v2_signature[0] ? read_v2(bytes, header) : read_v1(bytes, header);
}
