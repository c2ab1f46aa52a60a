// activation: listening sockets that a service manager has opened (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS
// and LISTEN_FDNAMES in the environment, descriptors from 3 on. Control thread, before anything is opened.
#pragma once
#include "io/inherited.h"
#include <sys/types.h>

// How many there are for process `pid`; 0: none.
size_t activation_count(const char *listen_pid, const char *listen_fds, pid_t pid);
// Adds them, and takes the variables out of the environment. What is no listening socket is closed, and the
// log says so.
void activation_read(struct inherited *inherited);
