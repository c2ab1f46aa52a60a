// daemon: `sluice run`. Owns the control thread (the caller's) from start to exit; blocks until it is told to
// stop.
#pragma once

struct daemon_options {
    const char *config_path;
    const char *version, *revision;
};

// Returns the exit code: 0 after an orderly stop, 1 when it could not start or was told to end at once.
// Mistakes of the configuration go to stderr as FILE:LINE:COL: lines, everything else to the log.
int daemon_run(const struct daemon_options *given);
