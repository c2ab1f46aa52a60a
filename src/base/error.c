#include "base/error.h"
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, const char *format, ...) {
    if (!error)
        return false;
    // Through a copy: callers put the place before what they were told ("%s: %s", path, error->text).
    char text[sizeof error->text];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        text[0] = '\0';
    memcpy(error->text, text, sizeof text);
    return false;
}
