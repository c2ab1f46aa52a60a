// settings: what `sluice demo` was asked for. Owner: demo_main; read by everybody in the demo.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct settings {
    const char *bind;          // IPv4 address the proxy listens on
    const char *host;          // under which this machine reaches it: `bind`, or loopback for all addresses
    unsigned port, admin_port; // 0 until port_settle has chosen
    uint64_t duration_us;      // 0: until a signal
    unsigned rate, users;      // requests per second; how many users send them
    bool fail;                 // the canary begins to fail after a while
    bool plain;                // lines instead of a table that redraws itself
};
