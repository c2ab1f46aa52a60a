// address: a socket address with its text. Value type; any thread.
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include "config/network.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un unix_path;
    };
};
#define ADDRESS_TEXT 128

// "0.0.0.0:80", "[::]:80", "unix:/path". Numeric only.
bool address_parse(struct address *address, const char *text, struct error *error);
// "10.0.0.1" or "2001:db8::1" (no brackets) and a port. False when it is not numeric: a name.
bool address_numeric(struct address *address, const char *host, uint16_t port);
void address_set_port(struct address *address, uint16_t port); // not of a unix socket
// The address without its port, as in X-Forwarded-For ("10.0.0.1", "2001:db8::1", "unix"); returns the
// length.
size_t address_host(const struct address *address, char text[ADDRESS_TEXT]);
void address_text(const struct address *address, char text[ADDRESS_TEXT]); // with port, for logs
struct ip address_ip(const struct address *address);                       // IP_LOCAL: of a unix socket
uint16_t address_port(const struct address *address);
