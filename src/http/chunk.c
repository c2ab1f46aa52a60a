#include "http/chunk.h"
#include "octet.h"

#define SIZE_DIGITS           16
#define LINE_EXTENSION_BYTES  256
#define EXTENSION_BYTES       (16u << 10)
#define TRAILER_SECTION_BYTES (16u << 10)

enum state {
    SIZE,           // first digit is due
    SIZE_MORE,      // more digits, an extension or CR
    EXTENSION,      // after ';': white space, then a name is due
    EXTENSION_NAME, // inside it
    NAME_SPACE,     // after it: white space, then '=' or ';'
    VALUE_START,    // after '=': white space, then a token or a quoted string
    VALUE_TOKEN,
    VALUE_QUOTED,
    VALUE_ESCAPED, // after a backslash in it
    VALUE_END,     // after the closing quote
    VALUE_SPACE,   // white space after a value or a size: ';' is due
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, // the start of a line of the trailer section
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    BROKEN, // stays so, whatever is fed to it
};

void chunk_start(struct chunk_decoder *decoder) {
    *decoder = (struct chunk_decoder){.state = SIZE};
}

static bool blank(char c) {
    return c == ' ' || c == '\t';
}

static enum state take_digit(struct chunk_decoder *decoder, char c) {
    int digit = octet_hex(c);
    if (digit < 0 || decoder->digits == SIZE_DIGITS)
        return BROKEN;
    decoder->digits++;
    decoder->left = decoder->left << 4 | (unsigned)digit;
    return decoder->left >> 63 ? BROKEN : SIZE_MORE; // 2^63 is negative to some readers
}

// What may follow a whole extension, white space included only when ';' follows that.
static enum state after_extension(char c) {
    return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : BROKEN;
}

// One byte of an extension: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), checked and
// dropped.
static enum state take_extension(enum state state, char c) {
    bool token = octet_is(c, OCTET_TOKEN);
    switch (state) {
    case EXTENSION:
        return blank(c) ? EXTENSION : token ? EXTENSION_NAME : BROKEN;
    case EXTENSION_NAME:
        return token ? EXTENSION_NAME : c == '=' ? VALUE_START : blank(c) ? NAME_SPACE : after_extension(c);
    case NAME_SPACE:
        return blank(c) ? NAME_SPACE : c == '=' ? VALUE_START : c == ';' ? EXTENSION : BROKEN;
    case VALUE_START:
        return blank(c) ? VALUE_START : c == '"' ? VALUE_QUOTED : token ? VALUE_TOKEN : BROKEN;
    case VALUE_TOKEN:
        return token ? VALUE_TOKEN : blank(c) ? VALUE_SPACE : after_extension(c);
    case VALUE_QUOTED:
        return c == '"'                   ? VALUE_END
               : c == '\\'                ? VALUE_ESCAPED
               : octet_is(c, OCTET_VALUE) ? VALUE_QUOTED
                                          : BROKEN;
    case VALUE_ESCAPED:
        return octet_is(c, OCTET_VALUE) ? VALUE_QUOTED : BROKEN;
    case VALUE_END:
        return blank(c) ? VALUE_SPACE : after_extension(c);
    case VALUE_SPACE:
        return blank(c) ? VALUE_SPACE : c == ';' ? EXTENSION : BROKEN;
    default:
        return BROKEN;
    }
}

static enum state take_trailer(enum state state, char c) {
    switch (state) {
    case TRAILER:
        return c == '\r' ? LAST_LF : octet_is(c, OCTET_TOKEN) ? TRAILER_NAME : BROKEN;
    case TRAILER_NAME:
        return c == ':' ? TRAILER_VALUE : octet_is(c, OCTET_TOKEN) ? TRAILER_NAME : BROKEN;
    case TRAILER_VALUE:
        return c == '\r' ? TRAILER_LF : octet_is(c, OCTET_VALUE) ? TRAILER_VALUE : BROKEN;
    case TRAILER_LF:
        return c == '\n' ? TRAILER : BROKEN;
    case LAST_LF:
        return c == '\n' ? DONE : BROKEN;
    default:
        return BROKEN;
    }
}

// Whether a byte of an extension is one too many. The CR behind it is none of it.
static bool too_many(struct chunk_decoder *decoder, char c) {
    if (c == '\r')
        return false;
    return ++decoder->line_bytes > LINE_EXTENSION_BYTES || ++decoder->extension_bytes > EXTENSION_BYTES;
}

// Behind a digit: more of them, the line's end, or the first byte of an extension.
static enum state take_behind_digit(struct chunk_decoder *decoder, char c) {
    if (c == '\r')
        return SIZE_LF;
    if (c != ';' && !blank(c))
        return take_digit(decoder, c);
    return too_many(decoder, c) ? BROKEN : c == ';' ? EXTENSION : VALUE_SPACE;
}

// One byte that is not data.
static enum state take_byte(struct chunk_decoder *decoder, char c) {
    enum state state = (enum state)decoder->state;
    switch (state) {
    case SIZE:
        decoder->digits = 0;
        decoder->line_bytes = 0;
        return take_digit(decoder, c);
    case SIZE_MORE:
        return take_behind_digit(decoder, c);
    case SIZE_LF:
        return c != '\n' ? BROKEN : decoder->left ? DATA : TRAILER;
    case DATA_CR:
        return c == '\r' ? DATA_LF : BROKEN;
    case DATA_LF:
        return c == '\n' ? SIZE : BROKEN;
    case EXTENSION ... VALUE_SPACE:
        return too_many(decoder, c) ? BROKEN : take_extension(state, c);
    default:
        if (++decoder->trailer_bytes > TRAILER_SECTION_BYTES)
            return BROKEN;
        state = take_trailer(state, c);
        if (decoder->trailers && state != LAST_LF && state < DONE)
            strbuf_char(decoder->trailers, c);
        return state;
    }
}

enum chunk_result chunk_decode(struct chunk_decoder *decoder, char *bytes, size_t len, size_t *data,
                               size_t *used, enum reject *reject) {
    size_t at = 0, out = 0;
    while (at < len && decoder->state < DONE) {
        if (decoder->state == DATA) {
            size_t size = len - at < decoder->left ? len - at : (size_t)decoder->left;
            if (out != at)
                memmove(bytes + out, bytes + at, size);
            out += size;
            at += size;
            decoder->left -= size;
            if (decoder->left == 0)
                decoder->state = DATA_CR;
            continue;
        }
        decoder->state = (uint8_t)take_byte(decoder, bytes[at]);
        at += decoder->state != BROKEN;
    }
    *data = out;
    *used = at;
    if (decoder->state == BROKEN)
        *reject = decoder->trailer_bytes ? REJECT_BAD_TRAILER : REJECT_BAD_CHUNK;
    return decoder->state == DONE ? CHUNK_DONE : decoder->state == BROKEN ? CHUNK_REJECTED : CHUNK_MORE;
}

size_t chunk_line_before(char *end, uint64_t size) {
    char *at = end;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size);
    return (size_t)(end - at);
}
