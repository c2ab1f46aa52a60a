#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MOST 16
#define CANNOT_EXEC    127

// In the child, before exec. Only what is safe after fork.
static _Noreturn void become(char *const *argv, const char *output, pid_t parent) {
    static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGWINCH};
    char self[1024];
    sigset_t none;
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        signal(handled[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) // it died before the line above
        _exit(CANNOT_EXEC);
    int null = open("/dev/null", O_RDONLY), out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (null < 0 || out < 0)
        _exit(CANNOT_EXEC);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (null > STDERR_FILENO)
        close(null);
    if (out > STDERR_FILENO)
        close(out);
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    execv(self, argv); // the path gives the process its name
    execv("/proc/self/exe", argv);
    _exit(CANNOT_EXEC);
}

bool child_start(struct child *child, const char *name, char *const *argv, const char *output,
                 struct error *error) {
    char *full[ARGUMENTS_MOST] = {(char[]){"sluice"}};
    pid_t parent = getpid();
    sigset_t all, before;
    for (int i = 0; argv[i] && i + 2 < ARGUMENTS_MOST; i++)
        full[i + 1] = argv[i];
    child->name = name;
    // A signal between fork and exec would run our handler in the child.
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(full, output, parent);
    int code = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return error_set(error, "cannot start %s: %s", name, strerror(code));
    child->pid = pid;
    return true;
}

bool child_runs(struct child *child) {
    if (child->pid && waitpid(child->pid, &child->status, WNOHANG) == child->pid)
        child->pid = 0;
    return child->pid != 0;
}

static void signal_all(struct child *const *children, int count, int number) {
    for (int i = 0; i < count; i++)
        if (child_runs(children[i]))
            kill(children[i]->pid, number);
}

static bool any_runs(struct child *const *children, int count) {
    bool runs = false;
    for (int i = 0; i < count; i++)
        runs = child_runs(children[i]) || runs;
    return runs;
}

static bool ended_badly(const struct child *child) {
    int number = WIFSIGNALED(child->status) ? WTERMSIG(child->status) : 0;
    return number ? number != SIGTERM && number != SIGINT : WEXITSTATUS(child->status) > 1;
}

const struct child *child_stop_all(struct child *const *children, int count, unsigned patience_ms) {
    const struct timespec step = {.tv_nsec = 10000000};
    const struct child *bad = NULL;
    for (int i = 0; i < count; i++)
        if (!child_runs(children[i]))
            children[i]->status = 0; // how it ended is no matter of ours
    signal_all(children, count, SIGTERM);
    for (unsigned waited = 0; waited < patience_ms && any_runs(children, count); waited += 10)
        nanosleep(&step, NULL);
    signal_all(children, count, SIGKILL);
    for (int i = 0; i < count; i++) {
        while (children[i]->pid && waitpid(children[i]->pid, &children[i]->status, 0) < 0 && errno == EINTR)
            ;
        children[i]->pid = 0;
        if (!bad && ended_badly(children[i]))
            bad = children[i];
    }
    return bad;
}
