#include "family.h"

static const struct family_info families[FAMILIES] = {
    [FAMILY_REQUESTS] = {"sluice_requests_total", FAMILY_COUNTER, "route, variant, code",
                         "Requests answered, by class of the answer's status."},
    [FAMILY_REQUEST_ERRORS] = {"sluice_request_errors_total", FAMILY_COUNTER, "route, variant, reason",
                               "Requests that failed, by reason."},
    [FAMILY_REQUEST_DURATION] = {"sluice_request_duration_seconds", FAMILY_HISTOGRAM, "route, variant",
                                 "Time from the whole request head to the last byte of the answer."},
    [FAMILY_FIRST_BYTE] = {"sluice_time_to_first_byte_seconds", FAMILY_HISTOGRAM, "route, variant",
                           "Time from the whole request head to the first byte of the answer."},
    [FAMILY_FIRST_TOKEN] =
        {"sluice_time_to_first_token_seconds", FAMILY_HISTOGRAM, "route, variant",
         "Time from the whole request head to the first event with content of a stream; of other answers to "
         "the first byte of the body."},
    [FAMILY_GAP] = {"sluice_inter_token_seconds", FAMILY_HISTOGRAM, "route, variant",
                    "Mean time between the events with content of a stream: one value for each stream."},
    [FAMILY_LONGEST_GAP] = {"sluice_inter_token_longest_seconds", FAMILY_HISTOGRAM, "route, variant",
                            "Longest time between two of them: one value for each stream."},
    [FAMILY_FINISHES] = {"sluice_finish_reasons_total", FAMILY_COUNTER, "route, variant, reason",
                         "Answers by what they said of why the model stopped."},
    [FAMILY_REQUEST_BYTES] = {"sluice_request_bytes_total", FAMILY_COUNTER, "route, variant",
                              "Bytes of request bodies received from clients."},
    [FAMILY_RESPONSE_BYTES] = {"sluice_response_bytes_total", FAMILY_COUNTER, "route, variant",
                               "Bytes of response bodies sent to clients."},
    [FAMILY_TOKENS] =
        {"sluice_tokens_total", FAMILY_COUNTER, "route, variant, type",
         "Tokens that the variant's answers said they took, by type: `prompt` or `completion`."},
    [FAMILY_COST] = {"sluice_cost_dollars_total", FAMILY_COUNTER, "route, variant",
                     "What those tokens cost by the variant's `price`; 0 without one."},
    [FAMILY_SCORE] = {"sluice_score", FAMILY_SUMMARY, "route, variant, metric",
                      "Scores of answers posted as feedback, from 0 to 1: their sum and count."},
    [FAMILY_VARIANT_WEIGHT] = {"sluice_variant_weight", FAMILY_GAUGE, "route, variant",
                               "Share of the route's units that the variant gets now, in percent."},
    [FAMILY_ENDPOINT_UP] =
        {"sluice_endpoint_up", FAMILY_GAUGE, "pool, endpoint",
         "Whether the endpoint may get requests: 1 when it is healthy, neither ejected nor "
         "drained, else 0."},
    [FAMILY_ENDPOINT_INFLIGHT] = {"sluice_endpoint_inflight", FAMILY_GAUGE, "pool, endpoint",
                                  "Requests that the endpoint is answering now."},
    [FAMILY_ENDPOINT_BACKING_OFF] =
        {"sluice_endpoint_backing_off", FAMILY_GAUGE, "pool, endpoint",
         "Whether the endpoint is spared now because it answered that it has too much to do: 1, else 0."},
    [FAMILY_ENDPOINT_ADDRESSES] = {"sluice_endpoint_addresses", FAMILY_GAUGE, "pool, endpoint",
                                   "Addresses that the endpoint's host name has; 1 for a numeric one."},
    [FAMILY_RESOLVE_FAILURES] = {"sluice_resolve_failures_total", FAMILY_COUNTER, "pool, endpoint",
                                 "Times that the endpoint's host name was asked for again and no address "
                                 "came; the last ones stay in use."},
    [FAMILY_RETRIES] = {"sluice_retries_total", FAMILY_COUNTER, "route, reason",
                        "Attempts after the first, by what the attempt before them ran into."},
    [FAMILY_FALLBACKS] = {"sluice_fallbacks_total", FAMILY_COUNTER, "route, from",
                          "Requests that the route's fallback took over from the variant they were sent to."},
    [FAMILY_MIRRORED] = {"sluice_mirrored_requests_total", FAMILY_COUNTER, "route, variant",
                         "Requests copied to the variant, by `mirror`; they count as its requests too."},
    [FAMILY_MIRROR_DROPPED] = {"sluice_mirror_dropped_total", FAMILY_COUNTER, "route, variant, reason",
                               "Requests that were to be copied to the variant and were not, by reason."},
    [FAMILY_RATE_LIMITED] =
        {"sluice_rate_limited_total", FAMILY_COUNTER, "route, variant",
         "Answers 429 of the variant's endpoints, also those that a retry or the fallback "
         "replaced; no errors of the variant."},
    [FAMILY_TASKS] = {"sluice_tasks", FAMILY_GAUGE, "route", "Long-running tasks that are known."},
    [FAMILY_TASK_REQUESTS] = {"sluice_task_requests_total", FAMILY_COUNTER, "route, result",
                              "Requests about a known task: `found` went where it runs; `gone`: its endpoint "
                              "or variant could not be asked."},
    [FAMILY_ROLLOUT_STATE] = {"sluice_rollout_state", FAMILY_GAUGE, "route, state",
                              "1 for the state that the route's rollout is in, 0 for the others."},
    [FAMILY_ROLLOUT_STEP] = {"sluice_rollout_step", FAMILY_GAUGE, "route",
                             "The step that is live or comes next, from 1."},
    [FAMILY_DECISIONS] =
        {"sluice_decisions_total", FAMILY_COUNTER, "route, action",
         "Decisions about the route's rollout, of the controller and of people, by what was done."},
    [FAMILY_GUARD_EVIDENCE] =
        {"sluice_guard_evidence", FAMILY_GAUGE, "route, guard",
         "Evidence that the candidate is worse than the guard allows: log10 of the e-value."},
    [FAMILY_NOTIFICATIONS] = {"sluice_notifications_total", FAMILY_COUNTER, "result",
                              "What was sent to `notify`, `hooks.on_promote` and `hooks.on_rollback`: "
                              "`delivered`; `failed`, for each "
                              "try; `dropped`, when no try is left or too many wait."},
    [FAMILY_CLIENT_CONNECTIONS] = {"sluice_client_connections", FAMILY_GAUGE, "",
                                   "Client connections that are open now."},
    [FAMILY_REJECTED] = {"sluice_rejected_requests_total", FAMILY_COUNTER, "reason",
                         "Requests refused before a route was chosen, by reason."},
    [FAMILY_ACCESS_LOG_DROPPED] =
        {"sluice_access_log_dropped_total", FAMILY_COUNTER, "",
         "Lines of the access log that were dropped because the disk was too slow."},
    [FAMILY_RELOADS] = {"sluice_config_reload_total", FAMILY_COUNTER, "result",
                        "Reloads of the configuration, by result."},
    [FAMILY_CONFIG_LOADED] = {"sluice_config_loaded_timestamp_seconds", FAMILY_GAUGE, "",
                              "Unix time at which the running configuration was loaded."},
    [FAMILY_PLAN_ADOPTION] =
        {"sluice_plan_adoption_seconds", FAMILY_GAUGE, "",
         "From the last change of weights or endpoints until every worker decided by it."},
    [FAMILY_CERTIFICATE_EXPIRY] =
        {"sluice_certificate_expiry_timestamp_seconds", FAMILY_GAUGE, "listener or pool, certificate",
         "Unix time at which the first certificate of the file runs out, by who shows it: a listener to its "
         "clients or a pool to its endpoints."},
    [FAMILY_BUILD_INFO] = {"sluice_build_info", FAMILY_GAUGE, "version, revision",
                           "Always 1; the labels say what is running."},
    [FAMILY_PROCESS_CPU] = {"process_cpu_seconds_total", FAMILY_COUNTER, "",
                            "User and system processor time spent, in seconds."},
    [FAMILY_PROCESS_RESIDENT] = {"process_resident_memory_bytes", FAMILY_GAUGE, "",
                                 "Resident memory, in bytes."},
    [FAMILY_PROCESS_OPEN_FDS] = {"process_open_fds", FAMILY_GAUGE, "", "Open file descriptors."},
    [FAMILY_PROCESS_MAX_FDS] = {"process_max_fds", FAMILY_GAUGE, "", "Most file descriptors allowed."},
    [FAMILY_PROCESS_START] = {"process_start_time_seconds", FAMILY_GAUGE, "",
                              "Unix time at which the process started."},
    [FAMILY_PROCESS_THREADS] = {"process_threads", FAMILY_GAUGE, "", "Threads of the process."},
};

static const char *const type_names[] = {"counter", "gauge", "histogram", "summary"};

const struct family_info *family_info(enum family family) {
    must((unsigned)family < FAMILIES);
    return &families[family];
}

const char *family_type_name(enum family_type type) {
    return type_names[type];
}
