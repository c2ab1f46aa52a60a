// scrape: the families that variants' lanes hold. The lanes are summed once per scrape into small records
// (without the fine histograms, which are not exposed), then each family is written over all of them.
#include "metrics/exemplar.h"
#include "metrics/exposition.h"
#include "sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct record {
    const struct variant_series *series;
    const char *route, *variant;
    uint64_t requests[CODE_CLASSES];
    uint64_t errors[ERROR_REASONS];
    uint64_t retries[RETRY_REASONS];
    uint64_t fallbacks, rate_limited, request_bytes, response_bytes;
    uint64_t tokens[TOKEN_TYPES];
    double dollars;
    uint64_t finishes[FINISH_REASONS];
    uint64_t mirrored, mirror_dropped[MIRROR_DROPS];
    struct spread duration, first_byte, first_token, gap, longest_gap;
};

struct histogram_family {
    enum family family;
    size_t offset;                     // of its spread, in a record
    enum exemplar_histogram exemplars; // EXEMPLAR_HISTOGRAMS: it has none
};

struct scrape {
    struct record *records;
    size_t count, capacity;
};

static void add(uint64_t *total, const uint64_t *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        total[i] += counter_read(&from[i]);
}

static void add_spread(struct spread *total, const struct spread *from) {
    add(total->coarse, from->coarse, LATENCY_BOUNDS + 1);
    add(&total->sum_us, &from->sum_us, 1);
}

static void collect(const struct variant_series *series, void *context) {
    struct scrape *scrape = context;
    if (scrape->count == scrape->capacity) {
        scrape->capacity = scrape->capacity ? scrape->capacity * 2 : 16;
        scrape->records = mem_resize(scrape->records, scrape->capacity * sizeof(struct record));
    }
    struct record *record = &scrape->records[scrape->count++];
    *record = (struct record){.series = series, .route = series->route, .variant = series->variant};
    for (unsigned i = 0; i < series->lane_count; i++) {
        const struct variant_lane *lane = series->lanes[i];
        add(record->requests, lane->requests, CODE_CLASSES);
        add(record->errors, lane->errors, ERROR_REASONS);
        add(record->retries, lane->retries, RETRY_REASONS);
        add(&record->fallbacks, &lane->fallbacks, 1);
        add(&record->rate_limited, &lane->rate_limited, 1);
        add(&record->request_bytes, &lane->request_bytes, 1);
        add(&record->response_bytes, &lane->response_bytes, 1);
        add(record->tokens, lane->tokens, TOKEN_TYPES);
        record->dollars += variant_dollars(lane);
        add(&record->mirrored, &lane->mirrored, 1);
        add(record->mirror_dropped, lane->mirror_dropped, MIRROR_DROPS);
        add(record->finishes, lane->finishes, FINISH_REASONS);
        add_spread(&record->duration, &lane->duration.spread);
        add_spread(&record->first_byte, &lane->first_byte);
        add_spread(&record->first_token, &lane->first_token.spread);
        add_spread(&record->gap, &lane->gap);
        add_spread(&record->longest_gap, &lane->longest_gap);
    }
}

// Every class and reason is written, zero or not: a series that appears with its first error has no rate for
// it.
static void write_requests(struct exposition *out, const struct scrape *scrape) {
    exposition_family(out, FAMILY_REQUESTS);
    for (size_t i = 0; i < scrape->count; i++) {
        const struct record *record = &scrape->records[i];
        for (int code = 0; code < CODE_CLASSES; code++) {
            struct label labels[] = {{"route", record->route},
                                     {"variant", record->variant},
                                     {"code", code_class_name((enum code_class)code)}};
            exposition_u64(out, FAMILY_REQUESTS, labels, 3, record->requests[code]);
        }
    }
}

static void write_errors(struct exposition *out, const struct scrape *scrape) {
    exposition_family(out, FAMILY_REQUEST_ERRORS);
    for (size_t i = 0; i < scrape->count; i++) {
        const struct record *record = &scrape->records[i];
        for (int reason = ERROR_REASON_NONE + 1; reason < ERROR_REASONS; reason++) {
            struct label labels[] = {{"route", record->route},
                                     {"variant", record->variant},
                                     {"reason", error_reason_name((enum error_reason)reason)}};
            exposition_u64(out, FAMILY_REQUEST_ERRORS, labels, 3, record->errors[reason]);
        }
    }
}

static void write_tokens(struct exposition *out, const struct scrape *scrape) {
    exposition_family(out, FAMILY_TOKENS);
    for (size_t i = 0; i < scrape->count; i++) {
        const struct record *record = &scrape->records[i];
        for (int type = 0; type < TOKEN_TYPES; type++) {
            struct label labels[] = {{"route", record->route},
                                     {"variant", record->variant},
                                     {"type", token_type_name((enum token_type)type)}};
            exposition_u64(out, FAMILY_TOKENS, labels, 3, record->tokens[type]);
        }
    }
    exposition_family(out, FAMILY_COST);
    for (size_t i = 0; i < scrape->count; i++) {
        const struct record *record = &scrape->records[i];
        struct label labels[] = {{"route", record->route}, {"variant", record->variant}};
        exposition_double(out, FAMILY_COST, labels, 2, record->dollars);
    }
}

// Of all lanes.
static bool newest_exemplar(const struct record *record, enum exemplar_histogram histogram, unsigned bucket,
                            struct exemplar *newest) {
    *newest = (struct exemplar){.wall_ms = 0};
    if (histogram == EXEMPLAR_HISTOGRAMS)
        return false;
    for (unsigned i = 0; i < record->series->lane_count; i++) {
        const struct exemplars *exemplars =
            atomic_load_explicit(&record->series->exemplars[i], memory_order_acquire);
        struct exemplar exemplar;
        if (exemplars && exemplars_read(exemplars, histogram, bucket, &exemplar) &&
            exemplar.wall_ms > newest->wall_ms)
            *newest = exemplar;
    }
    return newest->wall_ms > 0;
}

// " # {trace_id=…,span_id=…} VALUE TIME" (OpenMetrics 1.0, "Exemplars").
static void write_exemplar(struct strbuf *out, const struct exemplar *exemplar) {
    strbuf_literal(out, " # {trace_id=\"");
    strbuf_append(out, exemplar->trace, TRACE_DIGITS_KEPT);
    strbuf_literal(out, "\",span_id=\"");
    strbuf_append(out, exemplar->span, SPAN_DIGITS_KEPT);
    strbuf_format(out, "\"} %" PRIu64 ".%06" PRIu64 " %" PRIu64 ".%03" PRIu64, exemplar->us / 1000000,
                  exemplar->us % 1000000, exemplar->wall_ms / 1000, exemplar->wall_ms % 1000);
}

// OpenMetrics wants a point in every number of a bound.
static void write_bound(const struct exposition *out, int i, char text[32]) {
    if (i == LATENCY_BOUNDS)
        memcpy(text, "+Inf", sizeof "+Inf");
    else
        snprintf(text, 32,
                 out->openmetrics && latency_bounds[i] >= 1 && latency_bounds[i] == (int)latency_bounds[i]
                     ? "%.1f"
                     : "%g",
                 latency_bounds[i]);
}

static void write_spread(struct exposition *out, const struct histogram_family *histogram,
                         const struct record *record) {
    const struct spread *spread = (const void *)((const char *)record + histogram->offset);
    char bound[32];
    struct label labels[] = {{"route", record->route}, {"variant", record->variant}, {"le", bound}};
    uint64_t count = 0;
    for (int i = 0; i <= LATENCY_BOUNDS; i++) {
        count += spread->coarse[i];
        write_bound(out, i, bound);
        sample_name(out, histogram->family, "_bucket", labels, 3);
        strbuf_u64(&out->text, count);
        struct exemplar exemplar;
        if (out->openmetrics && newest_exemplar(record, histogram->exemplars, (unsigned)i, &exemplar))
            write_exemplar(&out->text, &exemplar);
        strbuf_char(&out->text, '\n');
    }
    sample_name(out, histogram->family, "_sum", labels, 2);
    strbuf_format(&out->text, "%" PRIu64 ".%06" PRIu64 "\n", spread->sum_us / 1000000,
                  spread->sum_us % 1000000);
    sample_name(out, histogram->family, "_count", labels, 2);
    strbuf_u64(&out->text, count);
    strbuf_char(&out->text, '\n');
}

static void write_spreads(struct exposition *out, const struct scrape *scrape) {
    static const struct histogram_family histograms[] = {
        {FAMILY_REQUEST_DURATION, offsetof(struct record, duration), EXEMPLAR_DURATION},
        {FAMILY_FIRST_BYTE, offsetof(struct record, first_byte), EXEMPLAR_FIRST_BYTE},
        {FAMILY_FIRST_TOKEN, offsetof(struct record, first_token), EXEMPLAR_FIRST_TOKEN},
        {FAMILY_GAP, offsetof(struct record, gap), EXEMPLAR_HISTOGRAMS},
        {FAMILY_LONGEST_GAP, offsetof(struct record, longest_gap), EXEMPLAR_HISTOGRAMS},
    };
    for (size_t k = 0; k < sizeof histograms / sizeof *histograms; k++) {
        exposition_family(out, histograms[k].family);
        for (size_t i = 0; i < scrape->count; i++)
            write_spread(out, &histograms[k], &scrape->records[i]);
    }
}

static void write_finishes(struct exposition *out, const struct scrape *scrape) {
    exposition_family(out, FAMILY_FINISHES);
    for (size_t i = 0; i < scrape->count; i++) {
        const struct record *record = &scrape->records[i];
        for (int reason = FINISH_REASON_NONE + 1; reason < FINISH_REASONS; reason++) {
            struct label labels[] = {{"route", record->route},
                                     {"variant", record->variant},
                                     {"reason", finish_reason_name((enum finish_reason)reason)}};
            exposition_u64(out, FAMILY_FINISHES, labels, 3, record->finishes[reason]);
        }
    }
}

// One value for each variant; `name` is the label that holds the variant.
static void write_each(struct exposition *out, enum family family, const struct scrape *scrape,
                       const char *name, size_t offset) {
    exposition_family(out, family);
    for (size_t i = 0; i < scrape->count; i++) {
        const struct record *record = &scrape->records[i];
        struct label labels[] = {{"route", record->route}, {name, record->variant}};
        const uint64_t *value = (const uint64_t *)(const void *)((const char *)record + offset);
        exposition_u64(out, family, labels, 2, *value);
    }
}

static void write_mirrors(struct exposition *out, const struct scrape *scrape) {
    write_each(out, FAMILY_MIRRORED, scrape, "variant", offsetof(struct record, mirrored));
    exposition_family(out, FAMILY_MIRROR_DROPPED);
    for (size_t i = 0; i < scrape->count; i++) {
        const struct record *record = &scrape->records[i];
        for (int reason = 0; reason < MIRROR_DROPS; reason++) {
            struct label labels[] = {{"route", record->route},
                                     {"variant", record->variant},
                                     {"reason", mirror_drop_name((enum mirror_drop)reason)}};
            exposition_u64(out, FAMILY_MIRROR_DROPPED, labels, 3, record->mirror_dropped[reason]);
        }
    }
}

// By route only: the records are in order of route, so a route's variants stand together and are summed.
static void write_retries(struct exposition *out, const struct scrape *scrape) {
    exposition_family(out, FAMILY_RETRIES);
    for (size_t i = 0; i < scrape->count;) {
        const char *route = scrape->records[i].route;
        uint64_t total[RETRY_REASONS] = {0};
        for (; i < scrape->count && strcmp(scrape->records[i].route, route) == 0; i++)
            for (int reason = 0; reason < RETRY_REASONS; reason++)
                total[reason] += scrape->records[i].retries[reason];
        for (int reason = 0; reason < RETRY_REASONS; reason++) {
            struct label labels[] = {{"route", route},
                                     {"reason", retry_reason_name((enum retry_reason)reason)}};
            exposition_u64(out, FAMILY_RETRIES, labels, 2, total[reason]);
        }
    }
}

void exposition_variants(struct exposition *out, struct registry *registry) {
    struct scrape scrape = {0};
    registry_each(registry, collect, &scrape);
    if (scrape.count == 0)
        return;
    write_requests(out, &scrape);
    write_errors(out, &scrape);
    write_spreads(out, &scrape);
    write_finishes(out, &scrape);
    write_each(out, FAMILY_REQUEST_BYTES, &scrape, "variant", offsetof(struct record, request_bytes));
    write_each(out, FAMILY_RESPONSE_BYTES, &scrape, "variant", offsetof(struct record, response_bytes));
    write_tokens(out, &scrape);
    write_retries(out, &scrape);
    write_each(out, FAMILY_FALLBACKS, &scrape, "from", offsetof(struct record, fallbacks));
    write_mirrors(out, &scrape);
    write_each(out, FAMILY_RATE_LIMITED, &scrape, "variant", offsetof(struct record, rate_limited));
    mem_free(scrape.records);
}
