#include "call_filter.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

// By name: what an architecture does not have is passed over.
static const char allowed[] =
    // sockets and events
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg "
    "sendmmsg sendmsg sendto setsockopt shutdown epoll_create epoll_create1 epoll_ctl epoll_pwait "
    "epoll_pwait2 epoll_wait eventfd2 poll ppoll pselect6 select timerfd_create timerfd_gettime "
    "timerfd_settime pipe pipe2 splice tee sendfile "
    // files
    "access close close_range dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchmod fchmodat "
    "fcntl fdatasync flock fstat fstatfs fsync ftruncate getcwd getdents64 link linkat lseek lstat mkdir "
    "mkdirat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read "
    "readlink readlinkat readv rename renameat renameat2 stat statfs statx umask unlink unlinkat chmod "
    "write writev "
    // memory
    "brk madvise membarrier mincore mmap mprotect mremap munmap "
    // threads, processes (a new binary is started by execve), signals
    "execve execveat exit exit_group fork vfork futex get_robust_list gettid kill pidfd_open "
    "pidfd_send_signal restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn "
    "rt_sigsuspend rt_sigtimedwait sched_getaffinity sched_getparam sched_getscheduler "
    "sched_get_priority_max sched_get_priority_min sched_setaffinity sched_yield set_robust_list "
    "set_tid_address setsid sigaltstack tgkill wait4 waitid "
    // what the process and the machine are
    "arch_prctl capget clock_getres clock_gettime clock_nanosleep getcpu getegid geteuid getgid getgroups "
    "getpid getppid getrandom getresgid getresuid getrlimit getrusage gettimeofday getuid nanosleep "
    "prlimit64 sched_getattr seccomp setrlimit sysinfo time times uname";

static const char forbidden[] =
    // other processes, other namespaces, other ids
    "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd setns unshare setuid "
    "setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset personality "
    "modify_ldt "
    // the kernel's less tried parts
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register keyctl add_key "
    "request_key memfd_secret fanotify_init lookup_dcookie "
    // the machine
    "mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr "
    "init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff syslog acct "
    "quotactl iopl ioperm sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex "
    "open_by_handle_at name_to_handle_at vhangup "
    // files that are not its own
    "mknod mknodat chown fchown lchown fchownat setxattr lsetxattr fsetxattr";

#define NEW_NAMESPACES                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)

static const unsigned long ioctls[] = {FIONREAD,   FIONBIO,      FIOCLEX,     TCGETS,
                                       TIOCGWINSZ, SIOCGIFINDEX, SIOCGIFNAME, SIOCOUTQ};

static const int prctls[] = {PR_SET_NAME,     PR_GET_NAME,     PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS,
                             PR_SET_DUMPABLE, PR_GET_DUMPABLE, PR_SET_SECCOMP,      PR_GET_SECCOMP,
                             PR_CAPBSET_READ, PR_CAP_AMBIENT,  PR_SET_PDEATHSIG,    PR_SET_VMA};

struct filter {
    scmp_filter_ctx context;
    int code; // of the first rule that could not be made; 0: none
};

static void add(struct filter *filter, unsigned action, const char *name, unsigned count,
                const struct scmp_arg_cmp *conditions) {
    int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR || filter->code)
        return;
    int code = seccomp_rule_add_array(filter->context, action, call, count, conditions);
    if (code != 0 && code != -EDOM) // a call of other architectures
        filter->code = code;
}

static void add_list(struct filter *filter, unsigned action, const char *names) {
    for (struct slice rest = slice_of(names); rest.at;) {
        struct slice one = slice_cut(&rest, ' ');
        char name[32] = {0};
        must(one.len > 0 && one.len < sizeof name);
        memcpy(name, one.at, one.len);
        add(filter, action, name, 0, NULL);
    }
}

// One call whose argument must be one of a list.
static void add_choice(struct filter *filter, const char *name, unsigned argument, unsigned long value) {
    struct scmp_arg_cmp condition = SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value);
    add(filter, SCMP_ACT_ALLOW, name, 1, &condition);
}

// TCP and UDP, unix sockets, and netlink, which says what addresses this machine has.
static void add_sockets(struct filter *filter) {
    static const int families[] = {AF_INET, AF_INET6}, kinds[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            struct scmp_arg_cmp conditions[] = {SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0),
                                                SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)kinds[k])};
            add(filter, SCMP_ACT_ALLOW, "socket", 2, conditions);
        }
    add_choice(filter, "socket", 0, AF_UNIX);
    struct scmp_arg_cmp route[] = {SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0)};
    add(filter, SCMP_ACT_ALLOW, "socket", 2, route);
    add_choice(filter, "socketpair", 0, AF_UNIX);
}

static void add_rules(struct filter *filter, bool refuse) {
    add_list(filter, SCMP_ACT_ALLOW, allowed);
    if (refuse)
        add_list(filter, SCMP_ACT_ERRNO(EPERM), forbidden);
    add_sockets(filter);
    for (size_t i = 0; i < sizeof ioctls / sizeof *ioctls; i++)
        add_choice(filter, "ioctl", 1, ioctls[i]);
    for (size_t i = 0; i < sizeof prctls / sizeof *prctls; i++)
        add_choice(filter, "prctl", 0, (unsigned long)prctls[i]);
    // The flags of clone3 are in memory, where a filter cannot look; it is not on the list, and libc then
    // uses clone.
    struct scmp_arg_cmp no_namespace = SCMP_A0(SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0);
    add(filter, SCMP_ACT_ALLOW, "clone", 1, &no_namespace);
}

bool call_filter_load(enum seccomp_mode mode, struct error *error) {
    struct filter filter = {0};
    unsigned outside = mode == SECCOMP_LOG ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(ENOSYS);
    must(mode != SECCOMP_OFF);
    filter.context = seccomp_init(outside);
    must(filter.context != NULL);
    seccomp_attr_set(filter.context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    filter.code = seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_TSYNC, 1);
    seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_LOG, 1);      // what is refused is in the audit log
    seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_OPTIMIZE, 2); // a search tree
    add_rules(&filter, mode == SECCOMP_ON);
    if (filter.code == 0)
        filter.code = seccomp_load(filter.context);
    seccomp_release(filter.context);
    if (filter.code == 0)
        return true;
    return error_set(error, "the kernel takes no filter of system calls (%s); `seccomp: off` does without",
                     strerror(-filter.code));
}
