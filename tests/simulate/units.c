// Requests of units that hang together: users of very different activity, each with an error rate of its own.
// Equal variants, with and without the design effect; and what it costs when there is harm.
#include "base/mem.h"
#include "draw.h"
#include "rollout/design.h"
#include "rollout/two_sample.h"
#include "simulate.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ALPHA      0.05
#define ERRORS     0.01
#define BATCH      500 // requests
#define USERS_MOST 5000

struct units {
    unsigned users;
    double activity;    // exponent of the Pareto distribution of how much they ask
    double correlation; // of the outcomes of one user's requests
    double share, factor;
    bool small;
};
struct user {
    double until, errors; // until: of the cumulated activity
    unsigned group;
    bool candidate;
};
struct world {
    struct user users[USERS_MOST];
    double activity; // of all
    struct experiment_group groups[2][EXPERIMENT_GROUPS];
    struct two_sample process;
};
struct found {
    bool plain, tempered;
    double requests; // of the candidate, until the tempered one was convinced
};

static void begin(struct world *world, const struct units *with, struct random_state *random) {
    double spread = 1 / with->correlation - 1;
    memset(world, 0, sizeof *world);
    for (unsigned i = 0; i < with->users; i++) {
        struct user *user = &world->users[i];
        world->activity += fmin(pow(draw_uniform(random), -1 / with->activity), with->users);
        user->until = world->activity;
        user->group = (unsigned)random_below(random, EXPERIMENT_GROUPS);
        user->candidate = draw_uniform(random) < with->share;
        user->errors = draw_beta(random, ERRORS * spread, (1 - ERRORS) * spread);
    }
    two_sample_init(&world->process, &(struct two_sample_settings){.direction = TWO_SAMPLE_HARM,
                                                                   .rho = 1,
                                                                   .prior_mean = 0.01,
                                                                   .prior_weight = 50,
                                                                   .restart_every = 10,
                                                                   .decay = 1});
}

static const struct user *who_asks(const struct world *world, unsigned users, struct random_state *random) {
    double at = draw_uniform(random) * world->activity;
    unsigned low = 0, high = users - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (world->users[middle].until < at)
            low = middle + 1;
        else
            high = middle;
    }
    return &world->users[low];
}

static struct found run_once(const struct units *with, const char *row, unsigned run) {
    static struct world world; // large
    struct random_state random = draw_begin(row, run);
    struct found found = {0};
    double batch[2][2], candidate = 0, needed = log(1 / ALPHA), measured;
    begin(&world, with, &random);
    for (unsigned seen = 0; seen < 100000 && !(with->factor > 1 && found.tempered); seen += BATCH) {
        memset(batch, 0, sizeof batch);
        for (unsigned i = 0; i < BATCH; i++) {
            const struct user *user = who_asks(&world, with->users, &random);
            double rate = user->candidate ? fmin(1, with->factor * user->errors) : user->errors;
            bool failed = draw_uniform(&random) < rate || (user->candidate && with->factor >= 100);
            struct experiment_group *group = &world.groups[user->candidate][user->group];
            group->requests++;
            group->failed += failed;
            batch[user->candidate][0]++;
            batch[user->candidate][1] += failed;
        }
        candidate += batch[1][0];
        if (batch[0][0] <= 0 || batch[1][0] <= 0)
            continue;
        two_sample_update(&world.process, batch[0][0], batch[0][1], batch[1][0], batch[1][1]);
        double effect =
            design_of_pair(world.groups[0], world.groups[1], DESIGN_FAILED, NAN, with->share, &measured);
        found.plain = found.plain || two_sample_evidence(&world.process, 1) >= needed;
        if (!found.tempered && two_sample_evidence(&world.process, effect) >= needed) {
            found.tempered = true;
            found.requests = candidate;
        }
    }
    return found;
}

static void row_of(const struct options *options, const struct units *with) {
    char row[160];
    unsigned runs = table_runs(options, 20), plain = 0, tempered = 0;
    struct sample requests = {0};
    snprintf(row, sizeof row, "%u users, activity %g, correlation %g, share %g, factor %g", with->users,
             with->activity, with->correlation, with->share, with->factor);
    if (!table_wants(options, row))
        return;
    for (unsigned run = 0; run < runs; run++) {
        struct found found = run_once(with, row, run);
        plain += found.plain;
        tempered += found.tempered;
        if (found.tempered)
            sample_add(&requests, found.requests);
    }
    double rate = (double)tempered / runs;
    table_cell("%u", with->users);
    table_cell("%g", with->activity);
    table_cell("%g", with->correlation);
    table_cell("%g %%", 100 * with->share);
    if (with->factor >= 100)
        table_cell("fails all");
    else
        table_cell("%s", with->factor > 1 ? "ten times the errors" : "equal");
    table_cell("%.3f", (double)plain / runs);
    table_cell("%.4f", rate);
    if (with->factor > 1)
        table_cell("%.0f", sample_quantile(&requests, 0.5));
    else
        table_cell("-");
    table_end_row();
    if (with->factor > 1)
        table_at_least(row, rate, 0.95, options, runs);
    else
        table_at_most(row, rate, ALPHA, options, runs);
    sample_free(&requests);
}

void simulate_units(const struct options *options) {
    static const struct units rows[] = {
        {5000, 1.5, 0.02, 0.05, 1, true},   {5000, 1.5, 0.02, 0.5, 1, true},
        {5000, 1.1, 0.05, 0.05, 1, false},  {5000, 1.1, 0.05, 0.5, 1, false},
        {500, 1.5, 0.05, 0.05, 1, false},   {500, 1.1, 0.05, 0.5, 1, false},
        {5000, 1.5, 0.02, 0.05, 100, true}, {5000, 1.5, 0.02, 0.05, 10, true},
    };
    table_title(
        "**Users whose requests hang together, errors of 1 %%** (alpha 0.05, 100,000 requests, a look every "
        "500; the activity is Pareto's exponent: less is more uneven)");
    table_columns(
        "users | activity | correlation | candidate | it is | called worse as if independent | with "
        "the design effect | requests of the candidate, median");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        if (options->full || rows[i].small)
            row_of(options, &rows[i]);
}
