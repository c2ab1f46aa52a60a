#include "config/network.h"
#include <arpa/inet.h>
#include <stdio.h>

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

struct ip ip_of_bytes(const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    bool four = count == 4;
    if (count == 16 && memcmp(at, mapped, sizeof mapped) == 0) {
        four = true;
        at += sizeof mapped;
    }
    struct ip ip = {.family = four ? IP_4 : IP_6};
    memcpy(ip.bytes, at, four ? 4 : 16);
    return ip;
}

// As it is written: 4 or 16 bytes; 0 when it is no address.
static size_t read_bytes(struct slice text, unsigned char bytes[16]) {
    char copy[IP_TEXT];
    if (text.len == 0 || text.len >= sizeof copy)
        return 0;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    if (strlen(copy) != text.len) // a NUL inside
        return 0;
    if (inet_pton(AF_INET, copy, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, copy, bytes) == 1 ? 16 : 0;
}

bool ip_parse(struct slice text, struct ip *ip) {
    unsigned char bytes[16];
    size_t count = read_bytes(text, bytes);
    if (count == 0)
        return false;
    *ip = ip_of_bytes(bytes, count);
    return true;
}

size_t ip_text(const struct ip *ip, char text[IP_TEXT]) {
    if (ip->family == IP_LOCAL)
        memcpy(text, "unix", 5);
    else
        inet_ntop(ip->family == IP_4 ? AF_INET : AF_INET6, ip->bytes, text, IP_TEXT);
    return strlen(text);
}

// Clears the bits behind the first `keep`. False: there were none.
static bool clear_behind(unsigned char *bytes, size_t count, unsigned keep) {
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        unsigned left = keep > i * 8 ? keep - (unsigned)i * 8 : 0;
        unsigned char mask = (unsigned char)(left >= 8 ? 0xff : 0xff00 >> left);
        any = any || (bytes[i] & (unsigned char)~mask);
        bytes[i] = (unsigned char)(bytes[i] & mask);
    }
    return any;
}

enum network_fault network_parse(struct slice text, struct network *network) {
    unsigned char bytes[16];
    struct slice rest = text;
    struct slice address = slice_cut(&rest, '/');
    size_t count = read_bytes(address, bytes);
    uint64_t bits = count * 8;
    if (count == 0)
        return NETWORK_NO_ADDRESS;
    if (rest.at && (!slice_to_u64(rest, &bits) || bits > count * 8 || rest.len > 3))
        return NETWORK_BITS;
    bool any = clear_behind(bytes, count, (unsigned)bits);
    network->first = ip_of_bytes(bytes, count);
    // What is shorter than ::ffff:0:0/96 has lost a bit of the ffff, and is no IPv4 any more.
    network->bits = count == 16 && network->first.family == IP_4 ? (unsigned)bits - 96 : (unsigned)bits;
    return any ? NETWORK_HOST_BITS : NETWORK_FINE;
}

void network_text(const struct network *network, char text[NETWORK_TEXT]) {
    char first[IP_TEXT];
    ip_text(&network->first, first);
    snprintf(text, NETWORK_TEXT, "%s/%u", first, network->bits);
}

bool network_holds(const struct network *network, const struct ip *ip) {
    if (network->first.family != ip->family || ip->family == IP_LOCAL)
        return false;
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (memcmp(network->first.bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->first.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

bool network_list_holds(const struct network_list *list, const struct ip *ip) {
    if (ip->family == IP_LOCAL)
        return list->local;
    for (size_t i = 0; i < list->count; i++)
        if (network_holds(&list->items[i], ip))
            return true;
    return false;
}
