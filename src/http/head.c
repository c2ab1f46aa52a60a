#include "http/head.h"
#include "http/uri.h"
#include "octet.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define METHOD_BYTES  64   // the longest registered one has 17
#define EMPTY_LINES   4    // tolerated before a request line (RFC 9112 2.2: at least one)
#define DRIBBLE_BYTES 2048 // partial heads longer than this are not scanned again for every few bytes more

// Each read_… function below takes its part off the front: HEAD_COMPLETE and the cursor stands behind it,
// HEAD_PARTIAL (bytes are missing), or HEAD_REJECTED at the first byte that is wrong: so the verdict does not
// depend on how the bytes were cut.
struct cursor {
    const char *at, *end;
};

static inline enum head_result refuse(enum reject *reject, enum reject reason) {
    *reject = reason;
    return HEAD_REJECTED;
}

// CRLF is due; any other byte is refused, for the reason `otherwise` unless it is a line end of the wrong
// kind.
static inline enum head_result read_line_end(struct cursor *c, enum reject otherwise, enum reject *reject) {
    if (c->end - c->at >= 2 && c->at[0] == '\r' && c->at[1] == '\n') {
        c->at += 2;
        return HEAD_COMPLETE;
    }
    if (c->at == c->end)
        return HEAD_PARTIAL;
    if (*c->at == '\n')
        return refuse(reject, REJECT_BARE_LF);
    if (*c->at != '\r')
        return refuse(reject, otherwise);
    return c->end - c->at < 2 ? HEAD_PARTIAL : refuse(reject, REJECT_BARE_CR);
}

// The first byte from `at` on that is not of the class, or `end`: 16 at a time, as far as that goes. The
// tables decide about what is rare.

static inline const char *skip_token(const char *at, const char *end) {
#if defined(__SSE2__)
    while (end - at >= 16) { // letters, digits and '-'
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
        __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
        __m128i usual =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter),
                                      _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit)),
                         _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
        unsigned mask = (unsigned)_mm_movemask_epi8(usual) ^ 0xffff;
        at += mask ? __builtin_ctz(mask) : 16;
        if (mask)
            break;
    }
#endif
    while (at < end && octet_is(*at, OCTET_TOKEN))
        at++;
    return at;
}

static inline const char *skip_target(const char *at, const char *end) {
#if defined(__SSE2__)
    while (end - at >= 16) { // printable ASCII but '#', as the table has it
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(' ')), bytes);
        __m128i high = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(0x7f)), bytes);
        __m128i wrong = _mm_or_si128(_mm_or_si128(low, high), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')));
        unsigned mask = (unsigned)_mm_movemask_epi8(wrong);
        if (mask)
            return at + __builtin_ctz(mask);
        at += 16;
    }
#endif
    while (at < end && octet_is(*at, OCTET_TARGET))
        at++;
    return at;
}

static inline const char *skip_value(const char *at, const char *end) {
#if defined(__SSE2__)
    const __m128i last_control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
        __m128i wrong =
            _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), control), _mm_cmpeq_epi8(bytes, del));
        unsigned mask = (unsigned)_mm_movemask_epi8(wrong);
        if (mask)
            return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && octet_is(*at, OCTET_VALUE))
        at++;
    return at;
}

static enum head_result read_method(struct cursor *c, struct head *head, enum reject *reject) {
    const char *start = c->at;
    c->at = skip_token(start, c->end);
    head->method = slice_make(start, (size_t)(c->at - start));
    if (head->method.len > METHOD_BYTES)
        return refuse(reject, REJECT_BAD_METHOD);
    if (c->at == c->end)
        return HEAD_PARTIAL;
    if (*c->at != ' ' || head->method.len == 0) {
        enum head_result end = read_line_end(c, REJECT_BAD_METHOD, reject);
        return end == HEAD_COMPLETE ? refuse(reject, REJECT_BAD_START_LINE) : end;
    }
    c->at++;
    return HEAD_COMPLETE;
}

static enum head_result read_target(struct cursor *c, size_t limit, struct head *head, enum reject *reject) {
    const char *start = c->at;
    const char *stop = (size_t)(c->end - start) > limit ? start + limit : c->end;
    c->at = skip_target(start, stop);
    head->target = slice_make(start, (size_t)(c->at - start));
    if (c->at == c->end)
        return HEAD_PARTIAL;
    if (head->target.len == limit && octet_is(*c->at, OCTET_TARGET))
        return refuse(reject, REJECT_TARGET_TOO_LONG);
    if (*c->at != ' ' || head->target.len == 0) {
        enum head_result end = read_line_end(c, REJECT_BAD_TARGET, reject);
        return end == HEAD_COMPLETE ? refuse(reject, REJECT_BAD_START_LINE) : end; // HTTP/0.9
    }
    c->at++;
    return HEAD_COMPLETE;
}

// "HTTP/" digit "." digit, whichever digits: both are given back as one number, 11 for HTTP/1.1.
static enum head_result read_version(struct cursor *c, unsigned *version, enum reject *reject) {
    static const char pattern[] = "HTTP/0.0", usual[] = "HTTP/1.1";
    if (c->end - c->at >= 8 && memcmp(c->at, usual, 8) == 0) {
        c->at += 8;
        *version = 11;
        return HEAD_COMPLETE;
    }
    *version = 0;
    for (size_t i = 0; i < sizeof pattern - 1; i++, c->at++) {
        if (c->at == c->end)
            return HEAD_PARTIAL;
        unsigned digit = (unsigned)(unsigned char)*c->at - '0';
        if (pattern[i] == '0' ? digit > 9 : *c->at != pattern[i])
            return refuse(reject, *c->at == '\n' ? REJECT_BARE_LF : REJECT_BAD_START_LINE);
        if (pattern[i] == '0')
            *version = *version * 10 + digit;
    }
    return HEAD_COMPLETE;
}

static enum head_result take_version(unsigned version, struct head *head, enum reject *reject) {
    if (version != 10 && version != 11)
        return refuse(reject, REJECT_BAD_VERSION);
    head->minor = version - 10;
    return HEAD_COMPLETE;
}

static enum reject check_method(struct slice method) {
    // A method that is a standard one but for its case would be taken for that by some servers and not by
    // others.
    static const struct slice standard[] = {
        {"GET", 3},     {"HEAD", 4},  {"POST", 4},  {"PUT", 3},     {"DELETE", 6},
        {"OPTIONS", 7}, {"PATCH", 5}, {"TRACE", 5}, {"CONNECT", 7},
    };
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
        if (method.len != standard[i].len || !slice_equal_fold(method, standard[i]))
            continue;
        if (!slice_equal(method, standard[i]))
            return REJECT_BAD_METHOD;
        return method.at[0] == 'T' ? REJECT_TRACE : method.at[0] == 'C' ? REJECT_CONNECT : REJECT_NONE;
    }
    return REJECT_NONE;
}

static enum reject check_target(const struct head *head) {
    struct uri uri;
    struct slice host;
    if (head->target.at[0] == '/')
        return REJECT_NONE;
    if (slice_equal(head->target, SLICE("*")))
        return slice_equal(head->method, SLICE("OPTIONS")) ? REJECT_NONE : REJECT_BAD_TARGET;
    if (!uri_split(head->target, &uri) || !uri_host(uri.authority, &host))
        return REJECT_BAD_TARGET;
    return REJECT_NONE;
}

static enum head_result read_request_line(struct cursor *c, const struct head_limits *limits,
                                          struct head *head, enum reject *reject) {
    enum head_result result;
    unsigned version;
    for (int lines = 0; c->at < c->end && (*c->at == '\r' || *c->at == '\n'); lines++) {
        if (lines == EMPTY_LINES)
            return refuse(reject, REJECT_BAD_START_LINE);
        if ((result = read_line_end(c, REJECT_BAD_START_LINE, reject)) != HEAD_COMPLETE)
            return result;
    }
    if ((result = read_method(c, head, reject)) != HEAD_COMPLETE ||
        (result = read_target(c, limits->target_bytes, head, reject)) != HEAD_COMPLETE ||
        (result = read_version(c, &version, reject)) != HEAD_COMPLETE ||
        (result = read_line_end(c, REJECT_BAD_START_LINE, reject)) != HEAD_COMPLETE ||
        (result = take_version(version, head, reject)) != HEAD_COMPLETE)
        return result;
    *reject = check_method(head->method);
    if (*reject == REJECT_NONE)
        *reject = check_target(head);
    return *reject == REJECT_NONE ? HEAD_COMPLETE : HEAD_REJECTED;
}

// Three digits, then SP and the reason, which may be empty; servers that leave out the SP as well are
// understood.
static enum head_result read_status_line(struct cursor *c, struct head *head, enum reject *reject) {
    enum head_result result;
    unsigned version;
    if ((result = read_version(c, &version, reject)) != HEAD_COMPLETE)
        return result;
    if (c->at == c->end)
        return HEAD_PARTIAL;
    if (*c->at++ != ' ')
        return refuse(reject, REJECT_BAD_START_LINE);
    head->status = 0;
    for (int i = 0; i < 3; i++, c->at++) {
        if (c->at == c->end)
            return HEAD_PARTIAL;
        unsigned digit = (unsigned)(unsigned char)*c->at - '0';
        if (digit > 9)
            return refuse(reject, REJECT_BAD_STATUS);
        head->status = head->status * 10 + digit;
    }
    if (head->status < 100 || head->status > 599) // RFC 9110 15: there are five classes
        return refuse(reject, REJECT_BAD_STATUS);
    if (c->at < c->end && *c->at == ' ') {
        const char *start = ++c->at;
        c->at = skip_value(start, c->end);
        head->reason = slice_make(start, (size_t)(c->at - start));
        result = read_line_end(c, REJECT_BAD_START_LINE, reject);
    } else {
        head->reason = slice_make(c->at, 0);
        result = read_line_end(c, REJECT_BAD_STATUS, reject);
    }
    return result == HEAD_COMPLETE ? take_version(version, head, reject) : result;
}

// Leading zeros are legal, but some readers take 010 for octal: nobody behind us sees them.
static struct slice without_zeros(struct slice value) {
    while (value.len > 1 && value.at[0] == '0' && (unsigned char)(value.at[1] - '0') < 10)
        value = slice_from(value, 1);
    return value;
}

static inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// A line whose first byte is known to be one of a name.
static inline enum head_result read_field(struct cursor *c, struct field *field, enum reject *reject) {
    const char *start = c->at, *end = c->end, *colon = skip_token(start, end);
    if (colon == end)
        return HEAD_PARTIAL;
    if (*colon != ':') {
        c->at = colon;
        enum head_result result = read_line_end(c, REJECT_BAD_FIELD_NAME, reject);
        return result == HEAD_COMPLETE ? refuse(reject, REJECT_BAD_FIELD_NAME) : result;
    }
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    const char *stop = skip_value(value, end);
    c->at = stop;
    enum head_result result = read_line_end(c, REJECT_BAD_FIELD_VALUE, reject);
    if (result != HEAD_COMPLETE)
        return result;
    while (stop > value && is_blank(stop[-1]))
        stop--;
    field->name = slice_make(start, (size_t)(colon - start));
    field->value = slice_make(value, (size_t)(stop - value));
    field->id = field_identify(field->name);
    field->drop = false;
    if (field->id == FIELD_CONTENT_LENGTH)
        field->value = without_zeros(field->value);
    return HEAD_COMPLETE;
}

static enum head_result read_fields(struct cursor *c, struct head *head, enum reject *reject) {
    for (;;) {
        if (c->at == c->end)
            return HEAD_PARTIAL;
        if (!octet_is(*c->at, OCTET_TOKEN))
            return read_line_end(
                c, *c->at == ' ' || *c->at == '\t' ? REJECT_FOLDED_FIELD : REJECT_BAD_FIELD_NAME, reject);
        if (head->field_count == HEAD_FIELDS)
            return refuse(reject, REJECT_TOO_MANY_FIELDS);
        enum head_result result = read_field(c, &head->fields[head->field_count], reject);
        if (result != HEAD_COMPLETE)
            return result;
        head->present |= FIELD_BIT(head->fields[head->field_count].id);
        head->field_count++;
    }
}

static enum reject check_host(const struct head *head) {
    const struct field *host = head_find(head, FIELD_HOST);
    struct slice name;
    if (!host)
        return head->minor == 0 ? REJECT_NONE : REJECT_BAD_HOST;
    for (const struct field *other = host + 1; other < head->fields + head->field_count; other++)
        if (other->id == FIELD_HOST)
            return REJECT_BAD_HOST;
    return uri_host(host->value, &name) ? REJECT_NONE : REJECT_BAD_HOST;
}

static bool has_end(struct cursor c) {
    for (int lines = 0; lines <= HEAD_FIELDS + EMPTY_LINES + 1; lines++) {
        const char *lf = memchr(c.at, '\n', (size_t)(c.end - c.at));
        if (!lf)
            return false;
        c.at = lf + 1;
        if (c.end - c.at >= 2 && c.at[0] == '\r' && c.at[1] == '\n')
            return true;
    }
    return true; // too many lines: the scan says so
}

// A sender that dribbles a long head would make us scan it again for every byte. Past DRIBBLE_BYTES only the
// start line is, until a line or the head ends or the limit is reached: at most one scan a line, and there
// are few lines.
static bool worth_scanning(struct cursor c, size_t limit) {
    size_t len = (size_t)(c.end - c.at);
    return len <= DRIBBLE_BYTES || len >= limit || c.end[-1] == '\n' || has_end(c);
}

static enum head_result read_head(struct slice bytes, const struct head_limits *limits, bool request,
                                  struct head *head, enum reject *reject) {
    if (bytes.len == 0)
        return HEAD_PARTIAL;
    bool full = bytes.len >= limits->head_bytes;
    struct cursor c = {bytes.at, bytes.at + (full ? limits->head_bytes : bytes.len)};
    bool fields_too = worth_scanning(c, limits->head_bytes);
    head->method = head->target = head->reason = slice_make(NULL, 0);
    head->status = head->minor = 0;
    head->field_count = head->bytes = head->present = 0;
    *reject = REJECT_NONE;
    enum head_result result =
        request ? read_request_line(&c, limits, head, reject) : read_status_line(&c, head, reject);
    if (result == HEAD_COMPLETE)
        result = fields_too ? read_fields(&c, head, reject) : HEAD_PARTIAL;
    if (result == HEAD_PARTIAL && full)
        return refuse(reject, REJECT_HEAD_TOO_LARGE);
    if (result != HEAD_COMPLETE)
        return result;
    head->bytes = (size_t)(c.at - bytes.at);
    if (request && (*reject = check_host(head)) != REJECT_NONE)
        return HEAD_REJECTED;
    return HEAD_COMPLETE;
}

enum head_result head_read_request(struct slice bytes, const struct head_limits *limits, struct head *head,
                                   enum reject *reject) {
    return read_head(bytes, limits, true, head, reject);
}

enum head_result head_read_response(struct slice bytes, const struct head_limits *limits, struct head *head,
                                    enum reject *reject) {
    return read_head(bytes, limits, false, head, reject);
}
