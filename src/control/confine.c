#include "confine.h"

#include "base/log.h"
#include "base/mem.h"
#include "call_filter.h"

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// The runtimes of sanitizers make calls of their own, and look for leaks by ptrace.
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define INSTRUMENTED true
#else
#define INSTRUMENTED false
#endif

static const char *const mode_names[] = {"on", "log", "off"};

void confine_begin(void) {
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

bool confine_end(struct confinement *confinement, const struct config *config, struct error *error) {
    enum seccomp_mode mode = INSTRUMENTED ? SECCOMP_OFF : config->seccomp;
    *confinement = (struct confinement){mem_copy_string(config->user), config->seccomp, config->core_dumps};
    // Becoming another user has taken it away already; where it is wanted it is given back.
    if (!INSTRUMENTED)
        prctl(PR_SET_DUMPABLE, config->core_dumps, 0, 0, 0);
    if (mode != SECCOMP_OFF && !call_filter_load(mode, error))
        return false;
    log_info("confined", "uid=%u gid=%u seccomp=%s core_dumps=%s", (unsigned)geteuid(), (unsigned)getegid(),
             mode_names[mode], config->core_dumps ? "yes" : "no");
    if (geteuid() == 0)
        log_warn("serving as root; `user` names whom to become instead", "");
    return true;
}

void confine_free(struct confinement *confinement) {
    mem_free(confinement->user);
    confinement->user = NULL;
}

void confine_warn(const struct confinement *confinement, const struct config *config,
                  struct outcome *outcome) {
    const struct place place = {0, 0};
    const char *user = config->user ? config->user : "",
               *running = confinement->user ? confinement->user : "";
    if (strcmp(user, running) != 0)
        outcome_warn(outcome, place, "user: %s takes effect at the next start", *user ? user : "(none)");
    if (config->seccomp != confinement->seccomp)
        outcome_warn(outcome, place, "seccomp: %s takes effect at the next start; %s is in force",
                     mode_names[config->seccomp], mode_names[confinement->seccomp]);
    if (config->core_dumps != confinement->core_dumps)
        outcome_warn(outcome, place, "core_dumps: %s takes effect at the next start",
                     config->core_dumps ? "true" : "false");
}
