// simulate_rollout [--full] [--runs N] [--row TEXT] [TABLE…]: prints the tables of docs/statistics.md.
// Without
// --full a small seeded subset, for ctest; with --row only rows that have TEXT in their name. Exit 1 when a
// figure is not what docs/statistics.md claims it to be.
#include "simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*simulate)(const struct options *options);
} tables[] = {
    {"equal", simulate_equal}, {"worse", simulate_worse}, {"cohorts", simulate_cohorts},
    {"means", simulate_means}, {"units", simulate_units}, {"policy", simulate_policy},
    {"whole", simulate_whole},
};
#define TABLES (sizeof tables / sizeof *tables)

static int usage(void) {
    fprintf(stderr, "usage: simulate_rollout [--full] [--runs N] [--row TEXT] [TABLE]...\ntables:");
    for (size_t i = 0; i < TABLES; i++)
        fprintf(stderr, " %s", tables[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv) {
    const char *scale = getenv("SLUICE_SCALE");
    struct options options = {.scale = scale ? atof(scale) : 1};
    bool chosen[TABLES] = {0}, any = false;
    for (int i = 1; i < argc; i++) {
        size_t table = 0;
        while (table < TABLES && strcmp(argv[i], tables[table].name) != 0)
            table++;
        if (table < TABLES)
            chosen[table] = any = true;
        else if (strcmp(argv[i], "--full") == 0)
            options.full = true;
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc && atoi(argv[i + 1]) > 0)
            options.runs = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--row") == 0 && i + 1 < argc)
            options.row = argv[++i];
        else
            return usage();
    }
    for (size_t i = 0; i < TABLES; i++)
        if (!any || chosen[i])
            tables[i].simulate(&options);
    if (!table_wanted()) {
        fprintf(stderr, "no row has \"%s\" in its name\n", options.row);
        return 2;
    }
    return table_failures() ? 1 : 0;
}
