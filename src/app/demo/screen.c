#include "screen.h"

#include "../terminal.h"
#include "base/strbuf.h"

#include <stdio.h>

// The alternate screen, without cursor and without wrapping of long lines; and back.
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static const struct terminal_size usual = {.columns = 100, .rows = 40};

void screen_open(struct screen *screen, bool plain) {
    screen->live = !plain && terminal_live();
    if (screen->live)
        screen_print(SLICE(ENTER));
}

void screen_close(struct screen *screen) {
    if (screen->live)
        screen_print(SLICE(LEAVE));
    screen->live = false;
}

unsigned screen_columns(const struct screen *screen) {
    return screen->live ? terminal_size(usual).columns : usual.columns;
}

bool screen_print(struct slice text) {
    return (!text.len || fwrite(text.at, 1, text.len, stdout) == text.len) && fflush(stdout) == 0;
}

bool screen_show(const struct screen *screen, struct slice text) {
    struct strbuf frame = {0};
    if (!screen->live)
        return screen_print(text);
    unsigned rows = terminal_size(usual).rows;
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
