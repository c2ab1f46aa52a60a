#include "arguments.h"

#include "app/options.h"
#include "base/mem.h"
#include "base/slice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MOST 1000000
#define YEAR_US    (365.0 * 24 * 3600 * 1e6)

// Plain decimal digits with at most one point: no sign, exponent, hex or nan, which strtod would take.
static bool read_number(const char *text, double *value, const char **end) {
    size_t digits = strspn(text, "0123456789"), len = digits;
    if (text[len] == '.')
        len += 1 + strspn(text + len + 1, "0123456789");
    *end = text + len;
    *value = strtod(text, NULL);
    return digits > 0 && text[len - 1] != '.';
}

bool arguments_duration(const char *text, uint64_t *us) {
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}};
    const char *unit;
    double number;
    if (!read_number(text, &number, &unit))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].unit) == 0 && number * units[i].us < YEAR_US) {
            *us = (uint64_t)llround(number * units[i].us);
            return true;
        }
    return false;
}

static bool read_count(const char *text, uint64_t most, unsigned *value) {
    uint64_t number;
    if (!slice_to_u64(slice_of(text), &number) || number > most)
        return false;
    *value = (unsigned)number;
    return true;
}

static bool read_percent(const char *text, double *value) {
    const char *end;
    double number;
    if (!read_number(text, &number, &end) || *end || number > 100)
        return false;
    *value = number;
    return true;
}

// NULL, or what should have been written.
static const char *store(const struct argument *argument, const char *text) {
    switch (argument->kind) {
    case ARGUMENT_FLAG:
        *(bool *)argument->value = true;
        return NULL;
    case ARGUMENT_TEXT:
        *(const char **)argument->value = text;
        return *text ? NULL : "it is empty";
    case ARGUMENT_OPTIONAL:
        *(const char **)argument->value = text;
        return NULL;
    case ARGUMENT_PORT:
        return read_count(text, UINT16_MAX, argument->value) ? NULL : "a port is 0 to 65535";
    case ARGUMENT_COUNT:
        return read_count(text, COUNT_MOST, argument->value) ? NULL : "a number from 0 to 1000000 is needed";
    case ARGUMENT_PERCENT:
        return read_percent(text, argument->value) ? NULL : "a number from 0 to 100 is needed";
    case ARGUMENT_DURATION:
        return arguments_duration(text, argument->value) ? NULL : "write it like 250ms, 5s, 10m or 1h";
    }
    return NULL;
}

static void print_help(const struct argument_list *list) {
    printf("usage: sluice %s [options]\n\n%s\n\noptions:\n", list->command, list->about);
    for (int i = 0; i < list->count; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", list->items[i].name, list->items[i].shown ? " " : "",
                 list->items[i].shown ? list->items[i].shown : "");
        printf("  %-24s %s\n", left, list->items[i].help);
    }
}

static bool refuse(const struct argument_list *list, const char *name, const char *why, int *exit_code) {
    fprintf(stderr, "sluice: %s: %s\nusage: sluice %s [options]; sluice %s --help lists them\n", name, why,
            list->command, list->command);
    *exit_code = EXIT_USAGE;
    return false;
}

static const struct argument *find(const struct argument_list *list, const char *text, size_t len) {
    for (int i = 0; i < list->count; i++)
        if (strlen(list->items[i].name) == len && memcmp(list->items[i].name, text, len) == 0)
            return &list->items[i];
    return NULL;
}

bool arguments_read(const struct argument_list *list, int argc, char **argv, int *exit_code) {
    for (int i = 1; i < argc; i++) {
        must(argv[i]); // only argv[argc] is NULL
        const char *text = argv[i], *equals = strchr(text, '='), *value = "";
        if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            print_help(list);
            *exit_code = EXIT_DONE;
            return false;
        }
        const struct argument *argument = find(list, text, equals ? (size_t)(equals - text) : strlen(text));
        if (!argument)
            return refuse(list, text, "there is no such option", exit_code);
        if (argument->kind == ARGUMENT_FLAG && equals)
            return refuse(list, argument->name, "it takes no value", exit_code);
        if (equals)
            value = equals + 1;
        else if (argument->kind == ARGUMENT_OPTIONAL)
            value = argv[i + 1] && argv[i + 1][0] != '-' ? argv[++i] : "";
        else if (argument->kind != ARGUMENT_FLAG && !(value = argv[i + 1] ? argv[++i] : NULL))
            return refuse(list, argument->name, "a value is missing", exit_code);
        const char *why = store(argument, value);
        if (why)
            return refuse(list, argument->name, why, exit_code);
    }
    return true;
}
