#include "manual.h"
#include "base/roff.h"

#include <ctype.h>

struct entry {
    const char *name, *text;
};

static const struct entry signals[] = {
    {"SIGTERM, SIGINT", "Stop in order: requests under way may go on for `shutdown_grace`."},
    {"SIGHUP", "Load the configuration again, as `sluice reload` does; one with a mistake changes nothing."},
    {"SIGUSR1", "Open the access log again, after it was rotated."},
    {"SIGUSR2",
     "Start the binary that lies at the daemon's path now, with the same sockets and rollouts; the "
     "old one finishes its requests. When the new one does not serve within `upgrade_timeout`, "
     "the old one goes on."},
    {0}};
static const struct entry files[] = {
    {"/etc/sluice/sluice.yaml", "The configuration that `sluice run` reads when no file is named."},
    {"/var/lib/sluice", "Where rollouts survive restarts; `state_dir` names another place."},
    {0}};
static const struct entry environment[] = {
    {"SLUICE_ADMIN", "The daemon's admin address for the commands that ask it; `--admin` goes before it."},
    {"SLUICE_TOKEN", "The admin token, where `--token-file` names none."},
    {"SLUICE_CA, SLUICE_CERTIFICATE", "As `--ca` and `--certificate`."},
    {"NO_COLOR", "Set to anything: no colours on a terminal."},
    {"NOTIFY_SOCKET, WATCHDOG_USEC", "The daemon tells its service manager that it is ready, reloads, stops "
                                     "and lives."},
    {"LISTEN_FDS, LISTEN_FDNAMES", "Sockets that the service manager listens on for the daemon."},
    {0}};
static const struct entry exit_codes[] = {
    {"0", "Done."},
    {"1", "Refused, or the configuration is invalid."},
    {"2", "The command line is wrong."},
    {"3", "`watch --exit-status`: rolled back."},
    {"4", "`watch --exit-status`: it stopped, or waits for evidence that did not come."},
    {"5", "The daemon cannot be reached."},
    {0}};
static const struct entry examples[] = {
    {"sluice check /etc/sluice/sluice.yaml && sluice reload",
     "Take a changed configuration in, if it is right."},
    {"sluice assign -c sluice.yaml chat alice", "Which variant the user gets, without a daemon."},
    {"sluice watch --exit-status chat", "Wait in a pipeline for the end of a rollout."},
    {"sluice rollback --reason 'ticket 17' chat", "All traffic back to the baseline."},
    {"sluice drain blue http://10.0.0.1:8000", "Take an endpoint out before its machine goes away."},
    {0}};

static void write_entries(struct strbuf *out, const char *heading, const char *intro, const char *macro,
                          const struct entry *entries) {
    strbuf_format(out, ".Sh %s\n", heading);
    if (intro)
        roff_text(out, intro);
    strbuf_string(out, ".Bl -tag -width Ds\n");
    for (; entries->name; entries++) {
        strbuf_format(out, ".It %s ", macro);
        roff_word(out, entries->name);
        strbuf_char(out, '\n');
        roff_text(out, entries->text);
    }
    strbuf_string(out, ".El\n");
}

// "[ROUTE]" and "ROUTE UNIT…" as they are in --help.
static void write_command(struct strbuf *out, const struct command *command) {
    struct strbuf text = {0};
    strbuf_format(out, ".It Cm %s", command->name);
    if (command->arguments[0]) {
        strbuf_string(out, " Ar ");
        roff_word(out, command->arguments);
    }
    strbuf_format(&text, "\n%s", command->help);
    if (command->own)
        strbuf_format(&text, " `sluice %s --help` lists its options.", command->name);
    const char *begin = " Options: ";
    for (size_t i = 0; i < options_count(); i++) {
        struct option_text option = options_text(i);
        if (!(option.set & command->options) || option.letter == 'h')
            continue;
        strbuf_format(&text, "%s`--%s`", begin, option.name);
        begin = ", ";
    }
    strbuf_string(&text, *begin == ',' ? "." : "");
    strbuf_char(out, '\n');
    roff_text(out, strbuf_text(&text));
    strbuf_free(&text);
}

static void write_option(struct strbuf *out, const struct option_text *option) {
    strbuf_string(out, ".It ");
    if (option->letter)
        strbuf_format(out, "Fl %c , ", option->letter);
    strbuf_string(out, "Fl \\-");
    roff_word(out, option->name);
    if (option->argument)
        strbuf_format(out, " Ar %s", option->argument);
    strbuf_char(out, '\n');
    struct strbuf text = {0};
    strbuf_char(&text, (char)toupper((unsigned char)option->help[0]));
    strbuf_format(&text, "%s.", option->help + 1);
    roff_text(out, strbuf_text(&text));
    strbuf_free(&text);
}

void manual_write(struct strbuf *out, const struct command *commands, int count) {
    strbuf_string(out, ".\\\" Written by sluice help --man.\n.Dd " ROFF_DATE "\n.Dt SLUICE 1\n.Os\n.Sh NAME\n"
                       ".Nm sluice\n.Nd canary releases and A/B tests for HTTP services and model servers\n"
                       ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n.Op Ar arguments\n.Sh DESCRIPTION\n");
    roff_text(
        out,
        "A reverse proxy that splits requests among versions of a service: a user stays with a version, and "
        "a "
        "rollout moves the weights on evidence, or takes them back. `sluice run` is the daemon; the other "
        "commands ask it, over its admin API, or do without one.");
    strbuf_string(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
    for (int i = 0; i < count; i++)
        write_command(out, &commands[i]);
    strbuf_string(out, ".El\n.Sh OPTIONS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < options_count(); i++) {
        struct option_text option = options_text(i);
        write_option(out, &option);
    }
    strbuf_string(out, ".El\n");
    write_entries(out, "SIGNALS", "The daemon takes these.", "Dv", signals);
    write_entries(out, "ENVIRONMENT", NULL, "Ev", environment);
    write_entries(out, "FILES", NULL, "Pa", files);
    write_entries(out, "EXIT STATUS", NULL, "Cm", exit_codes);
    write_entries(out, "EXAMPLES", NULL, "Li", examples);
    strbuf_string(out, ".Sh SEE ALSO\n.Xr sluice.yaml 5\n");
}
