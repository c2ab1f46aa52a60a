// descriptors: who may have how many of the process's file descriptors, so that a crowd of clients leaves
// some for their upstream connections, for the admin address, health checks, logs and the journal. The kernel
// gives the lowest free number, so a number tells how many are in use. Pure but for descriptors_read.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct descriptors {
    uint64_t clients; // client connections at once: three quarters of what the data path has
    int data;         // numbers from here on are not for the data path
    int pipes;        // … and from here on not for pipes, which only make bodies cheaper
};

// Of `limit` descriptors an eighth is kept back, from 32 to 1024.
struct descriptors descriptors_share(uint64_t limit);
struct descriptors descriptors_read(void); // of the process's limit as it is now
bool descriptors_short(int code);          // errno says that there is none left, here or in the system
