#include "foot.h"

#include "app/paint.h"

#include <stdio.h>

static size_t count_lines(struct slice text) {
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

static bool continues(unsigned char byte) { // a character of UTF-8
    return (byte & 0xc0) == 0x80;
}

// Past the escape that begins at `at`: to its letter.
static size_t past_escape(struct slice text, size_t at) {
    while (at < text.len && text.at[at] != 'm')
        at++;
    return at < text.len ? at + 1 : at;
}

static void fit_lines(struct strbuf *out, struct slice text, unsigned columns, unsigned rows) {
    unsigned column = 0;
    for (size_t i = 0; i < text.len && rows > 0; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte == '\n') {
            column = 0;
            rows--;
        } else if (byte == '\033') {
            size_t end = past_escape(text, i);
            strbuf_append(out, text.at + i, end - i);
            i = end - 1;
            continue;
        } else if (!continues(byte) && ++column > columns) {
            continue; // it and what continues it
        }
        if (column <= columns)
            strbuf_char(out, byte < 0x20 && byte != '\n' ? ' ' : (char)byte);
    }
}

void foot_fit(struct strbuf *out, struct slice text, unsigned columns, unsigned rows) {
    size_t lines = count_lines(text);
    struct strbuf note = {0};
    if (lines <= rows || rows < 2) {
        fit_lines(out, text, columns, rows);
        return;
    }
    fit_lines(out, text, columns, rows - 1);
    strbuf_format(&note, "%s(%zu more lines)%s\n", paint(PAINT_DIM), lines - (rows - 1), paint(PAINT_PLAIN));
    fit_lines(out, strbuf_as_slice(&note), columns, 1);
    strbuf_free(&note);
}

unsigned foot_rows(struct slice lines, unsigned columns) {
    unsigned rows = 0, column = 0;
    for (size_t i = 0; i < lines.len; i++) {
        unsigned char byte = (unsigned char)lines.at[i];
        if (byte == '\033') {
            i = past_escape(lines, i) - 1;
        } else if (byte == '\n') {
            // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): terminal_size() has at least one column
            rows += column > columns ? (column + columns - 1) / columns : 1;
            column = 0;
        } else if (!continues(byte)) {
            column++;
        }
    }
    return rows;
}

void foot_begin(struct foot *foot, bool wanted) {
    *foot = (struct foot){.on = wanted && terminal_live(), .fine = terminal_unicode()};
}

void foot_free(struct foot *foot) {
    strbuf_free(&foot->drawn);
}

struct terminal_size foot_size(void) {
    return terminal_size((struct terminal_size){80, 24});
}

// A window that has become narrower since has broken the lines anew; of one that has become lower, what left
// it at its top is out of reach.
static void write_erasure(struct foot *foot, struct strbuf *out) {
    struct terminal_size size = foot_size();
    unsigned rows = foot_rows(strbuf_as_slice(&foot->drawn), size.columns);
    if (rows >= size.rows)
        rows = size.rows - 1;
    if (rows)
        strbuf_format(out, "\033[%uA\r\033[J", rows);
    strbuf_clear(&foot->drawn);
}

static void write_out(struct strbuf *out) { // in one piece: half a picture is never seen
    fwrite(out->at ? out->at : "", 1, out->len, stdout);
    fflush(stdout);
    strbuf_free(out);
}

void foot_erase(struct foot *foot) {
    struct strbuf out = {0};
    write_erasure(foot, &out);
    write_out(&out);
}

void foot_draw(struct foot *foot, struct slice text) {
    struct strbuf out = {0};
    struct terminal_size size = foot_size();
    if (!foot->on)
        return;
    write_erasure(foot, &out);
    foot_fit(&foot->drawn, text, size.columns, size.rows > 1 ? size.rows - 1 : 1);
    strbuf_slice(&out, strbuf_as_slice(&foot->drawn));
    write_out(&out);
}
