#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool scratch_make(struct scratch *scratch, struct error *error) {
    const char *parent = getenv("TMPDIR");
    if (!parent || !*parent)
        parent = "/tmp";
    int len = snprintf(scratch->path, sizeof scratch->path, "%s/sluice-demo-XXXXXX", parent);
    if (len < (int)sizeof scratch->path && mkdtemp(scratch->path))
        return true;
    scratch->path[0] = '\0';
    return error_set(error, "cannot make a directory under %s: %s", parent,
                     len < (int)sizeof scratch->path ? strerror(errno) : "its name is too long");
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place) {
    (void)info, (void)type, (void)place;
    (void)remove(path); // what stays is in a folder for temporary files
    return 0;
}

void scratch_remove(struct scratch *scratch) {
    if (scratch->path[0])
        nftw(scratch->path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    scratch->path[0] = '\0';
}

void scratch_path(const struct scratch *scratch, const char *name, char path[SCRATCH_PATH]) {
    snprintf(path, SCRATCH_PATH, "%s/%s", scratch->path, name);
}

bool scratch_write(const struct scratch *scratch, const char *name, struct slice text, struct error *error) {
    char path[SCRATCH_PATH];
    scratch_path(scratch, name, path);
    FILE *file = fopen(path, "we");
    bool written = file && fwrite(text.at, 1, text.len, file) == text.len;
    if (file && fclose(file) != 0)
        written = false;
    return written || error_set(error, "cannot write %s: %s", path, strerror(errno));
}

void scratch_tail(const struct scratch *scratch, const char *name, char *text, size_t size) {
    char path[SCRATCH_PATH];
    scratch_path(scratch, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), most = (off_t)size - 1;
    ssize_t len = fd < 0 ? 0 : pread(fd, text, size - 1, end > most ? end - most : 0);
    text[len > 0 ? len : 0] = '\0';
    if (fd >= 0)
        close(fd);
}
