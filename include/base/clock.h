// clock: the only place that asks the system for the time. Any thread. Pure code gets times as arguments.
#pragma once
#include <stdint.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

uint64_t clock_monotonic_ns(void); // never goes back; for durations and deadlines
uint64_t clock_wall_ms(void);      // Unix time; for people and logs
// Unix time as it was at the process's first look, and what has passed since: for ages that outlive the
// process. Who sets the clock while it runs makes nothing older or younger.
uint64_t clock_steady_ms(void);
#define CLOCK_ISO_BYTES 25
void clock_iso(uint64_t wall_ms, char text[CLOCK_ISO_BYTES]); // 2026-11-23T05:35:24.123Z, NUL-terminated
#define CLOCK_HTTP_BYTES 30
void clock_http(uint64_t wall_ms,
                char text[CLOCK_HTTP_BYTES]); // Mon, 23 Nov 2026 05:35:24 GMT (RFC 9110 5.6.7)
