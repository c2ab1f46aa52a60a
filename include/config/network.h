// network: IP addresses and the networks they are in, as `trusted_proxies` lists them. Pure value types; any
// thread. An IPv4 address that is written as IPv6 (::ffff:10.0.0.1) is the IPv4 address; an IPv6 network of
// fewer than 96 bits never holds IPv4 addresses.
#pragma once
#include "base/slice.h"

// IP_LOCAL: the peer of a unix socket, which has no address.
enum ip_family { IP_LOCAL, IP_4, IP_6 };
struct ip {
    enum ip_family family;
    unsigned char bytes[16]; // network order; IPv4: the first 4, the rest 0
};
#define IP_TEXT 46 // with the NUL

struct network {
    struct ip first;
    unsigned bits; // of the address that count
};
struct network_list {
    struct network *items;
    size_t count;
    bool local; // peers on unix sockets belong to it
};

// "10.0.0.1", "2001:db8::1"; no brackets, no port, no zone. False for anything else.
bool ip_parse(struct slice text, struct ip *ip);
// Bytes of an IPv4 (4) or IPv6 (16) address.
struct ip ip_of_bytes(const void *bytes, size_t count);
size_t ip_text(const struct ip *ip, char text[IP_TEXT]); // "unix" without an address; the length

enum network_fault {
    NETWORK_FINE,
    NETWORK_NO_ADDRESS, // what stands before the "/"
    NETWORK_BITS,       // what stands behind it is no number from 0 to 32 or 128
    NETWORK_HOST_BITS,  // bits of the address are set behind those that count; *network has them cleared
};
// "10.0.0.0/8", "2001:db8::/32", or a single address.
enum network_fault network_parse(struct slice text, struct network *network);
// "10.0.0.0/8"; always with its bits.
#define NETWORK_TEXT (IP_TEXT + 4)
void network_text(const struct network *network, char text[NETWORK_TEXT]);
bool network_holds(const struct network *network, const struct ip *ip);
bool network_list_holds(const struct network_list *list, const struct ip *ip);
