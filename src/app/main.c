// The command line's commands and which function serves each.
#include "app/commands.h"
#include "app/demo.h"
#include "base/strbuf.h"
#include "manual.h"

#include <string.h>

#define CLIENT (OPTION_CLIENT | OPTION_JSON)

static const struct command commands[] = {
    {"run", "", "Serve in the foreground (default file /etc/sluice/sluice.yaml).",
     OPTION_CONFIG | OPTION_CHECK, 0, 0, command_run, NULL},
    {"check", "FILE",
     "Check a configuration file and print every mistake as FILE:LINE:COL: message.\n"
     "Certificates, keys and tokens that it names are read as `run` reads them; no port is opened. What will "
     "be\n"
     "a mistake soon (a certificate that expires within 14 days) is a warning and does not count.",
     0, 1, 1, command_check, NULL},
    {"demo", "[options]", "Simulated model servers, the proxy in front, traffic and a live table.", 0, 0, -1,
     NULL, demo_main},
    {"simulate", "[options]", "One simulated OpenAI-compatible model server.", 0, 0, -1, NULL, simulate_main},
    {"status", "[ROUTE]",
     "What is running: routes, variants, weights, health.\n"
     "On a terminal it stays there and is redrawn each second, with what each variant did in the last two\n"
     "minutes and how far the step is, until q or Ctrl-C; when the daemon goes away it says so and exits 5.\n"
     "With --fleet: which instances there are, which leads, and whether their rollouts are the same; exit 1\n"
     "where the daemon belongs to none.",
     CLIENT | OPTION_ONCE | OPTION_FLEET, 0, 1, command_status, NULL},
    {"assign", "ROUTE UNIT…",
     "Which bucket and variant a unit gets, and why. With -c FILE it is computed from the file, without a\n"
     "daemon, and printed as unit, bucket and variant with tabs between; the unit - reads units from stdin,\n"
     "one a line.",
     CLIENT | OPTION_CONFIG, 2, -1, command_assign, NULL},
    {"weight", "ROUTE VARIANT=N…",
     "Set a route's weights by hand, in percent; variants not named get 0. They hold until the next reload;\n"
     "where a rollout is under way, it holds until it is resumed.",
     CLIENT, 2, -1, command_weight, NULL},
    {"drain", "POOL ENDPOINT", "Take an endpoint out of its pool; its requests finish.", CLIENT, 2, 2,
     command_drain, NULL},
    {"undrain", "POOL ENDPOINT", "Take a drained endpoint back into its pool.", CLIENT, 2, 2, command_drain,
     NULL},
    {"reload", "", "Load the configuration file again, wait until every worker uses it, print the outcome.",
     CLIENT, 0, 0, command_reload, NULL},
    {"reference", "", "Print the reference of the configuration file (docs/configuration.md).", OPTION_FORM,
     0, 0, command_reference, NULL},
    {"version", "", "Print the version.", OPTION_JSON, 0, 0, command_version, NULL},
    {"watch", "ROUTE", "Follow a rollout until it ends: a line for every change and every decision.",
     CLIENT | OPTION_EXIT_STATUS, 1, 1, command_watch, NULL},
    {"promote", "ROUTE",
     "Take a rollout to its next step: past a pause, a gate or a step that is still judged; start it, when "
     "it\n"
     "starts by hand; within keep_warm after a rollback, switch back to the candidate.",
     CLIENT | OPTION_FULL | OPTION_REASON, 1, 1, command_rollout, NULL},
    {"pause", "ROUTE", "Hold a rollout where it is; guards go on judging.", CLIENT | OPTION_REASON, 1, 1,
     command_rollout, NULL},
    {"resume", "ROUTE", "Let a held rollout go on.", CLIENT | OPTION_REASON, 1, 1, command_rollout, NULL},
    {"rollback", "ROUTE", "Take all traffic back to the baseline.", CLIENT | OPTION_REASON, 1, 1,
     command_rollout, NULL},
    {"retry", "ROUTE", "Start a rolled-back rollout again, from its first step, with fresh evidence.",
     CLIENT | OPTION_REASON, 1, 1, command_rollout, NULL},
    {"explain", "ROUTE", "The controller's decisions with their evidence.", CLIENT | OPTION_LAST, 1, 1,
     command_explain, NULL},
    {"report", "ROUTE", "What each variant measured, who wins an A/B test, or how much longer.", CLIENT, 1, 1,
     command_report, NULL},
    {"plan", "ROUTE", "How long each step must last to detect the configured harm.", CLIENT | OPTION_RPS, 1,
     1, command_plan, NULL},
};
#define COMMANDS ((int)(sizeof commands / sizeof *commands))

static void print_help(FILE *to) {
    fprintf(to, "usage: sluice COMMAND [options] [arguments]\n\ncommands:\n");
    for (int i = 0; i < COMMANDS; i++) {
        const char *line_end = strchr(commands[i].help, '\n');
        int len = line_end ? (int)(line_end - commands[i].help) : (int)strlen(commands[i].help);
        fprintf(to, "  %-10s %.*s\n", commands[i].name, len, commands[i].help);
    }
    fprintf(to, "\nsluice COMMAND --help tells more, sluice help --man is the manual page.\n"
                "Exit codes: 0 done, 1 refused or invalid, 2 usage, 5 cannot reach the daemon;\n"
                "watch --exit-status: 3 rolled back, 4 timed out.\n");
}

static void print_manual(void) {
    struct strbuf text = {0};
    manual_write(&text, commands, COMMANDS);
    fwrite(text.at, 1, text.len, stdout);
    strbuf_free(&text);
}

static const struct command *find(const char *name) {
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int refuse(const char *name) {
    const struct command *closest = options_suggest(name, commands, COMMANDS);
    if (closest)
        fprintf(stderr, "sluice: there is no command \"%s\"; did you mean \"%s\"?\n", name, closest->name);
    else
        fprintf(stderr, "sluice: there is no command \"%s\"; sluice --help lists them\n", name);
    return EXIT_USAGE;
}

// A command whose work could not be written out has failed, whatever it did.
static int flushed(int code) {
    return fflush(stdout) == 0 && !ferror(stdout) ? code : code ? code : EXIT_REFUSED;
}

static int dispatch(int argc, char **argv) {
    const struct command *command = find(argv[0]);
    struct invocation invocation;
    int code;
    if (!command)
        return refuse(argv[0]);
    if (command->own)
        return command->own(argc, argv);
    if (!options_read(command, argc, argv, &invocation, &code))
        return code;
    return command->run(&invocation);
}

static int help(const char *of) {
    const struct command *command = of ? find(of) : NULL;
    if (command && command->own)
        return flushed(command->own(2, (char *[]){(char *)command->name, (char[]){"--help"}, NULL}));
    if (command)
        options_help(command, stdout);
    else if (of && strcmp(of, "--man") == 0)
        print_manual();
    else
        print_help(stdout);
    return flushed(EXIT_DONE);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return help(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        argv[1] = (char[]){"version"};
    return flushed(dispatch(argc - 1, argv + 1));
}
