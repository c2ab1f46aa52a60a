#include "metrics_page.h"

#include "base/clock.h"
#include "base/log.h"
#include "denials.h"
#include "membership.h"
#include "metrics/exposition.h"
#include "process.h"
#include "reload.h"
#include "rollouts.h"
#include "scores.h"
#include "span_exporter.h"
#include "task_journal.h"
#include "upgrade.h"
#include "upstream/back_off.h"

#include <string.h>

static void write_weights(const struct control *control, struct exposition *out) {
    const struct plan *plan = publisher_plan(control->publisher);
    exposition_family(out, FAMILY_VARIANT_WEIGHT);
    for (size_t i = 0; i < plan->config->route_count; i++) {
        const struct route_config *route = &plan->config->routes[i];
        for (size_t k = 0; k < route->variant_count; k++) {
            struct label labels[] = {{"route", route->name}, {"variant", route->variants[k].name}};
            exposition_double(out, FAMILY_VARIANT_WEIGHT, labels, 2,
                              live_split(&plan->routes[i].live)->weight[k] / 100.0);
        }
    }
}

static const char *role_of(const struct route_config *route, size_t variant) {
    const struct rollout_config *rollout = route->rollout;
    if (variant == route->baseline)
        return "baseline";
    bool all = rollout && rollout->strategy == ROLLOUT_AB && route->variants[variant].weight > 0;
    return all || (rollout && variant == rollout->candidate_index) ? "candidate" : "other";
}

static void write_variants(const struct control *control, struct exposition *out) {
    exposition_family(out, FAMILY_VARIANT_INFO);
    for (size_t i = 0; i < control->config->route_count; i++) {
        const struct route_config *route = &control->config->routes[i];
        for (size_t k = 0; k < route->variant_count; k++) {
            const struct variant_config *variant = &route->variants[k];
            struct label labels[] = {{"route", route->name},
                                     {"variant", variant->name},
                                     {"pool", control->config->pools[variant->pool_index].name},
                                     {"version", variant->version ? variant->version : ""},
                                     {"role", role_of(route, k)}};
            exposition_u64(out, FAMILY_VARIANT_INFO, labels, 5, 1);
        }
    }
}

static void write_states(const struct rollout_metrics *rollout, const char *route, struct exposition *out) {
    for (int state = 0; state < ROLLOUT_STATES; state++) {
        struct label labels[] = {{"route", route}, {"state", rollout_state_name((enum rollout_state)state)}};
        exposition_u64(out, FAMILY_ROLLOUT_STATE, labels, 2, rollout->state == (enum rollout_state)state);
    }
}

static void write_holds(const struct rollout_metrics *rollout, const char *route, struct exposition *out) {
    for (int hold = 0; hold < ROLLOUT_HOLDS; hold++) {
        struct label labels[] = {{"route", route}, {"hold", rollout_hold_name((enum rollout_hold)hold)}};
        exposition_u64(out, FAMILY_ROLLOUT_HOLD, labels, 2, rollout->hold == (enum rollout_hold)hold);
    }
}

static void write_step(const struct rollout_metrics *rollout, const char *route, struct exposition *out) {
    exposition_u64(out, FAMILY_ROLLOUT_STEP, &(struct label){"route", route}, 1, rollout->step + 1);
}

static void write_journal(const struct rollout_metrics *rollout, const char *route, struct exposition *out) {
    exposition_u64(out, FAMILY_JOURNAL_FAILING, &(struct label){"route", route}, 1, rollout->journal_failing);
}

static void write_needed(const struct rollout_metrics *rollout, const char *route, struct exposition *out) {
    exposition_double(out, FAMILY_EVIDENCE_NEEDED, &(struct label){"route", route}, 1,
                      rollout->evidence_needed);
}

static void write_decisions(const struct rollout_metrics *rollout, const char *route,
                            struct exposition *out) {
    for (int action = DECISION_NONE + 1; action < DECISION_ACTIONS; action++) {
        struct label labels[] = {{"route", route},
                                 {"action", decision_action_name((enum decision_action)action)}};
        exposition_u64(out, FAMILY_DECISIONS, labels, 2, rollout->decisions[action]);
    }
}

static void write_rollouts(const struct control *control, enum family family,
                           void (*write)(const struct rollout_metrics *rollout, const char *route,
                                         struct exposition *out),
                           struct exposition *out) {
    struct rollout_metrics rollout;
    exposition_family(out, family);
    for (size_t i = 0; i < control->config->route_count; i++)
        if (rollouts_metrics(control->rollouts, i, &rollout))
            write(&rollout, control->config->routes[i].name, out);
}

// A signal and a limit may have the same metric as a guard: the first is shown, guards before the others.
static bool named_before(const struct control *control, size_t route, unsigned guard, const char *name) {
    const char *other;
    for (unsigned i = 0; i < guard; i++) {
        rollouts_evidence(control->rollouts, route, i, &other);
        if (strcmp(other, name) == 0)
            return true;
    }
    return false;
}

static void write_evidence(const struct control *control, struct exposition *out) {
    struct rollout_metrics rollout;
    exposition_family(out, FAMILY_GUARD_EVIDENCE);
    for (size_t i = 0; i < control->config->route_count; i++) {
        if (!rollouts_metrics(control->rollouts, i, &rollout))
            continue;
        for (unsigned k = 0; k < rollout.guard_count; k++) {
            const char *name;
            double evidence = rollouts_evidence(control->rollouts, i, k, &name);
            struct label labels[] = {{"route", control->config->routes[i].name}, {"guard", name}};
            if (!named_before(control, i, k, name))
                exposition_double(out, FAMILY_GUARD_EVIDENCE, labels, 2, evidence);
        }
    }
}

static void write_notifications(const struct control *control, struct exposition *out) {
    struct notifier_counts counts = rollouts_notifications(control->rollouts);
    exposition_family(out, FAMILY_NOTIFICATIONS);
    exposition_u64(out, FAMILY_NOTIFICATIONS, &(struct label){"result", "delivered"}, 1, counts.delivered);
    exposition_u64(out, FAMILY_NOTIFICATIONS, &(struct label){"result", "failed"}, 1, counts.failed);
    exposition_u64(out, FAMILY_NOTIFICATIONS, &(struct label){"result", "dropped"}, 1, counts.dropped);
}

static void write_spans(const struct control *control, struct exposition *out) {
    struct span_counts counts = span_exporter_counts(control->spans);
    exposition_family(out, FAMILY_SPANS);
    exposition_u64(out, FAMILY_SPANS, &(struct label){"result", "exported"}, 1, counts.exported);
    exposition_u64(out, FAMILY_SPANS, &(struct label){"result", "failed"}, 1, counts.failed);
    exposition_u64(out, FAMILY_SPANS, &(struct label){"result", "dropped"}, 1,
                   data_plane_spans_dropped(control->plane));
}

static void write_endpoints(const struct control *control, enum family family,
                            uint64_t (*value)(const struct endpoint *endpoint), struct exposition *out) {
    exposition_family(out, family);
    for (size_t i = 0; i < directory_count(control->directory); i++) {
        const struct pool *pool = directory_pool(control->directory, i);
        for (size_t k = 0; k < pool->endpoint_count; k++) {
            struct label labels[] = {{"pool", pool->name}, {"endpoint", pool->endpoints[k]->url}};
            exposition_u64(out, family, labels, 2, value(pool->endpoints[k]));
        }
    }
}

static void write_backing_off(const struct control *control, struct exposition *out) {
    uint64_t now = clock_monotonic_ns();
    exposition_family(out, FAMILY_ENDPOINT_BACKING_OFF);
    for (size_t i = 0; i < directory_count(control->directory); i++) {
        const struct pool *pool = directory_pool(control->directory, i);
        bool spares = control->config->pools[i].back_off > 0;
        for (size_t k = 0; k < pool->endpoint_count; k++) {
            struct label labels[] = {{"pool", pool->name}, {"endpoint", pool->endpoints[k]->url}};
            exposition_u64(out, FAMILY_ENDPOINT_BACKING_OFF, labels, 2,
                           spares && back_off_left(pool->endpoints[k], now) > 0);
        }
    }
}

static uint64_t value_up(const struct endpoint *endpoint) {
    return endpoint_ready(endpoint);
}

static uint64_t value_inflight(const struct endpoint *endpoint) {
    return atomic_load_explicit(&endpoint->inflight, memory_order_relaxed);
}

static uint64_t value_addresses(const struct endpoint *endpoint) {
    return endpoint->addresses->count;
}

static uint64_t value_resolve_failures(const struct endpoint *endpoint) {
    return endpoint->resolve_failures;
}

static void write_rejected(const char *reason, uint64_t count, void *context) {
    struct label label = {"reason", reason};
    exposition_u64(context, FAMILY_REJECTED, &label, 1, count);
}

static void write_one(struct exposition *out, enum family family, uint64_t value) {
    exposition_family(out, family);
    exposition_u64(out, family, NULL, 0, value);
}

static void write_daemon(const struct control *control, struct exposition *out) {
    write_one(out, FAMILY_CLIENT_CONNECTIONS, data_plane_connections(control->plane));
    write_one(out, FAMILY_CONNECTIONS_LIMIT,
              data_plane_connections_limit(control->plane, control->config->limits.connections));
    write_one(out, FAMILY_REQUESTS_INFLIGHT, data_plane_requests(control->plane));
    write_one(out, FAMILY_REQUEST_MEMORY, data_plane_memory(control->plane));
    write_one(out, FAMILY_REQUEST_MEMORY_LIMIT, (uint64_t)control->config->limits.memory);
    exposition_family(out, FAMILY_REJECTED);
    data_plane_rejected(control->plane, write_rejected, out);
    write_one(out, FAMILY_ACCESS_LOG_DROPPED, data_plane_log_dropped(control->plane));
    write_one(out, FAMILY_LOG_LOST, log_lost());
    exposition_family(out, FAMILY_RELOADS);
    exposition_u64(out, FAMILY_RELOADS, &(struct label){"result", "success"}, 1,
                   reloader_count(control->reloader, true));
    exposition_u64(out, FAMILY_RELOADS, &(struct label){"result", "failure"}, 1,
                   reloader_count(control->reloader, false));
    exposition_family(out, FAMILY_UPGRADES);
    exposition_u64(out, FAMILY_UPGRADES, &(struct label){"result", "success"}, 1,
                   upgrade_count(control->upgrade, true));
    exposition_u64(out, FAMILY_UPGRADES, &(struct label){"result", "failure"}, 1,
                   upgrade_count(control->upgrade, false));
    write_one(out, FAMILY_LAST_RELOAD, !reloader_failed(control->reloader));
    exposition_family(out, FAMILY_CONFIG_LOADED);
    exposition_double(out, FAMILY_CONFIG_LOADED, NULL, 0, (double)control->loaded_ms / 1000);
    exposition_family(out, FAMILY_PLAN_ADOPTION);
    exposition_double(out, FAMILY_PLAN_ADOPTION, NULL, 0, publisher_adoption(control->publisher));
    certificates_write(&control->certificates, out);
    denials_write(control->denials, out);
    struct label build[] = {{"version", control->options->version}, {"revision", control->options->revision}};
    exposition_family(out, FAMILY_BUILD_INFO);
    exposition_u64(out, FAMILY_BUILD_INFO, build, 2, 1);
}

static void write_process(const struct control *control, struct exposition *out) {
    struct process_figures figures;
    process_read(&figures);
    exposition_family(out, FAMILY_PROCESS_CPU);
    exposition_double(out, FAMILY_PROCESS_CPU, NULL, 0, figures.cpu_seconds);
    write_one(out, FAMILY_PROCESS_RESIDENT, figures.resident_bytes);
    write_one(out, FAMILY_PROCESS_OPEN_FDS, figures.open_fds);
    write_one(out, FAMILY_PROCESS_MAX_FDS, figures.max_fds);
    exposition_family(out, FAMILY_PROCESS_START);
    exposition_double(out, FAMILY_PROCESS_START, NULL, 0, (double)control->started_ms / 1000);
    write_one(out, FAMILY_PROCESS_THREADS, figures.threads);
}

void metrics_page_write(const struct control *control, struct exposition *out) {
    exposition_variants(out, control->registry);
    scores_write(control->scores, control->config, out);
    write_weights(control, out);
    write_variants(control, out);
    task_journal_metrics(control->tasks, control->config, out);
    write_rollouts(control, FAMILY_ROLLOUT_STATE, write_states, out);
    write_rollouts(control, FAMILY_ROLLOUT_HOLD, write_holds, out);
    write_rollouts(control, FAMILY_ROLLOUT_STEP, write_step, out);
    write_rollouts(control, FAMILY_JOURNAL_FAILING, write_journal, out);
    write_rollouts(control, FAMILY_DECISIONS, write_decisions, out);
    write_evidence(control, out);
    write_rollouts(control, FAMILY_EVIDENCE_NEEDED, write_needed, out);
    write_notifications(control, out);
    write_spans(control, out);
    membership_metrics(control->membership, out);
    write_endpoints(control, FAMILY_ENDPOINT_UP, value_up, out);
    write_endpoints(control, FAMILY_ENDPOINT_INFLIGHT, value_inflight, out);
    write_backing_off(control, out);
    write_endpoints(control, FAMILY_ENDPOINT_ADDRESSES, value_addresses, out);
    write_endpoints(control, FAMILY_RESOLVE_FAILURES, value_resolve_failures, out);
    write_daemon(control, out);
    write_process(control, out);
    exposition_end(out);
}
