#include "strict_http.h"

#include <arpa/inet.h>

// A reader: a place in the bytes, and what has gone wrong.
struct reader {
    const char *at, *end;
    enum strict_result result; // STRICT_WHOLE: so far
};

static bool good(const struct reader *r) {
    return r->result == STRICT_WHOLE;
}

static void fail(struct reader *r) {
    if (good(r))
        r->result = STRICT_WRONG;
}

// The next byte without taking it; -1: there is none (then the message is cut).
static int peek(struct reader *r) {
    if (!good(r))
        return -1;
    if (r->at == r->end) {
        r->result = STRICT_CUT;
        return -1;
    }
    return (unsigned char)*r->at;
}

static void expect(struct reader *r, const char *text) {
    for (; *text && good(r); text++) {
        int c = peek(r);
        if (c >= 0 && c != (unsigned char)*text)
            fail(r);
        else if (c >= 0)
            r->at++;
    }
}

// ---- classes of bytes

static bool is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static int hex_value(int c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_token(int c) { // RFC 9110 5.6.2
    return is_letter(c) || is_digit(c) || (c > 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_text(int c) { // RFC 9110 5.5: HTAB, SP, VCHAR, obs-text
    return c == '\t' || (c >= 0x20 && c <= 0x7e) || c >= 0x80;
}

static bool is_target(int c) { // what is printable; no fragment
    return c >= 0x21 && c <= 0x7e && c != '#';
}

static bool is_blank(int c) {
    return c == ' ' || c == '\t';
}

static struct slice take_while(struct reader *r, bool (*wanted)(int c)) {
    const char *begin = r->at;
    for (int c; (c = peek(r)) >= 0 && wanted(c);)
        r->at++;
    return slice_make(begin, (size_t)(r->at - begin));
}

// ---- names, lists

static int lower(int c) {
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool strict_same_name(struct slice a, struct slice b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower((unsigned char)a.at[i]) != lower((unsigned char)b.at[i]))
            return false;
    return true;
}

size_t strict_find(const struct strict_head *head, const char *name, struct slice *value) {
    size_t count = 0;
    *value = SLICE_NONE;
    for (size_t i = 0; i < head->count; i++) {
        if (!strict_same_name(head->fields[i].name, slice_of(name)))
            continue;
        *value = head->fields[i].value;
        count++;
    }
    return count;
}

// Whether a comma-separated list over all fields of that name has the word.
static bool lists(const struct strict_head *head, const char *name, const char *word) {
    for (size_t i = 0; i < head->count; i++) {
        struct slice value = head->fields[i].value;
        if (!strict_same_name(head->fields[i].name, slice_of(name)))
            continue;
        for (size_t at = 0; at <= value.len;) {
            size_t end = at;
            while (end < value.len && value.at[end] != ',')
                end++;
            size_t from = at, to = end;
            while (from < to && is_blank((unsigned char)value.at[from]))
                from++;
            while (to > from && is_blank((unsigned char)value.at[to - 1]))
                to--;
            if (strict_same_name(slice_make(value.at + from, to - from), slice_of(word)))
                return true;
            at = end + 1;
        }
    }
    return false;
}

// ---- hosts and targets (RFC 3986 3.2.2)

static bool is_port(struct slice text) {
    unsigned long port = 0;
    if (text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit((unsigned char)text.at[i]))
            return false;
        port = port * 10 + (unsigned long)(text.at[i] - '0');
    }
    return port <= 65535;
}

static bool is_literal(struct slice text) {
    char copy[64];
    struct in6_addr address;
    if (text.len >= sizeof copy || memchr(text.at, 0, text.len))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

// host [ ":" port ]. No userinfo; and no ',', which would make a list of it.
static bool is_authority(struct slice text) {
    size_t end = 0;
    if (text.len && text.at[0] == '[') {
        while (end < text.len && text.at[end] != ']')
            end++;
        if (end == text.len || !is_literal(slice_make(text.at + 1, end - 1)))
            return false;
        end++;
    } else {
        while (end < text.len && text.at[end] != ':') {
            unsigned char c = (unsigned char)text.at[end];
            bool escape = c == '%' && text.len - end > 2 && hex_value((unsigned char)text.at[end + 1]) >= 0 &&
                          hex_value((unsigned char)text.at[end + 2]) >= 0;
            if (!escape && !is_letter(c) && !is_digit(c) && (!c || !strchr("-._~!$&'()*+;=", c)))
                return false;
            end += escape ? 3 : 1;
        }
        if (end == 0)
            return false;
    }
    return end == text.len ||
           (text.at[end] == ':' && is_port(slice_make(text.at + end + 1, text.len - end - 1)));
}

static bool read_target(struct strict_head *head) {
    struct slice target = head->target;
    head->path = target;
    if (target.at[0] == '/')
        return true;
    if (target.len == 1 && target.at[0] == '*')
        return head->method.len == 7 && memcmp(head->method.at, "OPTIONS", 7) == 0;
    size_t scheme = 0;
    if (target.len > 7 && strict_same_name(slice_make(target.at, 7), SLICE("http://")))
        scheme = 7;
    else if (target.len > 8 && strict_same_name(slice_make(target.at, 8), SLICE("https://")))
        scheme = 8;
    else
        return false;
    size_t end = scheme;
    while (end < target.len && target.at[end] != '/' && target.at[end] != '?')
        end++;
    head->authority = slice_make(target.at + scheme, end - scheme);
    head->path = slice_make(target.at + end, target.len - end);
    // A query without a path has no form in which it could be sent on as it came.
    return is_authority(head->authority) && (!head->path.len || head->path.at[0] == '/');
}

static bool check_host(const struct strict_head *head) { // RFC 9112 3.2
    struct slice host;
    size_t count = strict_find(head, "Host", &host);
    return count ? count == 1 && is_authority(host) : head->minor == 0;
}

// ---- heads

static void read_version(struct reader *r, struct strict_head *head) {
    expect(r, "HTTP/1.");
    int c = peek(r);
    if (c != '0' && c != '1')
        return fail(r);
    head->minor = (unsigned)c - '0';
    r->at++;
}

static void read_fields(struct reader *r, struct strict_head *head) {
    for (;;) {
        if (peek(r) == '\r')
            return expect(r, "\r\n");
        struct strict_field field = {.name = take_while(r, is_token)};
        if (!field.name.len || head->count == STRICT_FIELDS)
            fail(r);
        expect(r, ":");
        take_while(r, is_blank);
        field.value = take_while(r, is_text);
        while (field.value.len && is_blank((unsigned char)field.value.at[field.value.len - 1]))
            field.value.len--;
        expect(r, "\r\n");
        if (!good(r))
            return;
        head->fields[head->count++] = field;
    }
}

static bool read_length(struct slice text, uint64_t *length) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit((unsigned char)text.at[i]) || value > (INT64_MAX - (uint64_t)(text.at[i] - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    *length = value;
    return text.len > 0;
}

// RFC 9112 6.3; what is doubtful there is wrong here.
static bool read_framing(struct strict_head *head, enum strict_kind otherwise) {
    struct slice length, coding;
    size_t lengths = strict_find(head, "Content-Length", &length);
    size_t codings = strict_find(head, "Transfer-Encoding", &coding);
    head->kind = otherwise;
    head->persistent =
        !lists(head, "Connection", "close") && (head->minor == 1 || lists(head, "Connection", "keep-alive"));
    if (lengths + codings > 1)
        return false;
    if (codings)
        head->kind = STRICT_CHUNKED;
    else if (lengths)
        head->kind = STRICT_LENGTH;
    if (codings)
        return head->minor == 1 && strict_same_name(coding, SLICE("chunked"));
    return !lengths || read_length(length, &head->length);
}

static void begin(struct reader *r, struct slice bytes, struct strict_head *head) {
    *r = (struct reader){.at = bytes.at, .end = bytes.at + bytes.len};
    memset(head, 0, offsetof(struct strict_head, fields));
    memset(&head->count, 0, sizeof *head - offsetof(struct strict_head, count));
}

enum strict_result strict_request(struct slice bytes, struct strict_head *head) {
    struct reader r;
    begin(&r, bytes, head);
    while (peek(&r) == '\r') // RFC 9112 2.2
        expect(&r, "\r\n");
    head->method = take_while(&r, is_token);
    if (!head->method.len)
        fail(&r);
    expect(&r, " ");
    head->target = take_while(&r, is_target);
    if (!head->target.len)
        fail(&r);
    expect(&r, " ");
    read_version(&r, head);
    expect(&r, "\r\n");
    if (good(&r) && !read_target(head))
        fail(&r);
    if (good(&r))
        read_fields(&r, head);
    if (good(&r) && (!check_host(head) || !read_framing(head, STRICT_NO_BODY)))
        fail(&r);
    head->bytes = (size_t)(r.at - bytes.at);
    return r.result;
}

// The space in front of a reason that is empty may be missing, too: servers leave it out.
enum strict_result strict_response(struct slice bytes, bool to_head, struct strict_head *head) {
    struct reader r;
    begin(&r, bytes, head);
    read_version(&r, head);
    expect(&r, " ");
    for (int i = 0; i < 3; i++) {
        int c = peek(&r);
        if (!is_digit(c) || (i == 0 && (c < '1' || c > '5'))) {
            fail(&r);
            break;
        }
        head->status = head->status * 10 + (unsigned)c - '0';
        r.at++;
    }
    if (peek(&r) == ' ') {
        r.at++;
        head->reason = take_while(&r, is_text);
    }
    expect(&r, "\r\n");
    if (good(&r))
        read_fields(&r, head);
    if (good(&r) && !read_framing(head, STRICT_TO_END))
        fail(&r);
    if (to_head || head->status < 200 || head->status == 204 || head->status == 304)
        head->kind = STRICT_NO_BODY;
    if (head->kind == STRICT_TO_END)
        head->persistent = false;
    head->bytes = (size_t)(r.at - bytes.at);
    return r.result;
}

// ---- bodies

static void read_quoted(struct reader *r) { // RFC 9110 5.6.4, behind the opening quote
    for (int c; (c = peek(r)) >= 0;) {
        r->at++;
        if (c == '"')
            return;
        if (c == '\\') {
            c = peek(r);
            r->at += c >= 0;
        }
        if (c >= 0 && !is_text(c))
            fail(r);
    }
}

// *( BWS ";" BWS name [ BWS "=" BWS value ] )
static void read_extensions(struct reader *r) {
    size_t blanks = take_while(r, is_blank).len;
    while (peek(r) == ';') {
        r->at++;
        take_while(r, is_blank);
        if (!take_while(r, is_token).len)
            fail(r);
        blanks = take_while(r, is_blank).len;
        if (peek(r) != '=')
            continue;
        r->at++;
        take_while(r, is_blank);
        if (peek(r) == '"') {
            r->at++;
            read_quoted(r);
        } else if (!take_while(r, is_token).len) {
            fail(r);
        }
        blanks = take_while(r, is_blank).len;
    }
    if (blanks) // they belong to a ';' that did not come
        fail(r);
}

static uint64_t read_size(struct reader *r) {
    uint64_t size = 0;
    int digits = 0;
    for (int c; (c = peek(r)) >= 0 && hex_value(c) >= 0; r->at++) {
        size = size << 4 | (unsigned)hex_value(c);
        if (++digits > 16 || size > INT64_MAX) {
            fail(r);
            return 0;
        }
    }
    if (!digits)
        fail(r);
    return size;
}

static void read_data(struct reader *r, uint64_t size, struct strbuf *data) {
    uint64_t here = (uint64_t)(r->end - r->at);
    size_t len = (size_t)(size < here ? size : here);
    strbuf_append(data, r->at, len);
    r->at += len;
    if (len < size)
        r->result = STRICT_CUT;
}

static void read_chunks(struct reader *r, struct strict_body *body) {
    for (uint64_t size = 1; size && good(r);) {
        size = read_size(r);
        const char *extensions = r->at;
        read_extensions(r);
        if (r->at - extensions > 256) // the product's limit, which holds before their end has come
            r->result = STRICT_WRONG;
        expect(r, "\r\n");
        if (good(r) && size) {
            read_data(r, size, &body->data);
            expect(r, "\r\n");
        }
    }
    while (good(r) && peek(r) != '\r') {
        const char *line = r->at;
        if (!take_while(r, is_token).len)
            fail(r);
        expect(r, ":");
        take_while(r, is_text);
        expect(r, "\r\n");
        strbuf_append(&body->trailers, line, (size_t)(r->at - line));
    }
    expect(r, "\r\n");
}

enum strict_result strict_body(struct slice bytes, const struct strict_head *head, struct strict_body *body) {
    struct reader r = {.at = bytes.at, .end = bytes.at + bytes.len};
    strbuf_clear(&body->data);
    strbuf_clear(&body->trailers);
    if (head->kind == STRICT_CHUNKED)
        read_chunks(&r, body);
    else if (head->kind == STRICT_LENGTH)
        read_data(&r, head->length, &body->data);
    else if (head->kind == STRICT_TO_END)
        read_data(&r, UINT64_MAX, &body->data);
    body->bytes = (size_t)(r.at - bytes.at);
    return r.result;
}

void strict_body_free(struct strict_body *body) {
    strbuf_free(&body->data);
    strbuf_free(&body->trailers);
}
