// screen: the terminal (or whatever stdout is) that the demo draws on. Owner: demo_main; one thread.
#pragma once
#include "base/slice.h"

struct screen {
    bool live; // a terminal whose content is redrawn; else lines are appended
};

void screen_open(struct screen *screen, bool plain);
void screen_close(struct screen *screen); // gives the terminal back as it was; twice is fine
unsigned screen_columns(const struct screen *screen);
// Live: replaces what is shown, cut to the terminal's height. False when stdout takes nothing any more.
bool screen_show(const struct screen *screen, struct slice text);
bool screen_print(struct slice text); // appends
