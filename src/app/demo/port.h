// port: whether a TCP port is free, and who has it when not. Cold path; any thread.
#pragma once
#include "base/error.h"

// Makes sure that something can listen on `address`:*port; 0 is replaced by a port that the kernel chooses.
// When it is taken the error names the holder (as far as /proc tells) and `option`, which chooses another.
bool port_settle(const char *address, unsigned *port, const char *option, struct error *error);
