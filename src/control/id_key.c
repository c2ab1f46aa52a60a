#include "id_key.h"

#include "base/log.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIGITS (2 * SEAL_KEY)

static int digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool parse(const char *text, unsigned char key[SEAL_KEY]) {
    for (int i = 0; i < SEAL_KEY; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        key[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

// 1: read; 0: there is none; -1: the log says why not.
static int read_key(const char *path, unsigned char key[SEAL_KEY]) {
    char text[DIGITS + 2] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int code = errno;
    if (fd >= 0)
        close(fd);
    if (n >= DIGITS && (n == DIGITS || text[DIGITS] == '\n') && parse(text, key))
        return 1;
    log_warn("the key of request ids cannot be used; ids carry nothing", "file=%s error=\"%s\"", path,
             n < 0 ? strerror(code) : "it is not a line of 32 hexadecimal digits");
    return -1;
}

// Whole or not at all: written beside, then linked, so that of two that start at once both get one key.
static bool make_key(const char *path, const char *fresh) {
    unsigned char key[SEAL_KEY];
    char text[DIGITS + 2];
    seal_make_key(key);
    for (int i = 0; i < SEAL_KEY; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[DIGITS] = '\n';
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool made = fd >= 0 && write(fd, text, DIGITS + 1) == DIGITS + 1 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    made = made && (link(fresh, path) == 0 || errno == EEXIST);
    int code = errno;
    unlink(fresh);
    errno = code;
    return made;
}

bool id_key_read(const char *state_dir, unsigned char key[SEAL_KEY]) {
    struct strbuf path = {0}, fresh = {0};
    strbuf_format(&path, "%s/request_id.key", state_dir);
    strbuf_format(&fresh, "%s/request_id.new", state_dir);
    int found = read_key(strbuf_text(&path), key);
    if (found == 0 && make_key(strbuf_text(&path), strbuf_text(&fresh)))
        found = read_key(strbuf_text(&path), key);
    else if (found == 0)
        log_warn("no key of request ids can be made; ids carry nothing", "file=%s error=\"%s\"",
                 strbuf_text(&path), strerror(errno));
    strbuf_free(&path);
    strbuf_free(&fresh);
    return found == 1;
}
