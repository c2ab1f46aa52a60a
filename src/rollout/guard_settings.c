// What a rollout judges, read from its configuration.
#include "rollout/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *guard_role_name(enum guard_role role) {
    static const char *const names[] = {"guard", "signal", "limit"};
    must((unsigned)role < sizeof names / sizeof *names);
    return names[role];
}

const char *guard_unit(const struct guard_settings *settings) {
    switch (settings->kind) {
    case GUARD_MEAN:
        return settings->mean == MEAN_COST ? "dollars" : "per_second";
    case GUARD_SCORE:
        return "score";
    case GUARD_EXTERNAL:
        return "value";
    default:
        return "share";
    }
}

static bool ends_in_quantile(const char *name, const char *stem, double *quantile) {
    size_t len = strlen(stem);
    if (strncmp(name, stem, len) != 0)
        return false;
    *quantile = strtod(name + len, NULL) / 100;
    return *quantile > 0;
}

void guard_read_metric(const char *name, struct guard_settings *settings) {
    *settings = (struct guard_settings){0};
    settings->name = name;
    settings->limit = NAN;
    if (strcmp(name, "error_rate") == 0) {
        settings->kind = GUARD_ERROR_RATE;
    } else if (ends_in_quantile(name, "latency_p", &settings->quantile)) {
        settings->kind = GUARD_LATENCY;
    } else if (ends_in_quantile(name, "ttft_p", &settings->quantile)) {
        settings->kind = GUARD_LATENCY;
        settings->first_byte = true;
    } else if (strcmp(name, "cost_per_request") == 0) {
        settings->kind = GUARD_MEAN;
        settings->mean = MEAN_COST;
    } else if (strcmp(name, "tokens_per_second") == 0) {
        settings->kind = GUARD_MEAN;
        settings->mean = MEAN_TOKENS_PER_SECOND;
        settings->less_is_worse = true;
    } else { // quality, or any other score
        settings->kind = GUARD_SCORE;
        settings->less_is_worse = true;
    }
}

static bool in_dry_run(const struct rollout_config *config, const char *name) {
    for (size_t i = 0; i < config->dry_run.count; i++)
        if (strcmp(config->dry_run.items[i], name) == 0 || strcmp(config->dry_run.items[i], "all") == 0)
            return true;
    return false;
}

static void read_guards(const struct rollout_config *config, const struct guard_config *guards, size_t count,
                        enum guard_role role, struct guard_settings *settings, unsigned *read) {
    for (size_t i = 0; i < count && *read < GUARDS_MOST; i++) {
        struct guard_settings *made = &settings[(*read)++];
        guard_read_metric(guards[i].name, made);
        made->role = role;
        made->margin = guards[i].margin;
        made->dry_run = in_dry_run(config, guards[i].name);
        if (guards[i].prometheus) {
            made->kind = GUARD_EXTERNAL;
            made->limit = guards[i].max;
        }
    }
}

unsigned guards_read(const struct rollout_config *config, struct guard_settings *settings,
                     uint32_t *first_byte) {
    unsigned count = 0, slot = 0;
    memset(settings, 0, GUARDS_MOST * sizeof *settings);
    read_guards(config, config->guards, config->guard_count, GUARD_GUARD, settings, &count);
    read_guards(config, config->signals, config->signal_count, GUARD_SIGNAL, settings, &count);
    for (size_t i = 0; i < config->limit_count && count < GUARDS_MOST; i++) {
        struct guard_settings *made = &settings[count++];
        guard_read_metric(config->limits[i].name, made);
        made->role = GUARD_LIMIT;
        made->limit = config->limits[i].amount;
        made->dry_run = in_dry_run(config, "all");
    }
    *first_byte = 0;
    for (unsigned i = 0; i < count; i++) {
        if (settings[i].kind != GUARD_LATENCY)
            continue;
        settings[i].slot = slot;
        if (settings[i].first_byte)
            *first_byte |= 1u << slot;
        slot++;
    }
    must(slot <= EXPERIMENT_SLOTS); // the configuration was checked
    return count;
}
