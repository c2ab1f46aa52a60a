#include "child.h"
#include "unit.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// What the child went through counts in a build that measures coverage, though it ends without exit().
#ifdef SLUICE_COVERAGE
void __gcov_dump(void);
static void abort_counted(int number) {
    __gcov_dump();
    signal(number, SIG_DFL); // abort() raises it again
}
#endif

int child_run(void (*body)(void), char *text, size_t room) {
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        alarm(20);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
#ifdef SLUICE_COVERAGE
        signal(SIGABRT, abort_counted);
#endif
        body();
#ifdef SLUICE_COVERAGE
        __gcov_dump();
#endif
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while (len + 1 < room && (got = read(ends[0], text + len, room - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}
