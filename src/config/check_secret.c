// Secrets that a section names by their file: read at load, so that a file that is not there is a mistake of
// the configuration.
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SECRET_MOST 1023

const char *check_secret_file(struct check *check, const char *const *field, const char *key,
                              struct place otherwise) {
    char text[SECRET_MOST + 1];
    const char *secret = NULL;
    struct place place = place_of_field(check, field, otherwise);
    int fd = open(*field, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, SECRET_MOST);
    if (n < 0) {
        report_add(check->report, place, NULL, "cannot read %s %.300s: %s", key, *field, strerror(errno));
    } else {
        text[n] = 0;
        size_t len = strcspn(text, "\r\n");
        text[len] = 0;
        secret = arena_string(check->arena, slice_of(text));
        explicit_bzero(text, sizeof text);
        if (len == 0)
            report_add(check->report, place, NULL, "%s %.300s is empty", key, *field);
        else if (len == SECRET_MOST)
            report_add(check->report, place, NULL, "the first line of %s %.300s is longer than %d characters",
                       key, *field, SECRET_MOST - 1);
    }
    if (fd >= 0)
        close(fd);
    return secret;
}
