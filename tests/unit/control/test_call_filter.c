// Each case runs in a process of its own, which the filter then covers for good: what is asked for from
// outside the list is not done, by any thread, after execve too, and the process goes on.
#include "../../../src/control/call_filter.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1 // their runtimes make calls of their own
#else
#define SANITIZED 0
#endif

struct probe {
    const char *name;
    long call, arguments[5];
    int expected; // errno; 0: it is done
};

static long make(const struct probe *probe) {
    const long *a = probe->arguments;
    return syscall(probe->call, a[0], a[1], a[2], a[3], a[4]);
}

// The child's answer: 0, or what it says on stderr is wrong.
static int all_as_expected(const struct probe *probes, size_t count) {
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        errno = 0;
        long got = make(&probes[i]);
        int code = got < 0 ? errno : 0;
        if (code != probes[i].expected) {
            fprintf(stderr, "%s: %s instead of %s\n", probes[i].name, strerror(code),
                    strerror(probes[i].expected));
            wrong = 1;
        }
    }
    return wrong;
}

static void in_a_process(int (*run)(void)) {
    if (SANITIZED)
        skip();
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error error;
        if (!call_filter_load(SECCOMP_ON, &error)) {
            fprintf(stderr, "%s\n", error.text);
            _exit(3);
        }
        _exit(run());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define LONG(pointer) ((long)(intptr_t)(pointer))

static int outside_calls(void) {
    static const char path[] = "/tmp";
    const struct probe probes[] = {
        {"ptrace", SYS_ptrace, {PTRACE_TRACEME}, EPERM},
        {"process_vm_readv", SYS_process_vm_readv, {getpid(), 0, 0, 0, 0}, EPERM},
        {"bpf", SYS_bpf, {0}, EPERM},
        {"perf_event_open", SYS_perf_event_open, {0, 0, -1, -1, 0}, EPERM},
        {"userfaultfd", SYS_userfaultfd, {0}, EPERM},
        {"io_uring_setup", SYS_io_uring_setup, {1, 0}, EPERM},
        {"keyctl", SYS_keyctl, {0}, EPERM},
        {"mount", SYS_mount, {LONG("none"), LONG(path), LONG("tmpfs"), MS_RDONLY, 0}, EPERM},
        {"chroot", SYS_chroot, {LONG(path)}, EPERM},
        {"unshare", SYS_unshare, {CLONE_NEWUSER}, EPERM},
        {"setns", SYS_setns, {0, 0}, EPERM},
        {"init_module", SYS_init_module, {0, 0, LONG("")}, EPERM},
        {"kexec_load", SYS_kexec_load, {0}, EPERM},
        {"reboot", SYS_reboot, {0}, EPERM},
        {"setuid", SYS_setuid, {0}, EPERM},
        {"setresuid", SYS_setresuid, {0, 0, 0}, EPERM},
        {"capset", SYS_capset, {0, 0}, EPERM},
        {"chown", SYS_fchownat, {AT_FDCWD, LONG(path), 0, 0, 0}, EPERM},
        // not on the list, and harmless: as by an older kernel
        {"shmget", SYS_shmget, {0, 4096, 0600}, ENOSYS},
        {"sched_setscheduler", SYS_sched_setscheduler, {0, 0, 0}, ENOSYS},
        {"clone3", SYS_clone3, {0, 0}, ENOSYS},
        // arguments count
        {"socket(AF_PACKET)", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, ENOSYS},
        {"socket(AF_ALG)", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, ENOSYS},
        {"socket(AF_VSOCK)", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, ENOSYS},
        {"a raw socket", SYS_socket, {AF_INET, SOCK_RAW, 1}, ENOSYS},
        {"netlink of another kind", SYS_socket, {AF_NETLINK, SOCK_RAW, 9}, ENOSYS},
        {"a namespace", SYS_clone, {CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0}, ENOSYS},
        {"typing at a terminal", SYS_ioctl, {0, 0x5412, LONG("x")}, ENOSYS},
        {"prctl(PR_SET_MM)", SYS_prctl, {PR_SET_MM, 1, 0, 0, 0}, ENOSYS},
    };
    return all_as_expected(probes, sizeof probes / sizeof *probes);
}

static void outside_calls_are_not_done(void **state) {
    (void)state;
    in_a_process(outside_calls);
}

static int daily_calls(void) {
    const struct probe probes[] = {
        {"getpid", SYS_getpid, {0}, 0},
        {"socket(AF_INET)", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}, 0},
        {"socket(AF_INET6)", SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0}, 0},
        {"socket(AF_UNIX)", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, 0},
        {"socket(AF_NETLINK)", SYS_socket, {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0}, 0},
        {"prctl(PR_GET_NO_NEW_PRIVS)", SYS_prctl, {PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0}, 0},
    };
    return all_as_expected(probes, sizeof probes / sizeof *probes) ||
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static void daily_calls_are(void **state) {
    (void)state;
    in_a_process(daily_calls);
}

// ---- threads: one that was there before, one that comes after

static int go[2];

static void *try_it(void *context) {
    char byte;
    if (!context || read(go[0], &byte, 1) == 1)
        return (void *)(intptr_t)(syscall(SYS_chroot, "/") == 0 ? 1 : errno != EPERM);
    return (void *)1;
}

static void every_thread_is_covered(void **state) {
    (void)state;
    if (SANITIZED)
        skip();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        pthread_t before, after;
        void *first, *second;
        struct error error;
        int wrong = pipe(go) != 0 || pthread_create(&before, NULL, try_it, go) != 0 ||
                    !call_filter_load(SECCOMP_ON, &error) || write(go[1], "x", 1) != 1 ||
                    pthread_join(before, &first) != 0 || pthread_create(&after, NULL, try_it, NULL) != 0 ||
                    pthread_join(after, &second) != 0;
        _exit(wrong || first || second);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// ---- a new binary: starts under the filter, has it, and can put its own over it

static int another_binary(void) {
    struct error error;
    char *nothing[] = {(char[]){"true"}, NULL};
    pid_t child;
    int status;
    if (posix_spawn(&child, "/bin/true", NULL, NULL, nothing, environ) != 0 ||
        waitpid(child, &status, 0) != child || status)
        return 3;
    if (!call_filter_load(SECCOMP_ON, &error)) // once more, as the new one does
        return 1;
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"grep -q '^Seccomp:.*2' /proc/self/status"},
                         NULL};
    execve("/bin/sh", arguments, environ);
    return 2;
}

static void another_binary_has_it_too(void **state) {
    (void)state;
    in_a_process(another_binary);
}

int test_call_filter(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_calls_are_not_done),
        cmocka_unit_test(daily_calls_are),
        cmocka_unit_test(every_thread_is_covered),
        cmocka_unit_test(another_binary_has_it_too),
    };
    return cmocka_run_group_tests_name("call_filter", tests, NULL, NULL);
}
