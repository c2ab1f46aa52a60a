// settings: what `sluice demo` was asked for. Owner: demo_main; read by everybody in the demo.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct fault;

struct settings {
    const char *bind;          // IPv4 address the proxy listens on
    const char *host;          // under which this machine reaches it: `bind`, or loopback for all addresses
    unsigned port, admin_port; // 0 until port_settle has chosen
    uint64_t duration_us;      // 0: until a signal
    unsigned rate, users;      // requests per second; how many users send them
    uint64_t step_us;          // how long each step of the rollout lasts at least, and the watch after it
    const struct fault *fault; // how the canary gets worse in the first step; NULL: it does not
    bool once;                 // ends with the rollout
    bool plain;                // lines instead of a table that redraws itself
};

// The usual ones and what argv[1..] says. False when there is nothing to run: *exit_code then says how to
// end.
bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code);
