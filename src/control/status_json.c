#include "status_json.h"

#include "base/clock.h"
#include "membership.h"
#include "reload.h"
#include "rollouts.h"
#include "upstream/back_off.h"

#include <unistd.h>

static void emit_time(struct emit *emit, uint64_t wall_ms) {
    char text[CLOCK_ISO_BYTES];
    if (wall_ms == 0) {
        emit_null(emit);
        return;
    }
    clock_iso(wall_ms, text);
    emit_text(emit, text);
}

static void emit_ranges(struct emit *emit, const struct split *split, size_t variant) {
    emit_array(emit_name(emit, "range"));
    for (unsigned i = 0; i < split->range_count; i++) {
        const struct split_range *range = &split->ranges[i];
        if (range->variant != variant)
            continue;
        emit_array(emit);
        emit_u64(emit, range->first);
        emit_u64(emit, range->end);
        emit_end(emit, ']');
    }
    emit_end(emit, ']');
}

static void emit_percentiles(struct emit *emit, double p50, double p95, double p99) {
    emit_object(emit);
    emit_number(emit_name(emit, "p50"), p50, 3);
    emit_number(emit_name(emit, "p95"), p95, 3);
    emit_number(emit_name(emit, "p99"), p99, 3);
    emit_end(emit, '}');
}

struct counts { // of one series, summed over its lanes, without the histograms
    uint64_t requests, errors, overloaded, rate_limited, codes[CODE_CLASSES];
};

static struct counts count(const struct variant_series *series) {
    struct counts counts = {0};
    for (unsigned i = 0; i < series->lane_count; i++) {
        const struct variant_lane *lane = series->lanes[i];
        for (int code = 0; code < CODE_CLASSES; code++)
            counts.codes[code] += counter_read(&lane->requests[code]);
        for (int reason = ERROR_REASON_NONE + 1; reason < ERROR_REASONS; reason++)
            counts.errors += counter_read(&lane->errors[reason]);
        counts.overloaded += counter_read(&lane->errors[ERROR_REASON_OVERLOADED]);
        counts.rate_limited += counter_read(&lane->rate_limited);
    }
    for (int code = 0; code < CODE_CLASSES; code++)
        counts.requests += counts.codes[code];
    counts.errors -= counts.overloaded; // the proxy's own refusals are not the variant's errors
    return counts;
}

static void emit_measured(const struct control *control, const struct variant_series *series,
                          struct emit *emit) {
    struct counts counts = count(series);
    emit_u64(emit_name(emit, "requests"), counts.requests);
    emit_u64(emit_name(emit, "errors"), counts.errors);
    emit_u64(emit_name(emit, "overloaded"), counts.overloaded);
    emit_u64(emit_name(emit, "rate_limited"), counts.rate_limited);
    emit_object(emit_name(emit, "codes"));
    for (int code = 0; code < CODE_CLASSES; code++)
        emit_u64(emit_name(emit, code_class_name((enum code_class)code)), counts.codes[code]);
    emit_end(emit, '}');
    struct rates_view view;
    rates_read(control->rates, series, clock_monotonic_ns(), &view);
    emit_number(emit_name(emit, "per_second"), view.per_second, 2);
    emit_percentiles(emit_name(emit, "latency_ms"), view.duration_p50, view.duration_p95, view.duration_p99);
    emit_percentiles(emit_name(emit, "ttft_ms"), view.first_token_p50, view.first_token_p95,
                     view.first_token_p99);
}

static void emit_variant(const struct control *control, const struct plan_route *route, size_t index,
                         struct emit *emit) {
    const struct variant_config *variant = &route->live.config->variants[index];
    emit_object(emit);
    emit_text(emit_name(emit, "name"), variant->name);
    emit_text(emit_name(emit, "version"), variant->version);
    emit_text(emit_name(emit, "pool"), variant->pool);
    emit_bool(emit_name(emit, "baseline"), index == route->live.config->baseline);
    emit_percent(emit_name(emit, "weight"), live_split(&route->live)->weight[index]);
    emit_ranges(emit, live_split(&route->live), index);
    emit_measured(control, route->variants[index].series, emit);
    emit_end(emit, '}');
}

static void emit_route(const struct control *control, size_t index, struct emit *emit) {
    const struct plan_route *route = &publisher_plan(control->publisher)->routes[index];
    const struct route_config *config = route->live.config;
    emit_object(emit);
    emit_text(emit_name(emit, "name"), config->name);
    emit_text(emit_name(emit, "salt"), config->sticky.salt);
    emit_text(emit_name(emit, "experiment"), config->experiment);
    emit_text(emit_name(emit, "weights_from"), rollouts_rules(control->rollouts, index)          ? "rollout"
                                               : publisher_by_command(control->publisher, index) ? "command"
                                                                                                 : "file");
    emit_text(emit_name(emit, "fallback"), config->fallback);
    rollouts_emit(control->rollouts, index, emit_name(emit, "rollout"));
    emit_array(emit_name(emit, "variants"));
    for (size_t i = 0; i < config->variant_count; i++)
        emit_variant(control, route, i, emit);
    emit_end(emit, ']');
    emit_end(emit, '}');
}

// Of several reasons the one that a person should know first.
static const char *state_name(const struct endpoint *endpoint) {
    unsigned states = atomic_load_explicit(&endpoint->states, memory_order_relaxed);
    if (states & ENDPOINT_DRAINED)
        return "drained";
    if (states & ENDPOINT_UPDATING)
        return "updating";
    if (states & ENDPOINT_UNHEALTHY)
        return "unhealthy";
    return states & ENDPOINT_EJECTED ? "ejected" : "ready";
}

static void emit_back_off(const struct endpoint *endpoint, bool spared, struct emit *emit) {
    int64_t left_ms = spared ? back_off_left(endpoint, clock_monotonic_ns()) : 0;
    emit_name(emit, "back_off");
    if (left_ms == 0) {
        emit_null(emit);
        return;
    }
    emit_object(emit);
    emit_number(emit_name(emit, "for_seconds"), (double)left_ms / 1000, 3);
    emit_time(emit_name(emit, "until"), clock_wall_ms() + (uint64_t)left_ms);
    emit_end(emit, '}');
}

static void emit_endpoint(const struct endpoint *endpoint, const struct pool_config *config,
                          struct emit *emit) {
    bool checked = config->health != NULL;
    emit_object(emit);
    emit_text(emit_name(emit, "url"), endpoint->url);
    emit_text(emit_name(emit, "state"), state_name(endpoint));
    emit_u64(emit_name(emit, "weight"), endpoint->weight);
    emit_u64(emit_name(emit, "inflight"), atomic_load_explicit(&endpoint->inflight, memory_order_relaxed));
    emit_array(emit_name(emit, "addresses"));
    for (unsigned i = 0; i < endpoint->addresses->count; i++) {
        char text[ADDRESS_TEXT];
        address_text(&endpoint->addresses->items[i], text);
        emit_text(emit, text);
    }
    emit_end(emit, ']');
    emit_back_off(endpoint, config->back_off > 0, emit);
    emit_name(emit, "last_check");
    if (checked && endpoint->last_check_ms) {
        emit_object(emit);
        emit_time(emit_name(emit, "at"), endpoint->last_check_ms);
        emit_text(emit_name(emit, "result"), endpoint->last_check);
        emit_end(emit, '}');
    } else {
        emit_null(emit);
    }
    emit_end(emit, '}');
}

static void emit_pool(const struct pool *pool, const struct pool_config *config, struct emit *emit) {
    static const char *const balances[] = {"least_inflight", "round_robin", "unit_hash"};
    emit_object(emit);
    emit_text(emit_name(emit, "name"), pool->name);
    emit_text(emit_name(emit, "balance"), balances[config->balance]);
    emit_u64(emit_name(emit, "waiting"), atomic_load_explicit(&pool->waiting, memory_order_relaxed));
    emit_array(emit_name(emit, "endpoints"));
    for (size_t i = 0; i < pool->endpoint_count; i++)
        emit_endpoint(pool->endpoints[i], config, emit);
    emit_end(emit, ']');
    emit_end(emit, '}');
}

static void emit_last_reload(const struct outcome *last, struct emit *emit) {
    emit_name(emit, "last_reload");
    if (last->at_ms == 0) {
        emit_null(emit);
        return;
    }
    emit_object(emit);
    emit_text(emit_name(emit, "result"), last->success ? "success" : "failure");
    emit_time(emit_name(emit, "at"), last->at_ms);
    outcome_emit_mistakes(last, emit_name(emit, "diagnostics"));
    outcome_emit_warnings(last, emit_name(emit, "warnings"));
    emit_end(emit, '}');
}

static void emit_daemon(const struct control *control, struct emit *emit) {
    emit_text(emit_name(emit, "version"), control->options->version);
    emit_text(emit_name(emit, "revision"), control->options->revision);
    emit_u64(emit_name(emit, "pid"), (uint64_t)getpid());
    emit_time(emit_name(emit, "started"), control->started_ms);
    emit_number(emit_name(emit, "uptime_seconds"),
                (double)(clock_monotonic_ns() - control->started_ns) / (double)NS_PER_S, 1);
    emit_bool(emit_name(emit, "draining"), control->draining);
    emit_object(emit_name(emit, "config"));
    emit_text(emit_name(emit, "file"), control->config->path);
    emit_time(emit_name(emit, "loaded"), control->loaded_ms);
    emit_u64(emit_name(emit, "plan"), publisher_plan(control->publisher)->number);
    emit_last_reload(reloader_last(control->reloader), emit);
    emit_end(emit, '}');
    emit_u64(emit_name(emit, "workers"), control->workers);
    emit_u64(emit_name(emit, "connections"), data_plane_connections(control->plane));
}

void status_write(const struct control *control, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_daemon(control, &emit);
    emit_array(emit_name(&emit, "listeners"));
    for (size_t i = 0; i < data_plane_listener_count(control->plane); i++) {
        char text[ADDRESS_TEXT];
        data_plane_listener_text(control->plane, i, text);
        emit_object(&emit);
        emit_text(emit_name(&emit, "address"), text);
        emit_end(&emit, '}');
    }
    emit_end(&emit, ']');
    emit_array(emit_name(&emit, "routes"));
    for (size_t i = 0; i < control->config->route_count; i++)
        emit_route(control, i, &emit);
    emit_end(&emit, ']');
    emit_array(emit_name(&emit, "pools"));
    for (size_t i = 0; i < control->config->pool_count; i++)
        emit_pool(directory_pool(control->directory, i), &control->config->pools[i], &emit);
    emit_end(&emit, ']');
    membership_emit(control->membership, emit_name(&emit, "fleet"));
    emit_end(&emit, '}');
    strbuf_char(out, '\n');
}

void status_write_route(const struct control *control, size_t route, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_route(control, route, &emit);
    strbuf_char(out, '\n');
}

void status_write_history(const struct control *control, size_t route, uint32_t since, struct strbuf *out) {
    const struct plan_route *running = &publisher_plan(control->publisher)->routes[route];
    const struct route_config *config = running->live.config;
    const struct history **histories = mem_zero(config->variant_count, sizeof *histories);
    const char **names = mem_zero(config->variant_count, sizeof *names);
    for (size_t i = 0; i < config->variant_count; i++) {
        histories[i] = rates_history(control->rates, running->variants[i].series);
        names[i] = config->variants[i].name;
    }
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), config->name);
    emit_u64(emit_name(&emit, "seconds"), RATES_SLOT_SECONDS);
    history_emit(histories, names, config->variant_count, since, &emit);
    emit_end(&emit, '}');
    strbuf_char(out, '\n');
    mem_free(histories);
    mem_free(names);
}
