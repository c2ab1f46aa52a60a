// uri: a request target in a line, and the name of a query parameter in another. Its parts are those of the
// strict reader of requests; the normalised path is that of RFC 3986, step by step, and has nothing left to
// normalise; a parameter has the value that a simple decoder finds.
#include "../fuzz.h"
#include "../strict_http.h"
#include "base/arena.h"
#include "http/uri.h"

static int hex(int c) {
    const char *digits = "0123456789abcdef", *found;
    if (c >= 'A' && c <= 'F')
        c += 32;
    found = c > 0 ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

// -1: no escape stands there.
static int escape(struct slice s, size_t at) {
    if (s.at[at] != '%' || at + 2 >= s.len)
        return -1;
    int high = hex((unsigned char)s.at[at + 1]), low = hex((unsigned char)s.at[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool unreserved(int c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c > 0 && strchr("-._~", c));
}

// RFC 3986 6.2.2.1 and 6.2.2.2; *clean: every '%' begins an escape.
static void decode(struct slice path, struct strbuf *out, bool *clean) {
    *clean = true;
    for (size_t i = 0; i < path.len; i++) {
        int c = escape(path, i);
        if (c < 0) {
            *clean = *clean && path.at[i] != '%';
            strbuf_char(out, path.at[i]);
            continue;
        }
        i += 2;
        if (unreserved(c))
            strbuf_char(out, (char)c);
        else
            strbuf_format(out, "%%%02X", (unsigned)c);
    }
}

static bool starts(struct slice s, const char *prefix) {
    return slice_starts(s, slice_of(prefix));
}

// RFC 3986 5.2.4, as it is written there.
static void remove_dots(struct slice in, struct strbuf *out) {
    while (in.len) {
        bool end_one = in.len == 2 && starts(in, "/."), end_two = in.len == 3 && starts(in, "/..");
        if (starts(in, "/../") || end_two) {
            while (out->len && out->at[--out->len] != '/')
                ;
            in = end_two ? SLICE("/") : slice_from(in, 3);
        } else if (starts(in, "/./") || end_one) {
            in = end_one ? SLICE("/") : slice_from(in, 2);
        } else {
            size_t next = 1 + slice_find(slice_from(in, 1), '/');
            strbuf_append(out, in.at, next < in.len ? next : in.len);
            in = slice_from(in, next);
        }
    }
}

static void check_path(struct slice path, struct arena *arena) {
    struct slice ours = uri_normal_path(path, arena);
    struct strbuf decoded = {0}, model = {0};
    bool clean;
    path.len = slice_find(path, '?');
    if (path.len && path.at[0] == '/') {
        decode(path, &decoded, &clean);
        remove_dots(strbuf_as_slice(&decoded), &model);
        must(slice_equal(ours, strbuf_as_slice(&model)));
        must(ours.len && ours.at[0] == '/');
        if (clean)
            must(slice_equal(uri_normal_path(ours, arena), ours));
    } else {
        must(slice_equal(ours, path));
    }
    strbuf_free(&decoded);
    strbuf_free(&model);
}

static void decode_form(struct slice text, struct strbuf *out) {
    strbuf_clear(out);
    for (size_t i = 0; i < text.len; i++) {
        int c = escape(text, i);
        strbuf_char(out, c >= 0 ? (char)c : text.at[i] == '+' ? ' ' : text.at[i]);
        i += c >= 0 ? 2 : 0;
    }
}

static void check_query(struct slice query, struct slice name, struct arena *arena) {
    struct slice ours = uri_query_value(query, name, arena);
    struct strbuf text = {0};
    bool found = false;
    for (size_t at = 0; at < query.len && !found;) {
        struct slice pair = slice_from(query, at);
        pair.len = slice_find(pair, '&');
        at += pair.len + 1;
        size_t equals = slice_find(pair, '=');
        decode_form(slice_make(pair.at, equals), &text);
        found = pair.len && slice_equal(strbuf_as_slice(&text), name);
        if (found)
            decode_form(slice_from(pair, equals + 1), &text);
    }
    must(found == (ours.at != NULL));
    if (found)
        must(slice_equal(ours, strbuf_as_slice(&text)));
    strbuf_free(&text);
}

// As a request whose target it is; only of what can stand there.
static void check_parts(struct slice target, const struct uri *uri, bool split) {
    static struct strict_head strict;
    struct strbuf request = {0};
    struct slice host;
    strbuf_literal(&request, "OPTIONS ");
    strbuf_slice(&request, target);
    strbuf_literal(&request, " HTTP/1.1\r\nHost: a\r\n\r\n");
    enum strict_result result = strict_request(strbuf_as_slice(&request), &strict);
    bool ours = split && (!uri->authority.len || uri_host(uri->authority, &host));
    if (result == STRICT_WHOLE && slice_equal(strict.target, target)) {
        must(ours && slice_equal(uri->authority, strict.authority));
        must(slice_equal(uri->path, strict.path.len ? strict.path : SLICE("/")));
        must(uri->path_only.len + (uri->path_only.len < uri->path.len) + uri->query.len == uri->path.len);
    }
    strbuf_free(&request);
    strbuf_literal(&request, "GET / HTTP/1.1\r\nHost: ");
    strbuf_slice(&request, target);
    strbuf_literal(&request, "\r\n\r\n");
    result = strict_request(strbuf_as_slice(&request), &strict);
    if (result == STRICT_WHOLE && strict.bytes == request.len && slice_equal(strict.fields[0].value, target))
        must(uri_host(target, &host) && host.len);
    else if (strict.count == 1 && slice_equal(strict.fields[0].value, target))
        must(!uri_host(target, &host));
    strbuf_free(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice rest = slice_make((const char *)data, size), target = fuzz_line(&rest),
                 name = fuzz_line(&rest);
    struct arena arena;
    struct uri uri;
    arena_init(&arena, 4096);
    bool split = uri_split(target, &uri);
    check_parts(target, &uri, split);
    check_path(split ? uri.path_only : target, &arena);
    check_query(split ? uri.query : target, name, &arena);
    arena_free(&arena);
    return 0;
}
