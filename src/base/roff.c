#include "base/roff.h"

#define LINE_MOST 78

static void put_char(struct strbuf *out, struct slice character) {
    static const struct {
        char c;
        const char *escape;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},    {'~', "\\(ti"},
                   {'^', "\\(ha"}, {'\'', "\\(aq"}, {'`', "\\(ga"}};
    const unsigned char *at = (const unsigned char *)character.at;
    if (character.len > 1) {
        uint32_t code = at[0] & (0xffu >> (character.len + 1));
        for (size_t i = 1; i < character.len; i++)
            code = code << 6 | (at[i] & 0x3fu);
        strbuf_format(out, "\\[u%04X]", code);
        return;
    }
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (*at == (unsigned char)escapes[i].c) {
            strbuf_string(out, escapes[i].escape);
            return;
        }
    }
    strbuf_char(out, character.at[0]);
}

// Returns what follows the first character.
static struct slice next(struct slice text, struct slice *character) {
    size_t len = slice_utf8(text);
    *character = slice_make(text.at, len ? len : 1);
    return slice_from(text, character->len);
}

void roff_word(struct strbuf *out, const char *text) {
    struct slice rest = slice_of(text), character;
    while (rest.len) {
        rest = next(rest, &character);
        put_char(out, character);
    }
}

struct writer {
    struct strbuf *out, word;
    size_t column; // of the line so far
    bool bold;
};

static bool ends_sentence(struct slice word) {
    while (word.len && (word.at[word.len - 1] == ')' || word.at[word.len - 1] == '"'))
        word.len--;
    return word.len && strchr(".!?", word.at[word.len - 1]);
}

static void put_word(struct writer *writer, struct slice source) {
    struct strbuf *out = writer->out;
    if (writer->word.len == 0)
        return;
    if (writer->column && writer->column + 1 + writer->word.len > LINE_MOST) {
        strbuf_char(out, '\n');
        writer->column = 0;
    }
    if (writer->column)
        strbuf_char(out, ' ');
    else if (writer->word.at[0] == '.')
        strbuf_string(out, "\\&");
    writer->column += writer->word.len + 1;
    strbuf_slice(out, strbuf_as_slice(&writer->word));
    if (ends_sentence(source)) {
        strbuf_char(out, '\n');
        writer->column = 0;
    }
    strbuf_clear(&writer->word);
}

void roff_text(struct strbuf *out, const char *text) {
    struct writer writer = {.out = out};
    struct slice rest = slice_of(text), character, source = rest;
    while (rest.len) {
        struct slice before = rest;
        rest = next(rest, &character);
        if (*character.at == ' ' || *character.at == '\n') {
            put_word(&writer, slice_make(source.at, (size_t)(before.at - source.at)));
            source = rest;
        } else if (*character.at == '`') {
            writer.bold = !writer.bold;
            strbuf_string(&writer.word, writer.bold ? "\\fB" : "\\fR");
        } else {
            put_char(&writer.word, character);
        }
    }
    put_word(&writer, source);
    if (writer.column)
        strbuf_char(out, '\n');
    strbuf_free(&writer.word);
}

void roff_lines(struct strbuf *out, const char *text) {
    struct slice rest = slice_of(text), character;
    bool begins = true;
    while (rest.len) {
        rest = next(rest, &character);
        if (begins && *character.at == '.')
            strbuf_string(out, "\\&");
        begins = *character.at == '\n';
        put_char(out, character);
    }
}
