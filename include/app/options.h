// options: the command line: which command, with which options and arguments. Every command declares the
// options it takes; --help is written from the declarations.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_ROLLED_BACK = 3, // watch --exit-status
    EXIT_TIMED_OUT = 4,   // the same: it stopped, or waits for evidence that did not come
    EXIT_UNREACHABLE = 5
};

// Which options a command takes, as bits.
enum option_set {
    OPTION_CONFIG = 1, // -c FILE
    OPTION_CHECK = 2,  // --check
    OPTION_JSON = 4,   // --json
    OPTION_CLIENT = 8, // --admin, --token-file, --ca, --certificate
    OPTION_FULL = 16,
    OPTION_REASON = 32,
    OPTION_LAST = 64,
    OPTION_RPS = 128,
    OPTION_EXIT_STATUS = 256,
    OPTION_ONCE = 512,
    OPTION_FLEET = 1024,
    OPTION_FORM = 2048, // --json-schema, --man
};

struct invocation;
struct command {
    const char *name;
    const char *arguments; // "ROUTE VARIANT=N …", for the usage line
    const char *help;
    unsigned options;                    // enum option_set
    int least_arguments, most_arguments; // -1: any number
    int (*run)(const struct invocation *invocation);
    int (*own)(int argc, char **argv); // a command that reads its options itself; then run is NULL
};
struct invocation {
    const struct command *command;
    const char *config;           // NULL: not given
    const char *admin;            // settled: option, environment or default
    const char *token_file;       // NULL: not given
    const char *ca, *certificate; // PEM files for https, settled: option or environment; NULL: not given
    const char *reason;           // NULL: not given
    const char *rps;              // a positive number as written; NULL: not given
    unsigned last;                // 0: not given
    bool check, json, full, exit_status, once, fleet, json_schema, man;
    char **arguments;
    int argument_count;
};

// Reads what follows the command's name (argv[0]). When there is nothing to run, *exit_code says how to end:
// --help was printed, or a mistake named on stderr.
bool options_read(const struct command *command, int argc, char **argv, struct invocation *invocation,
                  int *exit_code);
void options_help(const struct command *command, FILE *to);

// What there is to say of each option, for the manual page.
struct option_text {
    const char *name, *argument, *help; // argument NULL: it takes none
    char letter;                        // 0: none
    unsigned set;                       // the commands that take it have one of these bits
};
size_t options_count(void);
struct option_text options_text(size_t i);

// The command closest to a misspelt name, or NULL when none is close.
const struct command *options_suggest(const char *name, const struct command *commands, int count);
