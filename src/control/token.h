// token: the admin token, read from its file. Control thread.
#pragma once
#include "base/error.h"

// The first line of the file without its end; NULL and *error when it cannot be read or is empty. mem_free.
char *token_read(const char *path, struct error *error);
