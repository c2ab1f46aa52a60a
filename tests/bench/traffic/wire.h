// What the load generator and the origin of the comparison (compare.py) share: the clock, sockets, epoll.
// Programs of one thread; what fails here ends the program with a message, since a measurement without it
// means nothing.
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND UINT64_C(1000000000) // in nanoseconds

// CLOCK_MONOTONIC, nanoseconds: the same for all programs of a machine.
uint64_t wire_now(void);

// Prints what failed and errno's words; does not return.
_Noreturn void wire_fail(const char *what);

// Raises the limit of open files to what is allowed (200,000 for root).
void wire_many_files(void);

// Edge-triggered, both directions.
void wire_watch(int epoll, int fd, void *context);
// Level-triggered, reading: for listening sockets.
void wire_watch_listener(int epoll, int fd, void *context);
void wire_no_delay(int fd);

// Listens on a port of loopback that the kernel chooses and tells.
int wire_listen(uint16_t *port);
// Begins to connect to a port of loopback, from one of 16 addresses of it (by turn), so that ports do not run
// out. -1: not even begun.
int wire_connect(uint16_t port, unsigned turn);

#endif
