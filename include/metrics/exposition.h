// exposition: what is scraped: Prometheus text format 0.0.4, or OpenMetrics text 1.0, which has exemplars.
// Pure. Families are declared once in one table (name, type, help)
// that the documentation is generated from too; a family's samples are written together.
#pragma once
#include "base/strbuf.h"
#include "metrics/registry.h"
#include <stdbool.h>

enum family {
    FAMILY_REQUESTS,
    FAMILY_REQUEST_ERRORS,
    FAMILY_REQUEST_DURATION,
    FAMILY_FIRST_BYTE,
    FAMILY_FIRST_TOKEN,
    FAMILY_GAP,
    FAMILY_LONGEST_GAP,
    FAMILY_FINISHES,
    FAMILY_REQUEST_BYTES,
    FAMILY_RESPONSE_BYTES,
    FAMILY_TOKENS,
    FAMILY_COST,
    FAMILY_SCORE,
    FAMILY_VARIANT_WEIGHT,
    FAMILY_VARIANT_INFO,
    FAMILY_ENDPOINT_UP,
    FAMILY_ENDPOINT_INFLIGHT,
    FAMILY_ENDPOINT_BACKING_OFF,
    FAMILY_ENDPOINT_ADDRESSES,
    FAMILY_RESOLVE_FAILURES,
    FAMILY_RETRIES,
    FAMILY_FALLBACKS,
    FAMILY_MIRRORED,
    FAMILY_MIRROR_DROPPED,
    FAMILY_RATE_LIMITED,
    FAMILY_TASKS,
    FAMILY_TASK_REQUESTS,
    FAMILY_ROLLOUT_STATE,
    FAMILY_ROLLOUT_HOLD,
    FAMILY_ROLLOUT_STEP,
    FAMILY_FLEET_ROLE,
    FAMILY_FLEET_MEMBERS,
    FAMILY_FLEET_LEASE,
    FAMILY_FLEET_WATCH_AGE,
    FAMILY_FLEET_LEADERSHIPS,
    FAMILY_FLEET_REJOINS,
    FAMILY_FLEET_WRITES_REFUSED,
    FAMILY_FLEET_REVISION,
    FAMILY_FLEET_LAG,
    FAMILY_FLEET_EVIDENCE,
    FAMILY_FLEET_EVIDENCE_RATIO,
    FAMILY_FLEET_EVIDENCE_AGE,
    FAMILY_JOURNAL_FAILING,
    FAMILY_DECISIONS,
    FAMILY_GUARD_EVIDENCE,
    FAMILY_EVIDENCE_NEEDED,
    FAMILY_NOTIFICATIONS,
    FAMILY_SPANS,
    FAMILY_CLIENT_CONNECTIONS,
    FAMILY_CONNECTIONS_LIMIT,
    FAMILY_REQUESTS_INFLIGHT,
    FAMILY_REQUEST_MEMORY,
    FAMILY_REQUEST_MEMORY_LIMIT,
    FAMILY_REJECTED, // sluice_rejected_requests_total{reason}: refused before a route was chosen
    FAMILY_ACCESS_LOG_DROPPED,
    FAMILY_LOG_LOST,
    FAMILY_RELOADS,
    FAMILY_UPGRADES,
    FAMILY_LAST_RELOAD,
    FAMILY_CONFIG_LOADED,
    FAMILY_PLAN_ADOPTION,
    FAMILY_CERTIFICATE_EXPIRY,
    FAMILY_ADMIN_DENIED,
    FAMILY_BUILD_INFO,
    FAMILY_PROCESS_CPU,
    FAMILY_PROCESS_RESIDENT,
    FAMILY_PROCESS_OPEN_FDS,
    FAMILY_PROCESS_MAX_FDS,
    FAMILY_PROCESS_START,
    FAMILY_PROCESS_THREADS,
    FAMILIES
};

struct label {
    const char *name, *value; // value is escaped by the writer
};

struct exposition { // owner: the caller; zeroed is empty, in Prometheus text
    struct strbuf text;
    bool openmetrics;
};
// Which format a scraper's Accept asks for (RFC 9110 12.5.1): OpenMetrics when it wants that at least as much
// as text; NULL: it does not say.
bool exposition_wants_openmetrics(const char *accept);
const char *exposition_content_type(const struct exposition *out);
void exposition_end(struct exposition *out); // after the last family

void exposition_family(struct exposition *out, enum family family); // "# HELP …\n# TYPE …\n"
void exposition_u64(struct exposition *out, enum family family, const struct label *labels,
                    size_t label_count, uint64_t value);
void exposition_double(struct exposition *out, enum family family, const struct label *labels,
                       size_t label_count, double value);
// A summary without quantiles: NAME_sum and NAME_count.
void exposition_summary(struct exposition *out, enum family family, const struct label *labels,
                        size_t label_count, double sum, uint64_t count);
// All families that variants' lanes hold, for every series of the registry, summed over lanes.
void exposition_variants(struct exposition *out, struct registry *registry);
// The table as Markdown, for docs/metrics.md.
void exposition_reference(struct strbuf *out);
