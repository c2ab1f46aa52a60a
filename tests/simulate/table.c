#include "table.h"

#include "base/mem.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL_RUNS 2000

static int failures;
static unsigned wanted;

unsigned table_runs(const struct options *options, unsigned small) {
    if (options->runs)
        return options->runs;
    if (options->full)
        return FULL_RUNS;
    double scaled = small * options->scale;
    return scaled < 10 ? 10 : (unsigned)scaled;
}

bool table_wants(const struct options *options, const char *row) {
    bool wants = !options->row || strstr(row, options->row);
    wanted += wants;
    return wants;
}

unsigned table_wanted(void) {
    return wanted;
}

void table_title(const char *format, ...) {
    va_list arguments;
    printf("\n");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n\n");
}

void table_columns(const char *columns) {
    printf("| %s |\n|", columns);
    for (const char *at = columns; at; at = strchr(at + 1, '|'))
        printf(" --- |");
    printf("\n");
}

void table_cell(const char *format, ...) {
    va_list arguments;
    printf("| ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf(" ");
}

void table_end_row(void) {
    printf("|\n");
    fflush(stdout);
}

static void fail(const char *what, double value, const char *relation, double bound) {
    fprintf(stderr, "%s: %.4g is not %s %.4g\n", what, value, relation, bound);
    failures++;
}

static double chance(double bound, const struct options *options, unsigned runs) {
    return options->full ? 0 : 3 * sqrt(bound * (1 - bound) / runs);
}

void table_at_most(const char *what, double rate, double bound, const struct options *options,
                   unsigned runs) {
    if (!(rate <= bound + chance(bound, options, runs)))
        fail(what, rate, "at most", bound);
}

void table_at_least(const char *what, double rate, double bound, const struct options *options,
                    unsigned runs) {
    if (!(rate >= bound - chance(bound, options, runs)))
        fail(what, rate, "at least", bound);
}

// The median of times whose deviation is about their mean errs by 1.25 deviations over the root of the runs.
void table_near(const char *what, double median, double reference, const struct options *options,
                unsigned runs) {
    double room = 0.2 + (options->full ? 0 : 3 * 1.25 / sqrt(runs));
    if (!(fabs(median - reference) <= room * reference))
        fail(what, median, "within a fifth of", reference);
}

int table_failures(void) {
    return failures;
}

void sample_add(struct sample *sample, double value) {
    if (sample->count == sample->room) {
        sample->room = sample->room ? 2 * sample->room : 64;
        sample->values = mem_resize(sample->values, sample->room * sizeof *sample->values);
    }
    sample->values[sample->count++] = value;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double sample_quantile(struct sample *sample, double share) {
    if (!sample->count)
        return NAN;
    qsort(sample->values, sample->count, sizeof *sample->values, by_size);
    return sample->values[(unsigned)(share * sample->count)];
}

void sample_free(struct sample *sample) {
    mem_free(sample->values);
    *sample = (struct sample){0};
}
