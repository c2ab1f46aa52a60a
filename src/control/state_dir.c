#include "state_dir.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void state_dir_make(const char *path) {
    struct stat info;
    if (mkdir(path, 0750) == 0)
        return;
    int code = errno;
    if (code == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return;
    log_warn("state_dir cannot be made; nothing needs it yet", "path=%s error=\"%s\"", path,
             code == EEXIST ? "it is not a directory" : strerror(code));
}
