#include "access.h"

#include "base/mem.h"
#include "base/secret.h"

#include <arpa/inet.h>

static enum access_verdict judge_token(const char *authorization, const char *token) {
    struct slice given = slice_trim(slice_of(authorization));
    struct slice scheme = slice_cut(&given, ' ');
    if (!slice_equal_fold(scheme, SLICE("Bearer")) || !given.at)
        return ACCESS_TOKEN_MISSING;
    return secret_equal(slice_trim(given), slice_of(token)) ? ACCESS_ALLOWED : ACCESS_TOKEN_WRONG;
}

// The host of "host:port" or "[v6]:port", without brackets.
static struct slice host_part(struct slice authority) {
    if (authority.len && authority.at[0] == '[') {
        struct slice inner = slice_from(authority, 1);
        return slice_make(inner.at, slice_find(inner, ']'));
    }
    return slice_make(authority.at, slice_find(authority, ':'));
}

// A page can only bear a name that its author controls; a numeric address and localhost cannot be re-pointed.
static bool fixed_host(const char *authority) {
    struct slice host = host_part(slice_of(authority));
    char text[64];
    unsigned char address[16];
    if (slice_equal_fold(host, SLICE("localhost")))
        return true;
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.at, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool own_origin(const char *origin, const char *host, bool secure) {
    struct slice rest = slice_of(origin), scheme = secure ? SLICE("https://") : SLICE("http://");
    return slice_starts(rest, scheme) && slice_equal_fold(slice_from(rest, scheme.len), slice_of(host));
}

static bool is_json(const char *content_type) {
    struct slice rest = slice_of(content_type);
    return slice_equal_fold(slice_trim(slice_cut(&rest, ';')), SLICE("application/json"));
}

enum access_verdict access_judge(const struct access_call *call, const char *token) {
    if (token)
        return judge_token(call->authorization, token);
    if (call->peer == ACCESS_PEER_UNIX)
        return ACCESS_ALLOWED; // guarded by the socket's mode; no browser reaches it
    if (call->peer == ACCESS_PEER_REMOTE)
        return ACCESS_NOT_LOCAL;
    if (!call->host || !fixed_host(call->host))
        return ACCESS_FOREIGN_HOST;
    if (call->fetch_site && strcmp(call->fetch_site, "same-origin") != 0 &&
        strcmp(call->fetch_site, "none") != 0)
        return ACCESS_FOREIGN_ORIGIN;
    if (call->origin && !own_origin(call->origin, call->host, call->secure))
        return ACCESS_FOREIGN_ORIGIN;
    if (call->origin && !(call->content_type && is_json(call->content_type)))
        return ACCESS_CONTENT_TYPE;
    return ACCESS_ALLOWED;
}

const char *access_message(enum access_verdict verdict) {
    static const char *const messages[] = {
        [ACCESS_ALLOWED] = "allowed",
        [ACCESS_TOKEN_MISSING] = "this call needs the admin token: Authorization: Bearer TOKEN",
        [ACCESS_TOKEN_WRONG] = "the admin token is wrong",
        [ACCESS_NOT_LOCAL] =
            "without admin.token_file changes are accepted only from this machine or over a unix socket",
        [ACCESS_FOREIGN_HOST] =
            "the Host of a change must be localhost or a numeric address unless a token is used",
        [ACCESS_FOREIGN_ORIGIN] = "a page of another origin may not change anything",
        [ACCESS_CONTENT_TYPE] = "a change sent by a page must be application/json",
    };
    must((unsigned)verdict < sizeof messages / sizeof *messages);
    return messages[verdict];
}

const char *access_reason_name(enum access_verdict verdict) {
    static const char *const names[] = {
        [ACCESS_ALLOWED] = "allowed",           [ACCESS_TOKEN_MISSING] = "token_missing",
        [ACCESS_TOKEN_WRONG] = "token_wrong",   [ACCESS_NOT_LOCAL] = "not_local",
        [ACCESS_FOREIGN_HOST] = "foreign_host", [ACCESS_FOREIGN_ORIGIN] = "foreign_origin",
        [ACCESS_CONTENT_TYPE] = "content_type",
    };
    must((unsigned)verdict < sizeof names / sizeof *names);
    return names[verdict];
}
