// rollout: the plan of a route's controller as the file gives it; checked with the rest of the configuration.
#pragma once
#include "config/config.h"

enum rollout_strategy { ROLLOUT_CANARY, ROLLOUT_BLUE_GREEN, ROLLOUT_ROLLING, ROLLOUT_AB };
enum rollout_start { ROLLOUT_START_AUTO, ROLLOUT_START_MANUAL };
enum inconclusive { INCONCLUSIVE_HOLD, INCONCLUSIVE_PROMOTE, INCONCLUSIVE_ROLLBACK };
enum goal_direction { GOAL_UP, GOAL_DOWN };
enum on_winner { ON_WINNER_PROMOTE, ON_WINNER_HOLD };

struct smoke_test_config {
    struct place place;
    struct probe_request_config request;
    struct probe_expect_config expect;
};
struct evaluation_config {
    struct place place;
    const char *file, *json; // JSON pointer
    double min;              // NAN: none
    const char *baseline;    // the same of the baseline; NULL: not compared
    double margin;           // how much less than the baseline's is still enough
};
struct before_config {
    struct smoke_test_config *smoke_tests;
    size_t smoke_test_count;
    struct evaluation_config *evaluation;
};
struct step_config {
    struct place place;
    int64_t weight; // basis points; -1: a manual pause
    bool pause;     // manual
    int64_t duration, min_requests;
};
struct prometheus_config {
    struct place place;
    const char *url, *query;
};
struct guard_config { // also a signal
    struct place place;
    const char *name; // the metric
    double margin;
    struct prometheus_config *prometheus; // NULL: one of our own metrics
    double max;                           // NAN: none
};
struct hooks_config {
    const char *before_step, *on_promote, *on_rollback;
};
enum notify_format { NOTIFY_JSON, NOTIFY_SLACK };
struct notify_config {
    struct place place;
    const char *url;
    enum notify_format format;
};
struct goal_config {
    struct place place;
    const char *metric;
    enum goal_direction direction;
    double margin;
};
struct absolute_config { // absolute limits by metric
    struct place place;
    const char *name, *value;
    double amount; // a share 0..1 of error_rate, microseconds of a latency
};

#define ROLLOUT_TIMES      8 // latencies that one rollout may judge
#define ROLLOUT_STEPS_MOST 64
#define ROLLOUT_METRICS    32 // guards, signals and limits together

struct rollout_config {
    struct place place;
    enum rollout_strategy strategy;
    const char *baseline, *candidate; // settled: never NULL when the strategy has them
    size_t candidate_index;           // in the route's variants; rolling: the only one
    int64_t horizon;                  // ms: how long after its start a request may still become an error
    enum rollout_start start, switch_over;
    struct before_config before;
    struct step_config *steps;
    size_t step_count;
    struct guard_config *guards, *signals;
    size_t guard_count, signal_count;
    struct string_list dry_run; // one item "all": a whole rehearsal
    bool control;
    double confidence; // percent
    struct absolute_config *limits;
    size_t limit_count;
    enum inconclusive inconclusive;
    int64_t step_timeout;
    int64_t rollback_over; // ms; 0: instant
    int64_t keep_warm, watch;
    struct hooks_config hooks;
    struct notify_config *notify;
    size_t notify_count;
    int64_t batch;            // rolling
    const char *update;       // rolling: the webhook
    struct goal_config *goal; // ab
    int64_t max_duration;
    enum on_winner on_winner;
};
