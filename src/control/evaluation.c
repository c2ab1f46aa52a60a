#include "evaluation.h"

#include "base/strbuf.h"
#include "traffic/pointer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
    for (;;) {
        ssize_t got = read(fd, strbuf_reserve(out, 65536), 65536);
        if (got == 0)
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        out->len += (size_t)got;
        if (out->len > FILE_MOST) {
            errno = EFBIG;
            return false;
        }
    }
}

static bool judge(const struct evaluation_config *evaluation, struct slice text, char *because, size_t size) {
    struct document *document = document_parse(text);
    double value;
    if (!document) {
        snprintf(because, size, "the evaluation %s is not JSON", evaluation->file);
        return false;
    }
    bool found = document_number(document, evaluation->json, &value);
    document_free(document);
    if (!found) {
        snprintf(because, size, "the evaluation has no number at %s in %s", evaluation->json,
                 evaluation->file);
        return false;
    }
    bool met = value >= evaluation->min;
    snprintf(because, size, "the evaluation's %s is %.10g, %s %.10g", evaluation->json, value,
             met ? "at least" : "below", evaluation->min);
    return met;
}

bool evaluation_met(const struct evaluation_config *evaluation, char *because, size_t size) {
    struct strbuf text = {0};
    int fd = open(evaluation->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool met = false;
    if (fd >= 0 && read_file(fd, &text))
        met = judge(evaluation, strbuf_as_slice(&text), because, size);
    else
        snprintf(because, size, "the evaluation %s cannot be read: %s", evaluation->file, strerror(errno));
    if (fd >= 0)
        close(fd);
    strbuf_free(&text);
    return met;
}
