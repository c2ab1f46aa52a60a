#include "evidence_series.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MOST 5

enum part { BEGUN, ALL, SOON, VALUES, CONTEST, PARTS };
enum field { REQUESTS, EVENTS, COUNT, SUM, SQUARES };
static const struct {
    const char *name;
    unsigned guards, arms;  // 0 guards: it is not of a guard
    enum field first, last; // of FIELDS
    bool fields;            // false: it has one figure, without a name
} PART[PARTS] = {
    [BEGUN] = {"begun", 0, 2, REQUESTS, REQUESTS, false},
    [ALL] = {"all", GUARDS_MOST, 2, REQUESTS, EVENTS, true},
    [SOON] = {"soon", GUARDS_MOST, 2, REQUESTS, EVENTS, true},
    [VALUES] = {"values", GUARDS_MOST, 2, COUNT, SQUARES, true},
    [CONTEST] = {"contest", 0, TALLY_ARMS, REQUESTS, SQUARES, true},
};
static const char *const FIELD[FIELDS_MOST] = {"requests", "events", "count", "sum", "squares"};
static const char *const ARM[] = {"baseline", "candidate"};

struct spot { // of a figure
    enum part part;
    unsigned guard, arm;
    enum field field;
};
struct figure { // one of them is there
    double *number;
    uint64_t *count;
};

static struct figure in_batch(struct guard_batch *batch, const struct spot *at) {
    double *figures[2][2] = {{&batch->baseline, &batch->baseline_events},
                             {&batch->candidate, &batch->candidate_events}};
    return (struct figure){figures[at->arm][at->field], NULL};
}

static struct figure in_sum(struct experiment_sum *sum, enum field field) {
    if (field == COUNT)
        return (struct figure){NULL, &sum->count};
    return (struct figure){field == SUM ? &sum->sum : &sum->squares, NULL};
}

static struct figure in_contest(struct tally_arm *arm, enum field field) {
    if (field >= COUNT)
        return in_sum(&arm->values, field);
    return (struct figure){field == REQUESTS ? &arm->requests : &arm->events, NULL};
}

static struct figure figure_at(struct tally *tally, const struct spot *at) {
    struct tally_guard *guard = &tally->guards[at->guard];
    switch (at->part) {
    case BEGUN:
        return (struct figure){NULL, at->arm ? &tally->candidate : &tally->baseline};
    case ALL:
        return in_batch(&guard->all, at);
    case SOON:
        return in_batch(&guard->soon, at);
    case VALUES:
        return in_sum(at->arm ? &guard->candidate : &guard->baseline, at->field);
    default:
        return in_contest(&tally->arms[at->arm], at->field);
    }
}

// ---- writing

struct writing {
    const struct label *whose;
    size_t whose_count;
    struct exposition *out;
    unsigned written;
};

static void write_sample(const struct writing *writing, const struct label *which, size_t count,
                         double value) {
    struct label labels[EVIDENCE_WHOSE + 4];
    memcpy(labels, writing->whose, writing->whose_count * sizeof *labels);
    memcpy(labels + writing->whose_count, which, count * sizeof *labels);
    exposition_double(writing->out, FAMILY_FLEET_EVIDENCE, labels, writing->whose_count + count, value);
}

static void write_figure(struct writing *writing, const struct spot *at, double value) {
    char guard[12], arm[12];
    struct label labels[4] = {{"part", PART[at->part].name}};
    size_t count = 1;
    snprintf(guard, sizeof guard, "%u", at->guard);
    snprintf(arm, sizeof arm, "%u", at->arm);
    if (PART[at->part].guards)
        labels[count++] = (struct label){"guard", guard};
    labels[count++] = (struct label){"arm", at->part == CONTEST ? arm : ARM[at->arm]};
    if (PART[at->part].fields)
        labels[count++] = (struct label){"field", FIELD[at->field]};
    write_sample(writing, labels, count, value);
    writing->written++;
}

static void write_fields(struct writing *writing, struct tally *tally, struct spot *at) {
    for (at->field = PART[at->part].first; at->field <= PART[at->part].last; at->field++) {
        struct figure figure = figure_at(tally, at);
        double value = figure.number ? *figure.number : (double)*figure.count;
        if (value != 0)
            write_figure(writing, at, value);
    }
}

void evidence_series_write(const struct tally *tally, const struct label *whose, size_t whose_count,
                           struct exposition *out) {
    static struct tally copy; // large; one thread
    struct writing writing = {whose, whose_count, out, 0};
    struct spot at;
    copy = *tally;
    for (at.part = BEGUN; at.part < PARTS; at.part++)
        for (at.guard = 0; at.guard == 0 || at.guard < PART[at.part].guards; at.guard++)
            for (at.arm = 0; at.arm < PART[at.part].arms; at.arm++)
                write_fields(&writing, &copy, &at);
    write_sample(&writing, &(struct label){"part", "series"}, 1, writing.written);
}

// ---- reading

static bool same(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

// Of `most`; one form only.
static bool read_index(const char *text, unsigned most, unsigned *index) {
    char again[12];
    if (!text || sscanf(text, "%9u", index) != 1 || *index >= most)
        return false;
    snprintf(again, sizeof again, "%u", *index);
    return strcmp(text, again) == 0;
}

static bool find_part(const char *text, enum part *part) {
    for (*part = BEGUN; *part < PARTS; (*part)++)
        if (same(text, PART[*part].name))
            return true;
    return false;
}

static bool find_arm(const char *text, enum part part, unsigned *arm) {
    if (part == CONTEST)
        return read_index(text, PART[part].arms, arm);
    for (*arm = 0; *arm < 2; (*arm)++)
        if (same(text, ARM[*arm]))
            return true;
    return false;
}

static bool find_field(const char *text, enum part part, enum field *field) {
    *field = PART[part].first;
    if (!PART[part].fields)
        return !text;
    for (; *field <= PART[part].last; (*field)++)
        if (same(text, FIELD[*field]))
            return true;
    return false;
}

static bool find_spot(const struct evidence_labels *labels, struct spot *at) {
    at->guard = 0;
    if (!find_part(labels->part, &at->part))
        return false;
    bool guard =
        PART[at->part].guards ? read_index(labels->guard, PART[at->part].guards, &at->guard) : !labels->guard;
    return guard && find_arm(labels->arm, at->part, &at->arm) &&
           find_field(labels->field, at->part, &at->field);
}

bool evidence_series_put(struct tally *tally, const struct evidence_labels *labels, double value) {
    struct spot at;
    if (!isfinite(value) || !find_spot(labels, &at))
        return false;
    struct figure figure = figure_at(tally, &at);
    if (figure.number) {
        bool first = *figure.number == 0;
        *figure.number = value;
        return first;
    }
    if (*figure.count || value < 0 || value >= TALLY_MOST || value != floor(value))
        return false;
    *figure.count = (uint64_t)value;
    return true;
}
