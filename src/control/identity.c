#include "identity.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_3 _LINUX_CAPABILITY_VERSION_3

static bool refuse(const struct config *config, struct outcome *outcome, const struct error *error) {
    outcome_fail(outcome, config->user_place, error->text);
    return false;
}

// ---- who it is

static void find_groups(struct identity *identity) {
    identity->group_count = 0;
    getgrouplist(identity->name, identity->gid, NULL, &identity->group_count);
    identity->groups = mem_zero((size_t)identity->group_count + 1, sizeof *identity->groups);
    getgrouplist(identity->name, identity->gid, identity->groups, &identity->group_count);
}

bool identity_find(struct identity *identity, const struct config *config, struct outcome *outcome) {
    struct error error;
    *identity = (struct identity){0};
    if (!config->user)
        return true;
    struct slice rest = slice_of(config->user);
    struct slice name = slice_cut(&rest, ':');
    identity->name = mem_zero(name.len + 1, 1);
    memcpy(identity->name, name.at, name.len);
    const struct passwd *user = getpwnam(identity->name);
    const struct group *group = rest.at ? getgrnam(rest.at) : NULL;
    if (!user || (rest.at && !group)) {
        error_set(&error, "there is no %s `%.100s` on this machine", user ? "group" : "user",
                  user ? rest.at : identity->name);
        identity_free(identity);
        return refuse(config, outcome, &error);
    }
    identity->changes = true;
    identity->uid = user->pw_uid;
    identity->gid = group ? group->gr_gid : user->pw_gid;
    find_groups(identity);
    return true;
}

void identity_free(struct identity *identity) {
    mem_free(identity->groups);
    mem_free(identity->name);
    *identity = (struct identity){0};
}

static bool is_already(const struct identity *identity) {
    uid_t real, effective, saved;
    gid_t real_group, group, saved_group;
    return getresuid(&real, &effective, &saved) == 0 && getresgid(&real_group, &group, &saved_group) == 0 &&
           real == identity->uid && effective == identity->uid && saved == identity->uid &&
           real_group == identity->gid && group == identity->gid && saved_group == identity->gid;
}

bool identity_fits(const struct identity *identity, const struct config *config, struct outcome *outcome) {
    struct error error;
    if (!identity->changes || geteuid() == 0 || is_already(identity))
        return true;
    error_set(&error, "only root can become `%.100s`; this is user %u", config->user, (unsigned)geteuid());
    return refuse(config, outcome, &error);
}

// ---- files, as the user sees them

// Only this thread's looks at files change, and only until they are changed back.
static void look_as(const struct identity *identity) {
    setfsgid(identity->gid);
    setfsuid(identity->uid);
}

static bool unreadable(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int code = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return code == EACCES;
}

void identity_warn(const struct identity *identity, const struct config *config, struct outcome *outcome) {
    gid_t groups[256];
    int count = getgroups(256, groups);
    if (!identity->changes || geteuid() != 0 || count < 0 ||
        setgroups((size_t)identity->group_count, identity->groups) != 0)
        return;
    look_as(identity);
    if (unreadable(config->path))
        outcome_warn(outcome, config->user_place, "user %s cannot read %s: reloads will fail", identity->name,
                     config->path);
    for (size_t i = 0; i < config->path_count; i++) {
        const char *path = config->paths[i].path;
        bool written =
            config->paths[i].place.line == 0 || path == config->state_dir || path == config->access_log.path;
        if (!written && unreadable(path))
            outcome_warn(outcome, config->paths[i].place, "user %s cannot read %s: reloads will fail",
                         identity->name, path);
    }
    look_as(&(struct identity){.uid = 0, .gid = getegid()});
    (void)!setgroups((size_t)count, groups); // root may
}

static void make_log(const struct identity *identity, const char *path) {
    if (!path || strcmp(path, "-") == 0)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        return; // it is there, or opening it says what is wrong
    (void)!fchown(fd, identity->uid, identity->gid);
    close(fd);
}

// By making a file in it that nobody ever sees.
static bool can_write_in(const char *folder) {
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    int code = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return code != EACCES && code != EPERM;
}

bool identity_lend(const struct identity *identity, const struct config *config, struct outcome *outcome) {
    struct error error;
    if (!identity->changes || geteuid() != 0)
        return true;
    if (mkdir(config->state_dir, 0750) == 0)
        (void)!chown(config->state_dir, identity->uid, identity->gid);
    make_log(identity, config->access_log.path);
    if (setgroups((size_t)identity->group_count, identity->groups) != 0) {
        error_set(&error, "cannot take the groups of user %s: %s", identity->name, strerror(errno));
        return refuse(config, outcome, &error);
    }
    look_as(identity);
    if (can_write_in(config->state_dir))
        return true;
    error_set(&error, "user %s cannot write in state_dir %s; run chown -R %s %s", identity->name,
              config->state_dir, config->user, config->state_dir);
    outcome_fail(outcome, config_path_place(config, config->state_dir, config->user_place), error.text);
    return false;
}

// ---- becoming it

// CAP_NET_BIND_SERVICE alone, where it was there at all.
static bool keep_low_ports(struct error *error) {
    struct __user_cap_header_struct header = {.version = CAPABILITIES_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, data) != 0)
        return error_set(error, "cannot read the capabilities: %s", strerror(errno));
    unsigned kept = data[0].permitted & 1u << CAP_NET_BIND_SERVICE;
    memset(data, 0, sizeof data);
    data[0].permitted = data[0].effective = data[0].inheritable = kept;
    if (syscall(SYS_capset, &header, data) != 0)
        return error_set(error, "cannot give up the capabilities: %s", strerror(errno));
    // over an execve too, for a new binary; a kernel that refuses leaves it without
    if (kept)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
    return true;
}

bool identity_assume(const struct identity *identity, struct error *error) {
    uid_t uid = identity->uid;
    gid_t gid = identity->gid;
    if (!identity->changes || geteuid() != 0 || uid == 0)
        return true;
    // libc changes the ids of every thread; capabilities and whether they are kept are each thread's own.
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        return error_set(error, "cannot become user %s: %s", identity->name, strerror(errno));
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    if (!keep_low_ports(error))
        return false;
    if (!is_already(identity) || setresuid(0, 0, 0) == 0)
        return error_set(error, "user %s could become root again", identity->name);
    return true;
}
