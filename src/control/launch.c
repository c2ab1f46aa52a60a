#include "launch.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_BYTES ((size_t)256 << 10)

// ---- where things are

char *launch_absolute(const char *path, const char *folder) {
    struct strbuf whole = {0};
    if (path[0] == '/')
        return mem_copy_string(path);
    strbuf_format(&whole, "%s/%s", folder, path);
    char *copy = mem_copy_string(strbuf_text(&whole));
    strbuf_free(&whole);
    return copy;
}

static bool is_program(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static char *keep_program(char *take_path) {
    if (is_program(take_path))
        return take_path;
    mem_free(take_path);
    return NULL;
}

char *launch_find(const char *name, const char *path, const char *folder) {
    if (strchr(name, '/'))
        return keep_program(launch_absolute(name, folder));
    struct slice rest = slice_of(path);
    while (rest.at && *name) {
        struct slice part = slice_cut(&rest, ':');
        struct strbuf whole = {0};
        strbuf_slice(&whole, part);
        strbuf_format(&whole, "%s%s", part.len ? "/" : "", name); // an empty part is the working directory
        char *found = keep_program(launch_absolute(strbuf_text(&whole), folder));
        strbuf_free(&whole);
        if (found)
            return found;
    }
    return NULL;
}

// ---- at the start

static bool read_arguments(struct launch *launch) {
    struct strbuf text = {0};
    size_t count = 0;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    bool read = fd >= 0 && file_read_all(fd, &text, ARGUMENTS_BYTES) && text.len > 0;
    if (fd >= 0)
        close(fd);
    launch->arguments = mem_zero(text.len + 1, sizeof *launch->arguments);
    strbuf_text(&text);
    for (size_t at = 0; read && at < text.len; at += strlen(text.at + at) + 1)
        launch->arguments[count++] = mem_copy_string(text.at + at);
    strbuf_free(&text);
    return read;
}

static bool same_file(const char *one, const char *other) {
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// What it was called by, as long as that leads to this very program now; else where the program lies.
static char *find_program(const char *called, const char *folder) {
    static const char self[] = "/proc/self/exe";
    char *found = launch_find(called, getenv("PATH"), folder), real[PATH_MAX];
    if (found && same_file(found, self))
        return found;
    mem_free(found);
    ssize_t len = readlink(self, real, sizeof real - 1);
    if (len <= 0)
        return NULL;
    real[len] = '\0';
    return mem_copy_string(real);
}

// What else may hold a daemon (the demo) is more than one.
static bool is_run(char *const *arguments) {
    for (size_t i = 1; arguments[0] && arguments[i]; i++)
        if (strcmp(arguments[i], "run") == 0)
            return true;
    return false;
}

void launch_read(struct launch *launch, const char *config_path) {
    char folder[PATH_MAX];
    *launch = (struct launch){0};
    if (!getcwd(folder, sizeof folder))
        strcpy(folder, ".");
    launch->config_path = launch_absolute(config_path, folder);
    if (!read_arguments(launch) || !is_run(launch->arguments))
        launch->why = "it is not known how this one was started";
    else if (getpid() == 1)
        launch->why = "this is process 1, and everything ends with it: restart the container instead";
    else if (!(launch->program = find_program(launch->arguments[0], folder)))
        launch->why = "the program's path is not known";
}

void launch_free(struct launch *launch) {
    for (size_t i = 0; launch->arguments && launch->arguments[i]; i++)
        mem_free(launch->arguments[i]);
    mem_free(launch->arguments);
    mem_free(launch->program);
    mem_free(launch->config_path);
}

// ---- again

char **launch_environment(char *const *environment) {
    static const char *const ours[] = {(LAUNCH_VARIABLE "="), "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=",
                                       "WATCHDOG_PID="}; // of the service manager's process, which it becomes
    size_t count = 0, kept = 0;
    while (environment[count])
        count++;
    char **copy = mem_zero(count + 2, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        bool skip = false;
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            skip = skip || strncmp(environment[i], ours[k], strlen(ours[k])) == 0;
        if (!skip)
            copy[kept++] = mem_copy_string(environment[i]);
    }
    struct strbuf own = {0};
    strbuf_format(&own, LAUNCH_VARIABLE "=%d", LAUNCH_FD);
    copy[kept] = mem_copy_string(strbuf_text(&own));
    strbuf_free(&own);
    return copy;
}

void launch_environment_free(char **environment) {
    for (size_t i = 0; environment[i]; i++)
        mem_free(environment[i]);
    mem_free(environment);
}

// Signals as a fresh process has them, but for those that it lets wait itself until it can deal with them; no
// descriptor of ours but the one.
static int spawn(const struct launch *launch, int fd, char **environment, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t waiting, standard;
    sigemptyset(&waiting);
    sigaddset(&waiting, SIGHUP);
    sigaddset(&waiting, SIGUSR1);
    sigaddset(&waiting, SIGUSR2);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    must(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
    must(posix_spawn_file_actions_adddup2(&actions, fd, LAUNCH_FD) == 0);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    must(posix_spawn_file_actions_addclosefrom_np(&actions, LAUNCH_FD + 1) == 0);
#endif
    posix_spawnattr_setsigmask(&attributes, &waiting);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int code = posix_spawn(pid, launch->program, &actions, &attributes, launch->arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return code;
}

pid_t launch_again(const struct launch *launch, int fd, struct error *error) {
    pid_t pid = -1;
    if (!launch->program) {
        error_set(error, "%s", launch->why);
        return -1;
    }
    char **environment = launch_environment(environ);
    int code = spawn(launch, fd, environment, &pid);
    launch_environment_free(environment);
    if (code == 0)
        return pid;
    error_set(error, "cannot run %s: %s", launch->program, strerror(code));
    return -1;
}
