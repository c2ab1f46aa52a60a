// log: the daemon's own log on stderr, one line each: UTC time, level, a fixed sentence, key=value pairs.
// Any thread; a line is one write(2), which waits for nobody: where stderr is a pipe that is full, or a disk,
// lines are lost and counted, and a line says so where they are missing. Access logging is another thing
// (proxy/access_log).
//   log_info("configuration loaded", "file=%s routes=%zu", path, count);
//   log_info("stopped");
// Every conversion of the format is a value: its control characters, quotes and backslashes are escaped, and
// one that is empty or holds a space or "=" is put in quotes (so the format itself has none). The format is a
// literal. A NULL string prints as "-". Secrets are never passed here. errno is left alone.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_set_level(enum log_level least);                      // default INFO; set once before threads start
bool log_level_parse(const char *name, enum log_level *level); // debug info warn error

void log_write(enum log_level level, const char *sentence, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

uint64_t log_lost(void); // lines, since the start

#define log_debug(sentence, ...) log_write(LOG_LEVEL_DEBUG, (sentence), " " __VA_ARGS__)
#define log_info(sentence, ...)  log_write(LOG_LEVEL_INFO, (sentence), " " __VA_ARGS__)
#define log_warn(sentence, ...)  log_write(LOG_LEVEL_WARN, (sentence), " " __VA_ARGS__)
#define log_error(sentence, ...) log_write(LOG_LEVEL_ERROR, (sentence), " " __VA_ARGS__)

// For what others can cause as often as they like: at most LOG_RATION lines a second of one kind are written
// (level info), then one that says how many more there were. One thread; zeroed: nothing was written yet.
#define LOG_RATION 20
struct log_ration {
    uint64_t since_ns;
    unsigned used;
};
// False: this line is not to be written. Use log_rationed.
bool log_ration_take(struct log_ration *ration, uint64_t now_ns, const char *sentence);
#define log_rationed(ration, now_ns, sentence, ...)          \
    do {                                                     \
        if (log_ration_take((ration), (now_ns), (sentence))) \
            log_info((sentence), __VA_ARGS__);               \
    } while (0)
