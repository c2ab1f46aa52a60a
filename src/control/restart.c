#include "restart.h"

#include "base/log.h"
#include "membership.h"

#include <string.h>

void restart_warn(const struct control *control, const struct config *config, struct outcome *outcome) {
    const struct place place = {0, 0};
    size_t before = outcome->warning_count;
    if (config->workers != (int64_t)control->workers)
        outcome_warn(outcome, place, "workers: %lld takes effect at the next start; %u are running",
                     (long long)config->workers, control->workers);
    if (strcmp(config->state_dir, control->state_dir) != 0)
        outcome_warn(outcome, place, "state_dir: %s takes effect at the next start; %s is in use",
                     config->state_dir, control->state_dir);
    confine_warn(&control->confinement, config, outcome);
    membership_warn(control->membership, config, outcome);
    for (size_t i = before; i < outcome->warning_count; i++)
        log_warn("needs a restart", "change=\"%s\"", outcome->warnings[i].text);
}
