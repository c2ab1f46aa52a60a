#include "io/address.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool parse_port(struct slice text, uint16_t *port) {
    uint64_t value;
    if (!slice_to_u64(text, &value) || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

static bool parse_unix(struct address *address, struct slice path, struct error *error) {
    if (path.len == 0 || path.len >= sizeof address->unix_path.sun_path)
        return error_set(error, "unix socket path \"%.*s\" must have 1 to %zu bytes", (int)path.len, path.at,
                         sizeof address->unix_path.sun_path - 1);
    address->unix_path.sun_family = AF_UNIX;
    memcpy(address->unix_path.sun_path, path.at, path.len);
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

static bool set_numeric(struct address *address, const char *host, uint16_t port) {
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        address->len = sizeof address->v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        address->len = sizeof address->v6;
        return true;
    }
    return false;
}

bool address_parse(struct address *address, const char *text, struct error *error) {
    memset(address, 0, sizeof *address);
    struct slice whole = slice_of(text);
    if (slice_starts(whole, SLICE("unix:")))
        return parse_unix(address, slice_from(whole, 5), error);
    const char *colon = strrchr(text, ':');
    char host[64];
    uint16_t port;
    if (!colon || !parse_port(slice_of(colon + 1), &port))
        return error_set(error, "address \"%s\" is not of the form HOST:PORT", text);
    struct slice part = slice_make(text, (size_t)(colon - text));
    if (part.len >= 2 && part.at[0] == '[' && part.at[part.len - 1] == ']')
        part = slice_make(part.at + 1, part.len - 2);
    if (part.len >= sizeof host)
        return error_set(error, "address \"%s\" has too long a host", text);
    memcpy(host, part.at, part.len);
    host[part.len] = 0;
    if (!set_numeric(address, part.len ? host : "0.0.0.0", port))
        return error_set(error, "address \"%s\" does not start with a numeric IP address", text);
    return true;
}

bool address_numeric(struct address *address, const char *host, uint16_t port) {
    memset(address, 0, sizeof *address);
    return set_numeric(address, host, port);
}

void address_set_port(struct address *address, uint16_t port) {
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
}

size_t address_host(const struct address *address, char text[ADDRESS_TEXT]) {
    text[0] = 0;
    if (address->any.sa_family == AF_INET)
        inet_ntop(AF_INET, &address->v4.sin_addr, text, ADDRESS_TEXT);
    else if (address->any.sa_family == AF_INET6) {
        // A dual-stack listener sees IPv4 peers as ::ffff:a.b.c.d: they are the same client either way.
        if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
            inet_ntop(AF_INET, &address->v6.sin6_addr.s6_addr[12], text, ADDRESS_TEXT);
        else
            inet_ntop(AF_INET6, &address->v6.sin6_addr, text, ADDRESS_TEXT);
    } else {
        memcpy(text, "unix", sizeof "unix");
    }
    return strlen(text);
}

struct ip address_ip(const struct address *address) {
    if (address->any.sa_family == AF_INET)
        return ip_of_bytes(&address->v4.sin_addr, 4);
    if (address->any.sa_family == AF_INET6)
        return ip_of_bytes(&address->v6.sin6_addr, 16);
    return (struct ip){.family = IP_LOCAL};
}

uint16_t address_port(const struct address *address) {
    if (address->any.sa_family == AF_INET)
        return ntohs(address->v4.sin_port);
    return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

void address_text(const struct address *address, char text[ADDRESS_TEXT]) {
    if (address->any.sa_family == AF_UNIX) {
        snprintf(text, ADDRESS_TEXT, "unix:%s", address->unix_path.sun_path);
        return;
    }
    char host[ADDRESS_TEXT];
    size_t len = address_host(address, host);
    bool bracket = memchr(host, ':', len) != NULL;
    snprintf(text, ADDRESS_TEXT, "%s%.*s%s:%u", bracket ? "[" : "", (int)(len < 64 ? len : 64), host,
             bracket ? "]" : "", address_port(address));
}
