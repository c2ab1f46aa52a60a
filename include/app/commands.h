// commands: what each command of the command line does. Each returns the exit code.
#pragma once
#include "app/options.h"

int command_run(const struct invocation *invocation);
int command_check(const struct invocation *invocation);
int command_reference(const struct invocation *invocation);
int command_version(const struct invocation *invocation);
int command_status(const struct invocation *invocation);
int command_assign(const struct invocation *invocation);
int command_weight(const struct invocation *invocation);
int command_drain(const struct invocation *invocation); // and undrain
int command_reload(const struct invocation *invocation);
int command_rollout(const struct invocation *invocation); // promote, pause, resume, rollback, retry
int command_watch(const struct invocation *invocation);
int command_explain(const struct invocation *invocation);
int command_report(const struct invocation *invocation);
int command_plan(const struct invocation *invocation);
