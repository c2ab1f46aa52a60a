// call_filter: which system calls the process may make once it serves (seccomp). The only file that knows
// libseccomp. What is not on the list is answered ENOSYS, as by a kernel that does not have it, so that
// libraries take their other way; what only an intruder would ask for is answered EPERM. Neither ends the
// process. Filters stay over execve and stack: a new binary has this one and its own.
#pragma once
#include "base/error.h"
#include "config/config.h"
#include <stdbool.h>

// Puts it over every thread of the process, for good; no_new_privs comes with it. SECCOMP_LOG: what is
// outside is done and written to the kernel's log. False: the kernel cannot.
bool call_filter_load(enum seccomp_mode mode, struct error *error);
