// table: what a simulation prints, in markdown, and what its figures must be. One program run has one set of
// options and counts its own failures.
#pragma once
#include <stdbool.h>

struct options {
    bool full;       // 2,000 runs of every row; otherwise a small subset of both
    double scale;    // of the runs of the subset (SLUICE_SCALE)
    unsigned runs;   // of each row; 0: as the row says
    const char *row; // only rows whose name has this in it; NULL: all
};

// How many runs a row has: 2,000, or `small` in the subset.
unsigned table_runs(const struct options *options, unsigned small);

// Whether this row is to be simulated. A row is seeded by its name, so alone it is the same as in its table.
bool table_wants(const struct options *options, const char *row);
unsigned table_wanted(void); // how many rows were

void table_title(const char *format, ...) __attribute__((format(printf, 1, 2)));
void table_columns(const char *columns); // "a | b | c"
void table_cell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void table_end_row(void);

// A bound that is not kept is told on standard error and makes the program fail. Few runs leave room for
// chance: three standard errors of what is bounded; the 2,000 of a full row leave none.
void table_at_most(const char *what, double rate, double bound, const struct options *options, unsigned runs);
void table_at_least(const char *what, double rate, double bound, const struct options *options,
                    unsigned runs);
// A median within 20 % of the reference.
void table_near(const char *what, double median, double reference, const struct options *options,
                unsigned runs);
int table_failures(void);

// Many values of one figure; sorted when they are asked for.
struct sample {
    double *values;
    unsigned count, room;
};
void sample_add(struct sample *sample, double value);
double sample_quantile(struct sample *sample, double share); // NAN: none
void sample_free(struct sample *sample);
