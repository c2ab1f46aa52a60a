#include "screen.h"

#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

// The alternate screen, without cursor and without wrapping of long lines; and back.
#define ENTER         "\033[?1049h\033[?25l\033[?7l"
#define LEAVE         "\033[?7h\033[?25h\033[?1049l"

#define COLUMNS_USUAL 100
#define ROWS_USUAL    40

void screen_open(struct screen *screen, bool plain) {
    const char *terminal = getenv("TERM");
    screen->live = !plain && isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    if (screen->live)
        screen_print(SLICE(ENTER));
}

void screen_close(struct screen *screen) {
    if (screen->live)
        screen_print(SLICE(LEAVE));
    screen->live = false;
}

static void measure(unsigned *columns, unsigned *rows) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
    *columns = known ? size.ws_col : COLUMNS_USUAL;
    *rows = known ? size.ws_row : ROWS_USUAL;
}

unsigned screen_columns(const struct screen *screen) {
    unsigned columns = COLUMNS_USUAL, rows;
    if (screen->live)
        measure(&columns, &rows);
    return columns;
}

bool screen_unicode(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

bool screen_print(struct slice text) {
    return (!text.len || fwrite(text.at, 1, text.len, stdout) == text.len) && fflush(stdout) == 0;
}

bool screen_show(const struct screen *screen, struct slice text) {
    struct strbuf frame = {0};
    unsigned columns, rows;
    if (!screen->live)
        return screen_print(text);
    measure(&columns, &rows);
    strbuf_literal(&frame, "\033[H");
    for (unsigned row = 1; row < rows && text.len; row++) {
        strbuf_slice(&frame, slice_cut(&text, '\n'));
        strbuf_literal(&frame, "\033[K\n");
    }
    strbuf_literal(&frame, "\033[J");
    bool shown = screen_print(strbuf_as_slice(&frame));
    strbuf_free(&frame);
    return shown;
}
