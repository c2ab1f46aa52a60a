#include "scores.h"

#include "base/mem.h"
#include "metrics/exposition.h"

#include <string.h>

static const char other[] = "other";

struct tally {
    char *route, *variant, *metric; // owned
    double sum;
    uint64_t count;
};
struct scores {
    struct tally *tallies;
    size_t count, room, most;
};

struct scores *scores_new(size_t most) {
    struct scores *scores = mem_zero(1, sizeof *scores);
    scores->most = most;
    return scores;
}

void scores_free(struct scores *scores) {
    if (!scores)
        return;
    for (size_t i = 0; i < scores->count; i++) {
        mem_free(scores->tallies[i].route);
        mem_free(scores->tallies[i].variant);
        mem_free(scores->tallies[i].metric);
    }
    mem_free(scores->tallies);
    mem_free(scores);
}

static struct tally *find(const struct scores *scores, const char *route, const char *variant,
                          const char *metric) {
    for (size_t i = 0; i < scores->count; i++) {
        struct tally *tally = &scores->tallies[i];
        if (strcmp(tally->metric, metric) == 0 && strcmp(tally->variant, variant) == 0 &&
            strcmp(tally->route, route) == 0)
            return tally;
    }
    return NULL;
}

static struct tally *make(struct scores *scores, const char *route, const char *variant, const char *metric) {
    if (scores->count == scores->room) {
        scores->room = scores->room ? 2 * scores->room : 16;
        scores->tallies = mem_resize(scores->tallies, scores->room * sizeof *scores->tallies);
    }
    struct tally *tally = &scores->tallies[scores->count++];
    *tally = (struct tally){mem_copy_string(route), mem_copy_string(variant), mem_copy_string(metric), 0, 0};
    return tally;
}

void scores_add(struct scores *scores, const char *route, const char *variant, const char *metric,
                double score) {
    struct tally *tally = find(scores, route, variant, metric);
    if (!tally && scores->count >= scores->most) {
        metric = other; // one more for each variant: those are bounded by the configuration
        tally = find(scores, route, variant, metric);
    }
    if (!tally)
        tally = make(scores, route, variant, metric);
    tally->sum += score;
    tally->count++;
}

void scores_read(const struct scores *scores, const char *route, const char *variant, const char *metric,
                 double *sum, uint64_t *count) {
    const struct tally *tally = find(scores, route, variant, metric);
    *sum = tally ? tally->sum : 0;
    *count = tally ? tally->count : 0;
}

static bool configured(const struct config *config, const struct tally *tally) {
    const struct route_config *route = config_route(config, tally->route, NULL);
    for (size_t i = 0; route && i < route->variant_count; i++)
        if (strcmp(route->variants[i].name, tally->variant) == 0)
            return true;
    return false;
}

void scores_write(const struct scores *scores, const struct config *config, struct strbuf *out) {
    exposition_family(out, FAMILY_SCORE);
    for (size_t i = 0; i < scores->count; i++) {
        const struct tally *tally = &scores->tallies[i];
        struct label labels[] = {
            {"route", tally->route}, {"variant", tally->variant}, {"metric", tally->metric}};
        if (configured(config, tally))
            exposition_summary(out, FAMILY_SCORE, labels, 3, tally->sum, tally->count);
    }
}
