#include "rollout/tally_groups.h"

#include "pack.h"

#include <string.h>

#define FORMAT 65 // not that of a tally

// Arms, scores of guards and scores of the goal, in this order; only those with something in them are
// written.
#define FIRST_GUARD EXPERIMENT_ARMS
#define FIRST_GOAL  (FIRST_GUARD + 2 * GUARDS_MOST)
#define ENTRIES     (FIRST_GOAL + TALLY_ARMS)

void tally_groups_reset(struct tally_groups *groups, uint32_t epoch) {
    memset(groups, 0, sizeof *groups);
    groups->epoch = epoch;
}

static uint32_t added(uint32_t a, uint32_t b) {
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static void add_scores(struct score_groups *groups, const struct score_groups *more) {
    for (int i = 0; i < SCORE_GROUPS; i++) {
        groups->counts[i] = added(groups->counts[i], more->counts[i]);
        groups->sums[i] += more->sums[i];
    }
}

void tally_groups_add(struct tally_groups *groups, const struct tally_groups *more) {
    for (size_t arm = 0; arm < EXPERIMENT_ARMS; arm++)
        experiment_groups_add(groups->arms[arm], more->arms[arm]);
    for (size_t i = 0; i < GUARDS_MOST; i++) {
        add_scores(&groups->guards[i][0], &more->guards[i][0]);
        add_scores(&groups->guards[i][1], &more->guards[i][1]);
    }
    for (size_t i = 0; i < TALLY_ARMS; i++)
        add_scores(&groups->goal[i], &more->goal[i]);
}

static struct score_groups *scores_of(struct tally_groups *groups, unsigned entry) {
    return entry < FIRST_GOAL ? &groups->guards[(entry - FIRST_GUARD) / 2][(entry - FIRST_GUARD) % 2]
                              : &groups->goal[entry - FIRST_GOAL];
}

// ---- one arm, by columns

enum column { COLUMN_FAILED, COLUMN_SLOW, COLUMN_SLOW_FIRST_BYTE, COLUMN_VALUES };
#define COLUMNS (COLUMN_VALUES + EXPERIMENT_MEANS)

static uint32_t *cell_of(struct experiment_group *group, int column) {
    if (column == COLUMN_FAILED)
        return &group->failed;
    return column < COLUMN_VALUES ? &group->slow[column - COLUMN_SLOW]
                                  : &group->values[column - COLUMN_VALUES];
}

static bool group_is_empty(const struct experiment_group *group) {
    return group->requests == 0;
}

static bool arm_is_empty(const struct experiment_group *arm) {
    for (size_t i = 0; i < EXPERIMENT_GROUPS; i++)
        if (!group_is_empty(&arm[i]))
            return false;
    return true;
}

// The workers count a request and then what became of it, so that one may be read without the other.
static void write_arm(struct strbuf *out, const struct experiment_group *arm) {
    uint32_t column[EXPERIMENT_GROUPS];
    for (size_t i = 0; i < EXPERIMENT_GROUPS; i++)
        column[i] = arm[i].requests;
    pack_column(out, column, EXPERIMENT_GROUPS);
    for (int which = 0; which < COLUMNS; which++) {
        for (size_t i = 0; i < EXPERIMENT_GROUPS; i++) {
            uint32_t value = *cell_of((struct experiment_group *)&arm[i], which);
            column[i] = value < arm[i].requests ? value : arm[i].requests;
        }
        pack_column(out, column, EXPERIMENT_GROUPS);
        for (size_t i = 0; which >= COLUMN_VALUES && i < EXPERIMENT_GROUPS; i++)
            if (column[i])
                pack_single(out, arm[i].sums[which - COLUMN_VALUES]);
    }
}

static void refuse(struct unpack *from, bool refused, const char *wrong) {
    if (refused && !from->wrong)
        from->wrong = wrong;
}

static void read_arm(struct unpack *from, struct experiment_group *arm) {
    uint32_t column[EXPERIMENT_GROUPS];
    unpack_column(from, column, EXPERIMENT_GROUPS);
    for (size_t i = 0; i < EXPERIMENT_GROUPS; i++)
        arm[i].requests = column[i];
    for (int which = 0; which < COLUMNS && !from->wrong; which++) {
        unpack_column(from, column, EXPERIMENT_GROUPS);
        for (size_t i = 0; i < EXPERIMENT_GROUPS; i++) {
            *cell_of(&arm[i], which) = column[i];
            refuse(from, column[i] > arm[i].requests, "has a group with more of something than requests");
        }
        for (size_t i = 0; which >= COLUMN_VALUES && i < EXPERIMENT_GROUPS; i++)
            arm[i].sums[which - COLUMN_VALUES] = column[i] ? unpack_single(from) : 0;
    }
    refuse(from, arm_is_empty(arm), "has an empty arm");
}

// ---- scores

static bool scores_are_empty(const struct score_groups *scores) {
    for (int i = 0; i < SCORE_GROUPS; i++)
        if (scores->counts[i])
            return false;
    return true;
}

static void write_scores(struct strbuf *out, const struct score_groups *scores) {
    pack_column(out, scores->counts, SCORE_GROUPS);
    for (int i = 0; i < SCORE_GROUPS; i++)
        if (scores->counts[i])
            pack_single(out, scores->sums[i]);
}

static void read_scores(struct unpack *from, struct score_groups *scores) {
    unpack_column(from, scores->counts, SCORE_GROUPS);
    for (int i = 0; i < SCORE_GROUPS; i++)
        scores->sums[i] = scores->counts[i] ? unpack_single(from) : 0;
    refuse(from, scores_are_empty(scores), "has empty scores");
}

// ---- all of it

static bool entry_is_empty(const struct tally_groups *groups, unsigned entry) {
    return entry < FIRST_GUARD ? arm_is_empty(groups->arms[entry])
                               : scores_are_empty(scores_of((struct tally_groups *)groups, entry));
}

void tally_groups_write(const struct tally_groups *groups, struct strbuf *out) {
    unsigned entries = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        entries += !entry_is_empty(groups, i);
    pack_byte(out, FORMAT);
    pack_count(out, groups->epoch);
    pack_byte(out, entries);
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (entry_is_empty(groups, i))
            continue;
        pack_byte(out, i);
        if (i < FIRST_GUARD)
            write_arm(out, groups->arms[i]);
        else
            write_scores(out, scores_of((struct tally_groups *)groups, i));
    }
}

static void read_entries(struct unpack *from, struct tally_groups *groups) {
    unsigned entries = unpack_byte(from, ENTRIES), least = 0;
    for (unsigned i = 0; i < entries && !from->wrong; i++) {
        unsigned entry = unpack_byte(from, ENTRIES - 1);
        refuse(from, entry < least, "has its parts in another order");
        if (from->wrong)
            return;
        if (entry < FIRST_GUARD)
            read_arm(from, groups->arms[entry]);
        else
            read_scores(from, scores_of(groups, entry));
        least = entry + 1;
    }
}

bool tally_groups_read(struct slice bytes, struct tally_groups *groups, struct error *error) {
    struct unpack from = {.rest = bytes};
    tally_groups_reset(groups, 0);
    refuse(&from, unpack_byte(&from, 0xff) != FORMAT, "are of another format");
    groups->epoch = (uint32_t)unpack_count(&from, UINT32_MAX);
    read_entries(&from, groups);
    if (unpack_end(&from))
        return true;
    tally_groups_reset(groups, 0);
    return error_set(error, "the groups of a tally: %s", from.wrong);
}
