// paint: colours on a terminal, nothing elsewhere (or with NO_COLOR).
#pragma once

enum paint { PAINT_PLAIN, PAINT_BOLD, PAINT_DIM, PAINT_GREEN, PAINT_YELLOW, PAINT_RED };
const char *paint(enum paint colour); // what switches to it on stdout; "" without colours
