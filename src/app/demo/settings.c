#include "settings.h"

#include "app/options.h"
#include "arguments.h"
#include "fault.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct settings usual = {
    .bind = "127.0.0.1", .port = 8080, .admin_port = 9901, .rate = 200, .users = 2000, .step_us = 30000000};
static const char about[] =
    "Simulated model servers, sluice in front of them, traffic from many users, and a canary rollout that\n"
    "promotes the new version or takes it back, live. Exit code 0: it was promoted, or ended before; 3: it\n"
    "was rolled back; 4: it stopped; 1: a request failed that was not meant to. Ctrl-C ends all of it.";

// False: there is no such fault.
static bool settle_fault(struct settings *settings, const char *name) {
    if (!name)
        return true;
    settings->fault = fault_find(*name ? name : FAULT_USUAL);
    if (!settings->fault)
        fprintf(stderr, "sluice: --fail: there is no kind %s; there are " FAULT_KINDS "\n", name);
    return settings->fault != NULL;
}

bool settings_read(struct settings *settings, int argc, char **argv, int *exit_code) {
    const char *fail = NULL;
    *settings = usual;
    const struct argument items[] = {
        {"--port", ARGUMENT_PORT, &settings->port, "N", "of the proxy; default 8080, 0: any free one"},
        {"--admin-port", ARGUMENT_PORT, &settings->admin_port, "N", "of the admin API; default 9901, 0: any"},
        {"--bind", ARGUMENT_TEXT, &settings->bind, "ADDRESS", "the proxy listens on; default 127.0.0.1"},
        {"--duration", ARGUMENT_DURATION, &settings->duration_us, "TIME",
         "after which it ends at the latest"},
        {"--rate", ARGUMENT_COUNT, &settings->rate, "N", "requests per second; default 200"},
        {"--users", ARGUMENT_COUNT, &settings->users, "N", "who send them; default 2000"},
        {"--fail", ARGUMENT_OPTIONAL, &fail, "[KIND]",
         "the canary gets worse in the first step: " FAULT_KINDS "; default " FAULT_USUAL},
        {"--step", ARGUMENT_DURATION, &settings->step_us, "TIME",
         "a step of the rollout lasts at least; default 30s"},
        {"--once", ARGUMENT_FLAG, &settings->once, NULL,
         "ends with the rollout, as it does without a terminal and a --duration"},
        {"--plain", ARGUMENT_FLAG, &settings->plain, NULL, "lines instead of a table that redraws itself"},
    };
    const struct argument_list list = {"demo", about, items, sizeof items / sizeof *items};
    if (!arguments_read(&list, argc, argv, exit_code))
        return false;
    if (!settle_fault(settings, fail)) {
        *exit_code = EXIT_USAGE;
        return false;
    }
    settings->users = settings->users ? settings->users : 1;
    settings->host = strcmp(settings->bind, "0.0.0.0") == 0 ? "127.0.0.1" : settings->bind;
    return true;
}
