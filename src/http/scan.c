#include "scan.h"

#include <stdint.h>
#include <string.h>

bool scan_wrong(struct scan *scan) {
    scan->wrong = true;
    return false;
}

void scan_blanks(struct scan *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

bool scan_take(struct scan *scan, char byte) {
    if (scan->at == scan->end || *scan->at != byte)
        return false;
    scan->at++;
    return true;
}

static int hex(char byte) {
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
        return (byte | 0x20) - 'a' + 10;
    return -1;
}

// A string without its quotes, as it is written.
bool scan_string(struct scan *scan, struct slice *raw) {
    if (!scan_take(scan, '"'))
        return scan_wrong(scan);
    const char *begin = scan->at;
    while (scan->at < scan->end && *scan->at != '"') {
        unsigned char byte = (unsigned char)*scan->at++;
        if (byte < 0x20)
            return scan_wrong(scan);
        if (byte != '\\')
            continue;
        if (scan->at == scan->end || !*scan->at || !strchr("\"\\/bfnrtu", *scan->at))
            return scan_wrong(scan);
        if (*scan->at++ != 'u')
            continue;
        for (int i = 0; i < 4; i++)
            if (scan->at == scan->end || hex(*scan->at++) < 0)
                return scan_wrong(scan);
    }
    *raw = slice_make(begin, (size_t)(scan->at - begin));
    return scan_take(scan, '"') || scan_wrong(scan);
}

static bool digits(struct scan *scan) {
    const char *begin = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > begin || scan_wrong(scan);
}

static bool read_number(struct scan *scan) {
    scan_take(scan, '-');
    if (!scan_take(scan, '0') && !digits(scan))
        return false;
    if (scan_take(scan, '.') && !digits(scan))
        return false;
    if (!scan_take(scan, 'e') && !scan_take(scan, 'E'))
        return true;
    if (!scan_take(scan, '+'))
        scan_take(scan, '-');
    return digits(scan);
}

static bool read_word(struct scan *scan, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return scan_wrong(scan);
    scan->at += len;
    return true;
}

bool scan_scalar(struct scan *scan) {
    struct slice raw;
    switch (scan->at < scan->end ? *scan->at : '\0') {
    case '"':
        return scan_string(scan, &raw);
    case 't':
        return read_word(scan, "true");
    case 'f':
        return read_word(scan, "false");
    case 'n':
        return read_word(scan, "null");
    default:
        return read_number(scan);
    }
}

bool scan_enter(struct scan *scan) {
    if (scan->depth == SCAN_DEPTH) {
        scan->too_deep = true;
        return false;
    }
    scan->depth++;
    return true;
}

void scan_leave(struct scan *scan) {
    scan->depth--;
}

static bool pass_members(struct scan *scan, char close) {
    struct slice key;
    scan_blanks(scan);
    if (scan_take(scan, close))
        return true;
    do {
        scan_blanks(scan);
        if (close == '}') {
            if (!scan_string(scan, &key))
                return false;
            scan_blanks(scan);
            if (!scan_take(scan, ':'))
                return scan_wrong(scan);
            scan_blanks(scan);
        }
        if (!scan_value(scan))
            return false;
        scan_blanks(scan);
    } while (scan_take(scan, ','));
    return scan_take(scan, close) || scan_wrong(scan);
}

bool scan_value(struct scan *scan) {
    bool object = scan_take(scan, '{');
    if (!object && !scan_take(scan, '['))
        return scan_scalar(scan);
    if (!scan_enter(scan) || !pass_members(scan, object ? '}' : ']'))
        return false;
    scan_leave(scan);
    return true;
}

// ---- pointers

// The next name of a pointer: "/a~1b/c" -> "a~1b", and what comes behind it.
struct slice scan_name(const char *pointer, const char **rest) {
    const char *name = pointer + 1;
    size_t len = strcspn(name, "/");
    *rest = name[len] ? name + len : NULL;
    return slice_make(name, len);
}

static size_t put_utf8(uint32_t code, char *to) {
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static uint32_t four_hex(const char *at) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++)
        code = code << 4 | (uint32_t)hex(at[i]);
    return code;
}

// The character at the front of a string that was read, as bytes; half a surrogate pair stands for itself.
static size_t next_character(struct slice *raw, char bytes[4]) {
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *at = raw->at;
    if (*at != '\\') {
        bytes[0] = *at;
        *raw = slice_from(*raw, 1);
        return 1;
    }
    if (at[1] != 'u') {
        const char *letter = strchr(letters, at[1]);
        bytes[0] = letter ? meant[letter - letters] : at[1];
        *raw = slice_from(*raw, 2);
        return 1;
    }
    uint32_t code = four_hex(at + 2);
    size_t len = 6;
    if (code >> 10 == 0x36 && raw->len >= 12 && at[6] == '\\' && at[7] == 'u' &&
        four_hex(at + 8) >> 10 == 0x37) {
        code = 0x10000 + ((code & 0x3ff) << 10 | (four_hex(at + 8) & 0x3ff));
        len = 12;
    }
    *raw = slice_from(*raw, len);
    return put_utf8(code, bytes);
}

bool scan_key_is(struct slice raw, struct slice name) {
    char bytes[4];
    while (raw.len) {
        size_t len = next_character(&raw, bytes);
        for (size_t i = 0; i < len; i++) {
            if (!name.len)
                return false;
            bool escaped = name.at[0] == '~' && name.len > 1;
            char byte = !escaped ? name.at[0] : name.at[1] == '1' ? '/' : '~';
            if (byte != bytes[i])
                return false;
            name = slice_from(name, escaped ? 2 : 1);
        }
    }
    return name.len == 0;
}

// -1: no index; the index of "-" is that behind the last.
int64_t scan_index(struct slice name) {
    int64_t index = 0;
    if (slice_equal(name, slice_make("-", 1)))
        return INT64_MAX;
    if (!name.len || name.len > 9 || (name.len > 1 && name.at[0] == '0'))
        return -1;
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] < '0' || name.at[i] > '9')
            return -1;
        index = 10 * index + (name.at[i] - '0');
    }
    return index;
}
