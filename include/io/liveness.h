// liveness: how long the peer of a TCP connection may leave what was sent, or a probe, without an answer: a
// peer that vanished without a word (its machine, or the network between) does not stay for ever.
#pragma once
#include <stdint.h>

// By keep-alive probes and TCP_USER_TIMEOUT: the connection fails with ETIMEDOUT about `most_ms` after the
// peer was last heard of. Below 0: off. On a listening socket it holds for what is accepted from then on.
// Nothing on sockets of other kinds.
void liveness_set(int fd, int64_t most_ms);
