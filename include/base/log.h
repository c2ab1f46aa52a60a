// log: the daemon's own log on stderr, one line each: UTC time, level, a fixed sentence, key=value pairs.
// Any thread; a line is one write(2). Access logging is another thing (proxy/access_log).
//   log_info("configuration loaded", "file=%s routes=%zu", path, count);
// Control characters, quotes and backslashes in values are escaped; secrets are never passed here.
#pragma once
#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_set_level(enum log_level least); // default INFO; set once before threads start
bool log_level_parse(const char *name, enum log_level *level); // debug info warn error

void log_write(enum log_level level, const char *sentence, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
