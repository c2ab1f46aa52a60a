// process: figures about this process, from the kernel. Any thread.
#pragma once
#include <stdint.h>

struct process_figures { // 0 where the kernel does not say
    double cpu_seconds;
    uint64_t resident_bytes, open_fds, max_fds, threads;
};
void process_read(struct process_figures *figures);
// Raises the limit of open descriptors as far as allowed; returns it.
uint64_t process_raise_fds(void);
