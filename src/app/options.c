#include "app/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ADMIN "http://127.0.0.1:9901"

static const struct {
    unsigned set;
    struct option option;
    const char *argument, *help;
} known[] = {
    {OPTION_CONFIG, {"config", required_argument, NULL, 'c'}, "FILE", "configuration file"},
    {OPTION_CHECK,
     {"check", no_argument, NULL, 'k'},
     NULL,
     "only check the file, print every mistake, serve nothing"},
    {OPTION_JSON, {"json", no_argument, NULL, 'j'}, NULL, "print the daemon's JSON"},
    {OPTION_CLIENT,
     {"admin", required_argument, NULL, 'a'},
     "ADDRESS",
     "the daemon's admin address, http://HOST:PORT, https://HOST:PORT or unix:PATH\n"
     "                         (default $SLUICE_ADMIN, else " DEFAULT_ADMIN ")"},
    {OPTION_CLIENT,
     {"token-file", required_argument, NULL, 't'},
     "FILE",
     "holds the admin token (default: the token in $SLUICE_TOKEN)"},
    {OPTION_CLIENT,
     {"ca", required_argument, NULL, 'A'},
     "FILE",
     "authorities that an https address must be vouched for by\n"
     "                         (default $SLUICE_CA, else the system's)"},
    {OPTION_CLIENT,
     {"certificate", required_argument, NULL, 'C'},
     "FILE",
     "PEM file with a certificate and its key, where the daemon asks for one\n"
     "                         (default $SLUICE_CERTIFICATE)"},
    {OPTION_FULL, {"full", no_argument, NULL, 'f'}, NULL, "straight to 100 %"},
    {OPTION_REASON, {"reason", required_argument, NULL, 'r'}, "TEXT", "why; it is kept with the decision"},
    {OPTION_LAST, {"last", required_argument, NULL, 'l'}, "N", "only the last N decisions"},
    {OPTION_RPS, {"rps", required_argument, NULL, 'p'}, "N", "requests a second of the whole route"},
    {OPTION_EXIT_STATUS,
     {"exit-status", no_argument, NULL, 'e'},
     NULL,
     "exit 0 when it was promoted, 3 when it was rolled back, 4 when it stopped\n"
     "                         or waits for evidence that did not come (else 0 for all of them)"},
    {OPTION_ONCE,
     {"once", no_argument, NULL, 'o'},
     NULL,
     "print it once and end; so it does where stdout is no terminal, and with --json"},
    {OPTION_FLEET,
     {"fleet", no_argument, NULL, 'F'},
     NULL,
     "the instances of the fleet that the daemon belongs to, instead (docs/fleet.md)"},
    {OPTION_FORM,
     {"json-schema", no_argument, NULL, 's'},
     NULL,
     "as a JSON Schema, for editors (config/sluice.schema.json)"},
    {OPTION_FORM, {"man", no_argument, NULL, 'm'}, NULL, "as the manual page sluice.yaml(5)"},
    {~0u, {"help", no_argument, NULL, 'h'}, NULL, "this text"},
};
#define KNOWN (sizeof known / sizeof *known)

static bool has_letter(int letter) {
    return letter == 'c' || letter == 'h';
}

size_t options_count(void) {
    return KNOWN;
}

struct option_text options_text(size_t i) {
    int letter = known[i].option.val;
    return (struct option_text){known[i].option.name, known[i].argument, known[i].help,
                                (char)(has_letter(letter) ? letter : 0), known[i].set};
}

void options_help(const struct command *command, FILE *to) {
    fprintf(to, "usage: sluice %s%s%s%s\n\n%s\n\noptions:\n", command->name,
            command->options ? " [options]" : "", command->arguments[0] ? " " : "", command->arguments,
            command->help);
    for (size_t i = 0; i < KNOWN; i++) {
        if (!(known[i].set & command->options) && known[i].option.val != 'h')
            continue;
        char left[40];
        char letter[] = {'-', (char)known[i].option.val, ',', ' ', '\0'};
        snprintf(left, sizeof left, "%s--%s%s%s", has_letter(known[i].option.val) ? letter : "    ",
                 known[i].option.name, known[i].argument ? " " : "",
                 known[i].argument ? known[i].argument : "");
        fprintf(to, "  %-22s %s\n", left, known[i].help);
    }
}

static bool read_count(const char *text, unsigned *count) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *count = (unsigned)value;
    return *text >= '0' && *text <= '9' && !*end && value > 0 && value <= 1000000;
}

static bool is_rate(const char *text) {
    char *end;
    double value = strtod(text, &end);
    return *text >= '0' && *text <= '9' && !*end && value > 0 && value < 1e9 && !strpbrk(text, "xX");
}

// False: the value is not what the option takes.
static bool take(struct invocation *invocation, int letter, const char *value) {
    switch (letter) {
    case 'f':
        invocation->full = true;
        break;
    case 'r':
        invocation->reason = value;
        break;
    case 'l':
        return read_count(value, &invocation->last);
    case 'p':
        invocation->rps = value;
        return is_rate(value);
    case 'e':
        invocation->exit_status = true;
        break;
    case 'o':
        invocation->once = true;
        break;
    case 'F':
        invocation->fleet = true;
        break;
    case 's':
        invocation->json_schema = true;
        break;
    case 'm':
        invocation->man = true;
        break;
    case 'c':
        invocation->config = value;
        break;
    case 'k':
        invocation->check = true;
        break;
    case 'j':
        invocation->json = true;
        break;
    case 'a':
        invocation->admin = value;
        break;
    case 't':
        invocation->token_file = value;
        break;
    case 'A':
        invocation->ca = value;
        break;
    case 'C':
        invocation->certificate = value;
        break;
    default:
        break;
    }
    return true;
}

// Only what the command takes is known to getopt, so that the rest is refused by it.
static void collect(const struct command *command, struct option *options, char *letters) {
    size_t count = 0;
    *letters++ = 'h';
    for (size_t i = 0; i < KNOWN; i++)
        if ((known[i].set & command->options) || known[i].option.val == 'h')
            options[count++] = known[i].option;
    if (command->options & OPTION_CONFIG) {
        *letters++ = 'c';
        *letters++ = ':';
    }
    *letters = '\0';
    options[count] = (struct option){0};
}

static bool refuse(const struct command *command, const char *what, int *exit_code) {
    if (what)
        fprintf(stderr, "sluice %s: %s\n", command->name, what);
    fprintf(stderr, "usage: sluice %s%s%s%s (--help for more)\n", command->name,
            command->options ? " [options]" : "", command->arguments[0] ? " " : "", command->arguments);
    *exit_code = EXIT_USAGE;
    return false;
}

static const char *settled(const char *given, const char *variable, const char *otherwise) {
    const char *value = given ? given : getenv(variable);
    return value && *value ? value : otherwise;
}

bool options_read(const struct command *command, int argc, char **argv, struct invocation *invocation,
                  int *exit_code) {
    struct option options[KNOWN + 1];
    char letters[8], name[64];
    *invocation = (struct invocation){.command = command};
    collect(command, options, letters);
    snprintf(name, sizeof name, "sluice %s", command->name); // getopt's messages begin with it
    char *own_name = argv[0];
    argv[0] = name;
    optind = 0; // starts anew: a process may read more than one command line (tests)
    int letter;
    bool taken = true;
    while ((letter = getopt_long(argc, argv, letters, options, NULL)) >= 0 && letter != '?' && letter != 'h')
        taken = take(invocation, letter, optarg) && taken;
    argv[0] = own_name;
    if (letter == 'h') {
        options_help(command, stdout);
        *exit_code = EXIT_DONE;
        return false;
    }
    if (letter == '?')
        return refuse(command, NULL, exit_code);
    if (!taken)
        return refuse(command, "the value of an option must be a positive number", exit_code);
    invocation->arguments = argv + optind;
    invocation->argument_count = argc - optind;
    if (invocation->argument_count < command->least_arguments)
        return refuse(command, "an argument is missing", exit_code);
    if (command->most_arguments >= 0 && invocation->argument_count > command->most_arguments)
        return refuse(command, "too many arguments", exit_code);
    invocation->admin = settled(invocation->admin, "SLUICE_ADMIN", DEFAULT_ADMIN);
    invocation->ca = settled(invocation->ca, "SLUICE_CA", NULL);
    invocation->certificate = settled(invocation->certificate, "SLUICE_CERTIFICATE", NULL);
    return true;
}

#define NAME_MOST 16

// Insertions, deletions, changes and swaps of neighbours between two short words.
static unsigned distance(const char *a, const char *b) {
    unsigned table[NAME_MOST + 1][NAME_MOST + 1];
    size_t rows = strlen(a), columns = strlen(b);
    for (unsigned i = 0; i <= rows; i++)
        for (unsigned k = 0; k <= columns; k++) {
            if (i == 0 || k == 0) {
                table[i][k] = i + k;
                continue;
            }
            unsigned best = table[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
            best = table[i - 1][k] + 1 < best ? table[i - 1][k] + 1 : best;
            best = table[i][k - 1] + 1 < best ? table[i][k - 1] + 1 : best;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
                table[i - 2][k - 2] + 1 < best)
                best = table[i - 2][k - 2] + 1;
            table[i][k] = best;
        }
    return table[rows][columns];
}

const struct command *options_suggest(const char *name, const struct command *commands, int count) {
    const struct command *closest = NULL;
    unsigned least = 3; // more than two slips are another word
    if (strlen(name) > NAME_MOST)
        return NULL;
    for (int i = 0; i < count; i++) {
        unsigned away = distance(name, commands[i].name);
        if (away < least && away < strlen(commands[i].name)) {
            closest = &commands[i];
            least = away;
        }
    }
    return closest;
}
