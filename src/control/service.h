// service: what the service manager is told (sd_notify(3)): datagrams to the socket that $NOTIFY_SOCKET
// names, nothing where there is none. Any thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

void service_ready(const char *status); // also after service_reloading; NULL: what it was
void service_reloading(void);
void service_stopping(void);
void service_status(const char *status);
void service_main(pid_t pid); // that process is the service from now on
void service_alive(void);     // the watchdog's
// How often service_alive is expected at least, in microseconds; 0: it is not.
uint64_t service_watchdog(void);
