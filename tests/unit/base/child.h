// child: runs a function in a child process and gives back how it ended and what it wrote to stderr. Test
// code only.
#pragma once
#include <stddef.h>

// The wait status; text is NUL-terminated and cut at `room`.
int child_run(void (*body)(void), char *text, size_t room);
