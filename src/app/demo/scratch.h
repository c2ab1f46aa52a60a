// scratch: a directory of our own for as long as the demo runs (mode 0700, under TMPDIR). Owner: demo_main.
#pragma once
#include "base/error.h"
#include "base/slice.h"

#define SCRATCH_PATH 512

struct scratch {
    char path[SCRATCH_PATH - 128]; // empty: there is none
};

bool scratch_make(struct scratch *scratch, struct error *error);
void scratch_remove(struct scratch *scratch); // with everything in it
void scratch_path(const struct scratch *scratch, const char *name, char path[SCRATCH_PATH]);
bool scratch_write(const struct scratch *scratch, const char *name, struct slice text, struct error *error);
// The file's last bytes as text (at most size - 1), "" when it cannot be read.
void scratch_tail(const struct scratch *scratch, const char *name, char *text, size_t size);
