#include "base/redact.h"
#include <ctype.h>

#define HIDDEN    "***"
#define NAME_MOST 32 // longer names are no names of secrets

// Without - _ . and in small letters.
static const struct slice names[] = {
    SLICE("key"),       SLICE("auth"),   SLICE("authorization"), SLICE("bearer"), SLICE("pass"),
    SLICE("passwd"),    SLICE("pwd"),    SLICE("sig"),           SLICE("sign"),   SLICE("credentials"),
    SLICE("jwt"),       SLICE("code"),   SLICE("assertion"),     SLICE("sid"),    SLICE("session"),
    SLICE("sessionid"), SLICE("cookie"), SLICE("privatekey"),
};
static const struct slice endings[] = {SLICE("token"),     SLICE("secret"),    SLICE("password"),
                                       SLICE("apikey"),    SLICE("accesskey"), SLICE("signature"),
                                       SLICE("credential")};

static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

// The next character of a percent-encoded name; *at moves on.
static char next_char(struct slice name, size_t *at) {
    char c = name.at[(*at)++];
    int high = c == '%' && *at + 1 < name.len ? hex(name.at[*at]) : -1;
    int low = high >= 0 ? hex(name.at[*at + 1]) : -1;
    if (low < 0)
        return c;
    *at += 2;
    return (char)(high << 4 | low);
}

static bool is_secret(struct slice name) {
    char plain[NAME_MOST];
    struct slice word = {plain, 0};
    for (size_t at = 0; at < name.len;) {
        char c = next_char(name, &at);
        if (c == '-' || c == '_' || c == '.')
            continue;
        if (word.len == sizeof plain)
            return false;
        plain[word.len++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal(word, names[i]))
            return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (word.len >= endings[i].len &&
            slice_equal(slice_from(word, word.len - endings[i].len), endings[i]))
            return true;
    return false;
}

// Where the authority that begins at `at` ends.
static size_t authority_end(struct slice url, size_t at) {
    while (at < url.len && !strchr("/?#", url.at[at]))
        at++;
    return at;
}

// Up to and with the "@" of an authority; 0: there is none. *begin: where it starts. A "://" counts only
// where the URL's own scheme ends: one in the query belongs to a value.
static size_t userinfo(struct slice url, size_t *begin) {
    size_t end = authority_end(url, 0), mark = 0;
    *begin = 0;
    if (end > 0 && end + 1 < url.len && memcmp(url.at + end - 1, "://", 3) == 0) {
        *begin = end + 2;
        end = authority_end(url, *begin);
    }
    for (size_t at = *begin; at < end; at++)
        if (url.at[at] == '@')
            mark = at + 1;
    return mark;
}

// The parameters of a query. What was shown up to `shown` is in `out` already, if anything is hidden.
static bool redact_query(struct slice target, size_t at, struct strbuf *out, size_t *shown) {
    bool hidden = false;
    while (at < target.len) {
        size_t begin = at, equals = target.len;
        for (; at < target.len && target.at[at] != '&' && target.at[at] != ';'; at++)
            if (target.at[at] == '=' && equals == target.len)
                equals = at;
        bool value = equals + 1 < at;
        if (value && is_secret(slice_make(target.at + begin, equals - begin))) {
            strbuf_append(out, target.at + *shown, equals + 1 - *shown);
            strbuf_literal(out, HIDDEN);
            *shown = at;
            hidden = true;
        }
        at++;
    }
    return hidden;
}

bool redact_target(struct slice target, struct strbuf *out) {
    size_t begin, mark = 0, shown = 0, query = slice_find(target, '?');
    bool hidden = false;
    if (target.len && target.at[0] != '/' && (mark = userinfo(target, &begin)) != 0) {
        strbuf_append(out, target.at, begin);
        strbuf_literal(out, HIDDEN "@");
        shown = mark;
        hidden = true;
    }
    if (query < target.len)
        hidden = redact_query(target, query + 1, out, &shown) || hidden;
    if (hidden)
        strbuf_slice(out, slice_from(target, shown));
    return hidden;
}

void redact_url(struct slice url, struct strbuf *out) {
    size_t begin, mark = userinfo(url, &begin), host = mark ? mark : begin, end = authority_end(url, host);
    strbuf_append(out, url.at, begin);
    if (mark)
        strbuf_literal(out, HIDDEN "@");
    strbuf_append(out, url.at + host, end - host);
    if (end + 1 < url.len)
        strbuf_literal(out, "/" HIDDEN);
    else
        strbuf_append(out, url.at + end, url.len - end);
}

void redact_value(char *text, size_t size, const char *name, const char *value) {
    size_t whole = strlen(value);
    if (whole < REDACT_LEAST)
        return;
    struct strbuf out = {0};
    bool hidden = false;
    for (const char *at = text; *at;) {
        size_t same = 0;
        while (same < whole && at[same] == value[same] && at[same])
            same++;
        bool cut = same >= REDACT_LEAST && (!at[same] || at[same] == '"' || at[same] == '`');
        if (same < whole && !cut) {
            strbuf_char(&out, *at++);
            continue;
        }
        strbuf_format(&out, "${%s}", name);
        at += same;
        hidden = true;
    }
    if (hidden) {
        size_t len = out.len < size ? out.len : size - 1;
        memcpy(text, out.at, len);
        text[len] = '\0';
    }
    strbuf_free(&out);
}
