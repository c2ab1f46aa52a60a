// listen: opens listening sockets. Cold path; any thread.
#pragma once
#include "io/address.h"

// Non-blocking, close-on-exec, SO_REUSEADDR; `share` adds SO_REUSEPORT so that each worker has its own queue.
// -1 and *error (which names the address and says when it is in use) on failure.
int listen_open(const struct address *address, bool share, struct error *error);
// What accepted sockets are to inherit from it; also of one that somebody else has opened.
void listen_tune(int fd);
// True when another socket outside this process already listens there: SO_REUSEPORT would otherwise join it
// silently.
bool listen_taken(const struct address *address);
