// arguments: the options of `demo` and `simulate`, declared once; reading and --help follow from it. A
// mistake is named on stderr. Owner: the caller's variables. One thread.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum argument_kind {
    ARGUMENT_FLAG,     // bool
    ARGUMENT_TEXT,     // const char *, borrowed from argv
    ARGUMENT_OPTIONAL, // the same, "" when it stands alone or before another option
    ARGUMENT_PORT,     // unsigned, 0..65535
    ARGUMENT_COUNT,    // unsigned, 0..1,000,000
    ARGUMENT_PERCENT,  // double, 0..100
    ARGUMENT_DURATION, // uint64_t, microseconds; written 250ms, 5s, 10m, 1h
};
struct argument {
    const char *name; // with the dashes
    enum argument_kind kind;
    void *value;       // of the kind's type; left alone when the option is not given
    const char *shown; // the value in --help, NULL for a flag
    const char *help;
};
struct argument_list {
    const char *command, *about;
    const struct argument *items;
    int count;
};

// Reads argv[1..]. False when there is nothing to run: *exit_code then says how to end.
bool arguments_read(const struct argument_list *list, int argc, char **argv, int *exit_code);
// "1.5s" -> 1500000. False for anything else than a number with a unit.
bool arguments_duration(const char *text, uint64_t *us);
