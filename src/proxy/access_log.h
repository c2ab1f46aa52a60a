// access_log: one JSON line per exchange, off the hot path: each worker fills its own lane, a writer thread
// does the writing. Lines are dropped and counted, never waited for, when the writer is more than LOG_BACKLOG
// bytes behind.
#pragma once
#include "base/error.h"
#include "base/strbuf.h"
#include <event2/event.h>

#define LOG_BACKLOG (16u << 20)

struct access_log; // the file and its thread; control thread only, except for lanes
struct log_lane;   // of one worker; its thread only

struct access_log *access_log_new(void); // idle: no file, no thread
// Opens another file (NULL: off) for a prepared reload; -1 when there is none, -2 on failure.
int access_log_open(const char *path, struct error *error);
// Commit: the lines from now on go to `fd` (moved in; -1: off). `path` is kept for reopening.
bool access_log_switch(struct access_log *log, const char *path, int fd, struct error *error);
const char *access_log_path(const struct access_log *log); // NULL: off
void access_log_reopen(struct access_log *log);            // USR1: by its path
void access_log_free(struct access_log *log);              // writes what is left, ends the thread
uint64_t access_log_dropped(const struct access_log *log); // any thread

struct log_lane *log_lane_new(struct access_log *log, struct event_base *base);
void log_lane_free(struct log_lane *lane); // hands the rest over
bool log_lane_on(const struct log_lane *lane);
// Where a line is appended (with its line end), then log_lane_done.
struct strbuf *log_lane_line(struct log_lane *lane);
void log_lane_done(struct log_lane *lane);
