#include "base/log.h"
#include "base/clock.h"
#include "base/mem.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level least_level = LOG_LEVEL_INFO;
static const char *const level_name[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level least) {
    least_level = least;
}

bool log_level_parse(const char *name, enum log_level *level) {
    for (unsigned i = 0; i < sizeof level_name / sizeof *level_name; i++)
        if (strcmp(name, level_name[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

// One line being put together on the stack; what does not fit is cut, and the line says so.
struct line {
    size_t len;
    char text[4096];
};
#define LINE_ROOM (sizeof((struct line *)0)->text - sizeof "…\n")

static void put(struct line *line, const char *at, size_t len) {
    size_t room = LINE_ROOM - line->len;
    if (len > room)
        len = room;
    memcpy(line->text + line->len, at, len);
    line->len += len;
}

static void put_escaped(struct line *line, const char *at, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)at[i];
        char escape[4] = {'\\', (char)c};
        if (c == '"' || c == '\\') {
            put(line, escape, 2);
        } else if (c == '\n' || c == '\r' || c == '\t') {
            escape[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
            put(line, escape, 2);
        } else if (c < 32 || c == 127) {
            escape[1] = 'x';
            escape[2] = "0123456789abcdef"[c >> 4];
            escape[3] = "0123456789abcdef"[c & 15];
            put(line, escape, 4);
        } else {
            put(line, at + i, 1);
        }
    }
}

// A value that could be taken for more than one, or for nothing, stands in quotes, so that nobody who chooses
// a value can forge a pair.
static void put_value(struct line *line, const char *at, size_t len) {
    bool quoted = line->len && line->text[line->len - 1] == '"';
    bool quote = !quoted && len == 0;
    for (size_t i = 0; i < len && !quote && !quoted; i++)
        quote = at[i] == ' ' || at[i] == '=' || at[i] == '"';
    if (quote)
        put(line, "\"", 1);
    put_escaped(line, at, len);
    if (quote)
        put(line, "\"", 1);
}

// One conversion of the format: "%" flags width precision length letter.
struct conversion {
    char text[24]; // the same, with widths and precisions given as arguments written out
    size_t len;
    int precision; // -1 when none
    char length;   // 'H' for hh, 'L' for ll, else the letter or 0
    char letter;
};

static int take_number(const char **at, va_list *args) {
    if (**at == '*') {
        ++*at;
        return va_arg(*args, int);
    }
    int number = 0;
    while (**at >= '0' && **at <= '9' && number < 10000)
        number = number * 10 + *(*at)++ - '0';
    return number;
}

static const char *read_conversion(const char *at, va_list *args, struct conversion *conversion) {
    size_t flags = strspn(at, "-+ #0");
    must(flags < 6);
    const char *flag = at;
    at += flags;
    int width = take_number(&at, args);
    conversion->precision = -1;
    if (*at == '.') {
        at++;
        conversion->precision = take_number(&at, args);
    }
    conversion->length = 0;
    if (*at && strchr("hljzt", *at)) {
        conversion->length = *at++;
        if (*at == conversion->length)
            conversion->length = *at++ == 'h' ? 'H' : 'L';
    }
    conversion->letter = *at;
    const char *length = conversion->length == 'H' ? "hh" : conversion->length == 'L' ? "ll" : NULL;
    char one[2] = {conversion->length, '\0'};
    char width_text[12] = "", precision_text[14] = "";
    if (width)
        snprintf(width_text, sizeof width_text, "%d", width);
    if (conversion->precision >= 0)
        snprintf(precision_text, sizeof precision_text, ".%d", conversion->precision);
    snprintf(conversion->text, sizeof conversion->text, "%%%.*s%.5s%.6s%s%c", (int)flags, flag, width_text,
             precision_text, length ? length : one, conversion->letter);
    return *at ? at + 1 : at;
}

static int format_integer(char *out, size_t room, const struct conversion *c, va_list *args) {
    switch (c->length) {
    // NOLINTNEXTLINE(bugprone-branch-clone): they differ by the type that is taken
    case 'l':
        return snprintf(out, room, c->text, va_arg(*args, long));
    case 'L':
        return snprintf(out, room, c->text, va_arg(*args, long long));
    case 'j':
        return snprintf(out, room, c->text, va_arg(*args, intmax_t));
    case 'z':
        return snprintf(out, room, c->text, va_arg(*args, size_t));
    case 't':
        return snprintf(out, room, c->text, va_arg(*args, ptrdiff_t));
    default: // int, and what is promoted to it
        return snprintf(out, room, c->text, va_arg(*args, int));
    }
}

static void put_conversion(struct line *line, const struct conversion *c, va_list *args) {
    char out[512];
    int len = 0;
    if (c->letter == 's') {
        const char *value = va_arg(*args, const char *);
        if (!value)
            value = "-";
        size_t most = c->precision >= 0 ? (size_t)c->precision : sizeof line->text;
        put_value(line, value, strnlen(value, most));
        return;
    }
    if (c->letter == '%') {
        put(line, "%", 1);
        return;
    }
    if (c->letter == 'p')
        len = snprintf(out, sizeof out, "%p", va_arg(*args, void *));
    else if (c->letter && strchr("fFeEgGaA", c->letter))
        len = snprintf(out, sizeof out, c->text, va_arg(*args, double));
    else if (c->letter == 'm')
        len = snprintf(out, sizeof out, "%m");
    else
        len = format_integer(out, sizeof out, c, args);
    if (len > 0)
        put_value(line, out, (size_t)len < sizeof out ? (size_t)len : sizeof out - 1);
}

static void put_pairs(struct line *line, const char *format, va_list *args) {
    while (*format) {
        size_t literal = strcspn(format, "%");
        put(line, format, literal);
        format += literal;
        if (*format == '%') {
            struct conversion conversion;
            format = read_conversion(format + 1, args, &conversion);
            put_conversion(line, &conversion, args);
        }
    }
}

// ---- the end of the line

// Who writes a log must not wait for who reads it: a worker would keep all its clients waiting. A pipe that
// polls writable takes PIPE_BUF bytes at once, and a line is no longer than that; the lock sees to it that no
// other thread takes the room in between. (O_NONBLOCK would hold for everybody who shares the descriptor.)
_Static_assert(sizeof((struct line *)0)->text <= PIPE_BUF, "a line goes into a pipe in one piece");
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static atomic_ullong lost;             // lines, in all
static unsigned long long lost_untold; // under the lock
static bool torn;                      // … the last line has no end: a full disk took a part of it

static bool tell(const char *text, size_t len) {
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n = -1;
    if (poll(&out, 1, 0) == 1)
        do
            n = write(STDERR_FILENO, text, len);
        while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len)
        return true;
    torn = torn || n > 0;
    lost_untold++;
    atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
    return false;
}

// What is missing stands where it is missing. False: the same fate awaits the next line, which is counted.
static bool tell_of_lost(void) {
    char text[128], when[CLOCK_ISO_BYTES];
    unsigned long long count = lost_untold;
    if (count == 0)
        return true;
    clock_iso(clock_wall_ms(), when);
    int len = snprintf(text, sizeof text, "%s%s warn log lines were lost count=%llu\n", torn ? "\n" : "",
                       when, count);
    if (!tell(text, (size_t)len)) // counted as the line that was to follow
        return false;
    lost_untold = 0;
    torn = false;
    return true;
}

uint64_t log_lost(void) {
    return atomic_load_explicit(&lost, memory_order_relaxed);
}

void log_write(enum log_level level, const char *sentence, const char *format, ...) {
    if (level < least_level)
        return;
    int saved = errno; // for %m, and for the caller
    struct line line = {.len = 0};
    clock_iso(clock_wall_ms(), line.text);
    line.len = CLOCK_ISO_BYTES - 1;
    put(&line, " ", 1);
    put(&line, level_name[level], strlen(level_name[level]));
    put(&line, " ", 1);
    put(&line, sentence, strlen(sentence));
    if (*format && *format != ' ')
        put(&line, " ", 1);
    va_list args;
    va_start(args, format);
    errno = saved;
    put_pairs(&line, format, &args);
    va_end(args);
    while (line.text[line.len - 1] == ' ')
        line.len--;
    if (line.len >= LINE_ROOM) {
        memcpy(line.text + line.len, "…", sizeof "…" - 1);
        line.len += sizeof "…" - 1;
    }
    line.text[line.len++] = '\n';
    pthread_mutex_lock(&turn);
    if (tell_of_lost())
        tell(line.text, line.len);
    pthread_mutex_unlock(&turn);
    errno = saved;
}

bool log_ration_take(struct log_ration *ration, uint64_t now_ns, const char *sentence) {
    if (now_ns - ration->since_ns > 1000000000) {
        if (ration->used > LOG_RATION)
            log_warn("lines were left out", "line=%s count=%u", sentence, ration->used - LOG_RATION);
        *ration = (struct log_ration){now_ns, 0};
    }
    return ration->used++ < LOG_RATION;
}
