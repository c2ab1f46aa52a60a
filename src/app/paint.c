#include "app/paint.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool wanted(void) {
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !(refused && *refused) && isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

const char *paint(enum paint colour) {
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"};
    static int known = -1;
    if (known < 0)
        known = wanted();
    return known ? codes[colour] : "";
}
