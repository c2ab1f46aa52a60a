#include "scores.h"

#include "base/mem.h"
#include "metrics/exposition.h"

#include <string.h>

static const char other[] = "other";

struct posted {
    char *route, *variant, *metric; // owned
    double sum;
    uint64_t count;
};
struct scores {
    struct posted *posted;
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
        mem_free(scores->posted[i].route);
        mem_free(scores->posted[i].variant);
        mem_free(scores->posted[i].metric);
    }
    mem_free(scores->posted);
    mem_free(scores);
}

static struct posted *find(const struct scores *scores, const char *route, const char *variant,
                           const char *metric) {
    for (size_t i = 0; i < scores->count; i++) {
        struct posted *posted = &scores->posted[i];
        if (strcmp(posted->metric, metric) == 0 && strcmp(posted->variant, variant) == 0 &&
            strcmp(posted->route, route) == 0)
            return posted;
    }
    return NULL;
}

static struct posted *make(struct scores *scores, const char *route, const char *variant,
                           const char *metric) {
    if (scores->count == scores->room) {
        scores->room = scores->room ? 2 * scores->room : 16;
        scores->posted = mem_resize(scores->posted, scores->room * sizeof *scores->posted);
    }
    struct posted *posted = &scores->posted[scores->count++];
    *posted =
        (struct posted){mem_copy_string(route), mem_copy_string(variant), mem_copy_string(metric), 0, 0};
    return posted;
}

void scores_add(struct scores *scores, const char *route, const char *variant, const char *metric,
                double score) {
    struct posted *posted = find(scores, route, variant, metric);
    if (!posted && scores->count >= scores->most) {
        metric = other; // one more for each variant: those are bounded by the configuration
        posted = find(scores, route, variant, metric);
    }
    if (!posted)
        posted = make(scores, route, variant, metric);
    posted->sum += score;
    posted->count++;
}

void scores_read(const struct scores *scores, const char *route, const char *variant, const char *metric,
                 double *sum, uint64_t *count) {
    const struct posted *posted = find(scores, route, variant, metric);
    *sum = posted ? posted->sum : 0;
    *count = posted ? posted->count : 0;
}

static bool configured(const struct config *config, const struct posted *posted) {
    const struct route_config *route = config_route(config, posted->route, NULL);
    for (size_t i = 0; route && i < route->variant_count; i++)
        if (strcmp(route->variants[i].name, posted->variant) == 0)
            return true;
    return false;
}

void scores_write(const struct scores *scores, const struct config *config, struct exposition *out) {
    exposition_family(out, FAMILY_SCORE);
    for (size_t i = 0; i < scores->count; i++) {
        const struct posted *posted = &scores->posted[i];
        struct label labels[] = {
            {"route", posted->route}, {"variant", posted->variant}, {"metric", posted->metric}};
        if (configured(config, posted))
            exposition_summary(out, FAMILY_SCORE, labels, 3, posted->sum, posted->count);
    }
}
