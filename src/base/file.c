#include "base/file.h"

#include <errno.h>
#include <unistd.h>

#define PIECE 65536

bool file_read_all(int fd, struct strbuf *out, size_t most) {
    for (;;) {
        ssize_t n = read(fd, strbuf_reserve(out, PIECE), PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        out->len += (size_t)n;
        if (out->len > most) {
            errno = EFBIG;
            return false;
        }
    }
}

bool file_write_all(int fd, struct slice bytes) {
    while (bytes.len) {
        ssize_t n = write(fd, bytes.at, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = slice_from(bytes, (size_t)n);
    }
    return true;
}
