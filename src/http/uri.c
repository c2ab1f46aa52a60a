#include "http/uri.h"
#include "octet.h"
#include <arpa/inet.h>

static void split_query(struct uri *uri) {
    size_t mark = slice_find(uri->path, '?');
    uri->path_only = slice_make(uri->path.at, mark);
    uri->query = slice_from(uri->path, mark + 1);
}

// Length of "http://" or "https://" at the start, or 0: other schemes are not ours to serve.
static size_t scheme_length(struct slice target) {
    static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++)
        if (target.len > schemes[i].len &&
            slice_equal_fold(slice_make(target.at, schemes[i].len), schemes[i]))
            return schemes[i].len;
    return 0;
}

bool uri_split(struct slice target, struct uri *uri) {
    *uri = (struct uri){.path = target};
    if (target.len == 0)
        return false;
    if (target.at[0] != '/' && !slice_equal(target, SLICE("*"))) {
        size_t scheme = scheme_length(target);
        if (!scheme)
            return false;
        struct slice rest = slice_from(target, scheme);
        size_t end = 0;
        while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
            end++;
        uri->authority = slice_make(rest.at, end);
        uri->path = slice_from(rest, end);
        if (end == 0 || (uri->path.len && uri->path.at[0] == '?'))
            return false; // a query without a path could not be sent on as it is
        if (uri->path.len == 0)
            uri->path = SLICE("/");
    }
    split_query(uri);
    return true;
}

static bool valid_port(struct slice port) { // RFC 3986 3.2.3: may be empty
    uint64_t number;
    return port.len == 0 || (port.len <= 5 && slice_to_u64(port, &number) && number <= 65535);
}

static bool valid_name(struct slice name) {
    for (size_t i = 0; i < name.len; i++) {
        if (octet_is(name.at[i], OCTET_HOST))
            continue;
        if (name.at[i] != '%' || name.len - i < 3 || octet_hex(name.at[i + 1]) < 0 ||
            octet_hex(name.at[i + 2]) < 0)
            return false;
        i += 2;
    }
    return name.len > 0;
}

static bool valid_v6(struct slice text) {
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

bool uri_host(struct slice authority, struct slice *host) {
    *host = authority;
    if (authority.len == 0)
        return false;
    if (authority.at[0] == '[') {
        size_t end = slice_find(authority, ']');
        struct slice after = slice_from(authority, end + 1);
        *host = slice_make(authority.at + 1, end - 1);
        return end < authority.len && valid_v6(*host) &&
               (after.len == 0 || (after.at[0] == ':' && valid_port(slice_from(after, 1))));
    }
    size_t colon = slice_find(authority, ':');
    *host = slice_make(authority.at, colon);
    return valid_name(*host) && valid_port(slice_from(authority, colon + 1));
}

static int escaped(struct slice s, size_t at) { // the byte that %XX at `at` stands for, or -1
    if (s.at[at] != '%' || s.len - at < 3)
        return -1;
    int high = octet_hex(s.at[at + 1]), low = octet_hex(s.at[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool unreserved(int c) { // RFC 3986 2.3
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static char upper_hex(char c) {
    return (unsigned char)(c - 'a') < 6 ? (char)(c - 32) : c;
}

static size_t decode_unreserved(struct slice path, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < path.len; i++) {
        int c = escaped(path, i);
        if (c < 0) {
            out[len++] = path.at[i];
        } else if (unreserved(c)) {
            out[len++] = (char)c;
            i += 2;
        } else {
            out[len++] = '%';
            out[len++] = upper_hex(path.at[++i]);
            out[len++] = upper_hex(path.at[++i]);
        }
    }
    return len;
}

// RFC 3986 5.2.4, in place, for a path that starts with '/'.
static size_t remove_dots(char *path, size_t len) {
    size_t out = 0;
    for (size_t at = 0; at < len;) { // at a '/'
        const char *slash = memchr(path + at + 1, '/', len - at - 1);
        size_t end = slash ? (size_t)(slash - path) : len, size = end - at - 1;
        bool one = size == 1 && path[at + 1] == '.';
        bool two = size == 2 && path[at + 1] == '.' && path[at + 2] == '.';
        if (two)
            while (out > 0 && path[--out] != '/')
                ;
        if (one || two) {
            if (end == len) // a dot segment at the end leaves its slash
                path[out++] = '/';
        } else {
            memmove(path + out, path + at, end - at);
            out += end - at;
        }
        at = end;
    }
    return out;
}

static bool is_normal(struct slice path) {
    for (size_t i = 0; i < path.len; i++)
        if (path.at[i] == '%' || (path.at[i] == '/' && i + 1 < path.len && path.at[i + 1] == '.'))
            return false;
    return true;
}

struct slice uri_normal_path(struct slice path, struct arena *arena) {
    path.len = slice_find(path, '?');
    if (path.len == 0 || path.at[0] != '/' || is_normal(path))
        return path;
    char *copy = arena_alloc(arena, path.len);
    size_t len = decode_unreserved(path, copy);
    return slice_make(copy, remove_dots(copy, len));
}

static size_t decode_form(struct slice text, char *out) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int c = escaped(text, i);
        if (c >= 0)
            i += 2;
        out[len++] = c >= 0 ? (char)c : text.at[i] == '+' ? ' ' : text.at[i];
    }
    return len;
}

// Whether the encoded text stands for `plain`, without decoding it into memory.
static bool form_equals(struct slice text, struct slice plain) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++, len++) {
        int c = escaped(text, i);
        char decoded = c >= 0 ? (char)c : text.at[i] == '+' ? ' ' : text.at[i];
        if (len == plain.len || decoded != plain.at[len])
            return false;
        if (c >= 0)
            i += 2;
    }
    return len == plain.len;
}

struct slice uri_query_value(struct slice query, struct slice name, struct arena *arena) {
    while (query.len) {
        struct slice pair = slice_cut(&query, '&');
        size_t equals = slice_find(pair, '=');
        if (pair.len == 0 || !form_equals(slice_make(pair.at, equals), name))
            continue;
        struct slice value = slice_from(pair, equals + 1);
        char *copy = arena_alloc(arena, value.len + 1);
        return slice_make(copy, decode_form(value, copy));
    }
    return slice_make(NULL, 0);
}
