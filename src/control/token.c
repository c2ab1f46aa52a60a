#include "token.h"

#include "base/mem.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define TOKEN_MOST 4096

char *token_read(const char *path, struct error *error) {
    char text[TOKEN_MOST];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text) : -1;
    int code = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0) {
        error_set(error, "cannot read the token file %s: %s", path, strerror(code));
        return NULL;
    }
    struct slice all = slice_make(text, (size_t)got);
    struct slice line = slice_cut(&all, '\n');
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    line = slice_trim(line);
    if (line.len == 0 || (size_t)got == sizeof text) {
        error_set(error, "the token file %s %s", path, line.len ? "is too long" : "is empty");
        return NULL;
    }
    char *token = mem_zero(line.len + 1, 1);
    memcpy(token, line.at, line.len);
    explicit_bzero(text, sizeof text);
    return token;
}
