#include "evaluation.h"

#include "base/file.h"
#include "traffic/pointer.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (16u << 20)

// False: errno, or EFBIG when it is too long. A FIFO or device in its place cannot make us wait.
static bool read_file(int fd, struct strbuf *out) {
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return false;
    }
    return file_read_all(fd, out, FILE_MOST);
}

// The number at `pointer` of the file; false: `because` says why not, and whose file it is.
static bool read_number(const char *file, const char *pointer, const char *whose, double *value,
                        char *because, size_t size) {
    struct strbuf text = {0};
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool read = fd >= 0 && read_file(fd, &text), found = false;
    if (!read)
        snprintf(because, size, "the %s %s cannot be read: %s", whose, file, strerror(errno));
    struct document *document = read ? document_parse(strbuf_as_slice(&text)) : NULL;
    if (document)
        found = document_number(document, pointer, value);
    if (read && !document)
        snprintf(because, size, "the %s %s is not JSON", whose, file);
    else if (document && !found)
        snprintf(because, size, "the %s has no number at %s in %s", whose, pointer, file);
    if (document)
        document_free(document);
    if (fd >= 0)
        close(fd);
    strbuf_free(&text);
    return found;
}

// As much text as there is room for.
static void say(char *because, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(char *because, size_t size, const char *format, ...) {
    size_t len = strlen(because);
    va_list args;
    va_start(args, format);
    vsnprintf(because + len, size - len, format, args);
    va_end(args);
}

bool evaluation_met(const struct evaluation_config *evaluation, char *because, size_t size) {
    double value, baseline = 0;
    if (!read_number(evaluation->file, evaluation->json, "evaluation", &value, because, size) ||
        (evaluation->baseline && !read_number(evaluation->baseline, evaluation->json, "baseline's evaluation",
                                              &baseline, because, size)))
        return false;
    because[0] = '\0';
    say(because, size, "the evaluation's %s is %.10g", evaluation->json, value);
    bool enough = isnan(evaluation->min) || value >= evaluation->min;
    if (!isnan(evaluation->min))
        say(because, size, ", %s %.10g", enough ? "at least" : "below", evaluation->min);
    if (!evaluation->baseline)
        return enough;
    bool as_good = value >= baseline - evaluation->margin;
    say(because, size, "%s %s the baseline's %.10g",
        isnan(evaluation->min) ? ","
        : enough == as_good    ? " and"
                               : " but",
        as_good ? "not worse than" : "worse than", baseline);
    if (evaluation->margin > 0)
        say(because, size, " by more than %.10g", evaluation->margin);
    return enough && as_good;
}
