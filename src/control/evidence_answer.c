#include "evidence_answer.h"

#include "base/hash.h"
#include "base/mem.h"
#include "evidence_series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY "sluice_fleet_evidence"
#define RATIO  "sluice_fleet_evidence_sample_ratio"
// The labels that differ within what one target says of one member's route.
#define WITHIN "part,guard,arm,field,shares"

// ---- the question

static void append_selector(struct strbuf *out, const char *prefix) {
    strbuf_literal(out, "{__name__=~\"" FAMILY "(_sample_ratio)?\",fleet=\"");
    for (; *prefix; prefix++) {
        if (*prefix == '"' || *prefix == '\\')
            strbuf_char(out, '\\');
        strbuf_char(out, *prefix);
    }
    strbuf_literal(out, "\"}");
}

static void append_time(struct strbuf *out, const char *prefix, const char *aggregation, const char *part) {
    strbuf_format(out, " or label_replace(%s without (" WITHIN ") (timestamp(", aggregation);
    append_selector(out, prefix);
    strbuf_format(out, ")), \"part\", \"%s\", \"\", \"\")", part);
}

// A value of an instant query comes with the time of the query, not with that of its sample: that is asked
// for.
void evidence_query(const char *prefix, struct strbuf *out) {
    append_selector(out, prefix);
    append_time(out, prefix, "max", "newest");
    append_time(out, prefix, "min", "oldest");
}

// ---- the answer

// What one target says of one member's route in one epoch.
//
// Prometheus takes a scrape in as a whole: all samples of a target have the same time, a query sees all of
// them or none, and a series that the scrape lacks is marked as ended then and is in no answer any more. So
// what is answered of a target is one scrape's, and the figures fit each other (as many events as belong to
// the requests). What does not promise that (samples that were written remotely, a cluster that answers from
// several stores) may mix two scrapes: then the newest and the oldest sample are of different times, or
// there are less series than the member says it has, and nothing is taken this time.
//
// How old a scrape is does not matter: tallies only grow, and what was taken of a member is known (ledger.h).
// One that is gone stays in the answers for up to five minutes, and tells nothing new.
struct set {
    uint64_t key;
    struct evidence evidence;
    double newest, oldest, promised; // NAN: not told
    double series;
    bool ratio, wrong;
};
struct sets {
    struct set *items;
    size_t count, room, last;
};

static bool within(const char *name) {
    return strcmp(name, "part") == 0 || strcmp(name, "guard") == 0 || strcmp(name, "arm") == 0 ||
           strcmp(name, "field") == 0 || strcmp(name, "shares") == 0 || strcmp(name, "__name__") == 0;
}

// Of all other labels, in any order; those of the target are among them.
static uint64_t key_of(json_t *labels) {
    uint64_t key = 0;
    const char *name;
    json_t *value;
    json_object_foreach(labels, name, value) {
        const char *text = json_string_value(value);
        if (text && !within(name))
            key += hash_bytes(hash_bytes(0, slice_of(name)), slice_of(text));
    }
    return key;
}

static const char *label(const json_t *labels, const char *name) {
    return json_string_value(json_object_get(labels, name));
}

static bool read_u32(const char *text, uint32_t *number) {
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    unsigned long long value = strtoull(text, &end, 10);
    *number = (uint32_t)value;
    return !*end && value <= UINT32_MAX;
}

static struct set *add_set(struct sets *sets, uint64_t key, const json_t *labels, uint32_t epoch) {
    if (sets->count == sets->room) {
        sets->room = sets->room ? 2 * sets->room : 16;
        sets->items = mem_resize(sets->items, sets->room * sizeof *sets->items);
    }
    sets->last = sets->count++;
    struct set *set = &sets->items[sets->last];
    *set = (struct set){.key = key, .newest = NAN, .oldest = NAN, .promised = NAN};
    set->evidence.member = label(labels, "member");
    set->evidence.route = label(labels, "route");
    set->evidence.log_e = NAN;
    tally_reset(&set->evidence.tally, epoch);
    return set;
}

// NULL: the sample is nobody's.
static struct set *set_of(struct sets *sets, json_t *labels) {
    uint32_t epoch;
    if (!label(labels, "member") || !label(labels, "route") || !read_u32(label(labels, "epoch"), &epoch))
        return NULL;
    uint64_t key = key_of(labels);
    if (sets->count && sets->items[sets->last].key == key) // they mostly stand together
        return &sets->items[sets->last];
    for (sets->last = 0; sets->last < sets->count; sets->last++)
        if (sets->items[sets->last].key == key)
            return &sets->items[sets->last];
    return add_set(sets, key, labels, epoch);
}

static bool equal(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

static bool once(double *figure, double value) {
    bool first = isnan(*figure);
    *figure = value;
    return first;
}

static bool take_ratio(struct set *set, const json_t *labels, double value) {
    bool first = !set->ratio;
    set->ratio = true;
    set->evidence.log_e = isfinite(value) ? value : NAN;
    return first && read_u32(label(labels, "shares"), &set->evidence.shares);
}

// False: it makes the whole set useless.
static bool take(struct set *set, const json_t *labels, double value) {
    const char *family = label(labels, "__name__");
    struct evidence_labels which = {label(labels, "part"), label(labels, "guard"), label(labels, "arm"),
                                    label(labels, "field")};
    if (!family && equal(which.part, "newest"))
        return once(&set->newest, value);
    if (!family && equal(which.part, "oldest"))
        return once(&set->oldest, value);
    if (equal(family, RATIO))
        return take_ratio(set, labels, value);
    if (!equal(family, FAMILY))
        return false;
    if (equal(which.part, "series"))
        return once(&set->promised, value);
    set->series++;
    return evidence_series_put(&set->evidence.tally, &which, value);
}

static bool whole(const struct set *set) {
    return !set->wrong && set->ratio && set->newest == set->oldest && set->promised == set->series &&
           tally_holds(&set->evidence.tally);
}

// The same of another target, or of another Prometheus, that was scraped later.
static bool surpassed(const struct evidence_answer *read, const struct evidence *evidence) {
    for (size_t i = 0; i < read->count; i++) {
        struct evidence *other = &read->items[i];
        if (other->tally.epoch != evidence->tally.epoch || strcmp(other->member, evidence->member) != 0 ||
            strcmp(other->route, evidence->route) != 0)
            continue;
        if (other->scraped < evidence->scraped)
            *other = *evidence;
        return true;
    }
    return false;
}

bool evidence_read(const struct fetch_answer *answer, struct evidence_answer *read,
                   char why[PROMETHEUS_WHY]) {
    struct sets sets = {0};
    json_t *sample;
    size_t i;
    *read = (struct evidence_answer){.samples = prometheus_read_vector(answer, why)};
    json_array_foreach(read->samples, i, sample) {
        json_t *labels = json_object_get(sample, "metric");
        double value;
        bool told = prometheus_sample(sample, &value);
        struct set *set = set_of(&sets, labels);
        if (set && !(told && take(set, labels, value)))
            set->wrong = true;
    }
    read->items = mem_zero(sets.count + 1, sizeof *read->items);
    for (i = 0; i < sets.count; i++) {
        sets.items[i].evidence.scraped = sets.items[i].newest;
        if (!whole(&sets.items[i]))
            read->skipped++;
        else if (!surpassed(read, &sets.items[i].evidence))
            read->items[read->count++] = sets.items[i].evidence;
    }
    mem_free(sets.items);
    return read->samples != NULL;
}

void evidence_answer_free(struct evidence_answer *read) {
    mem_free(read->items);
    json_decref(read->samples);
    *read = (struct evidence_answer){0};
}
