// token: the admin token, read from its file. Control thread.
#pragma once
#include "base/error.h"

// The first line of the file without its end; NULL and *error when it cannot be read or is empty. mem_free.
// *open_to_all: everybody on this machine may read or write the file.
char *token_read(const char *path, bool *open_to_all, struct error *error);
