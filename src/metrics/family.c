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
    [FAMILY_VARIANT_INFO] =
        {"sluice_variant_info", FAMILY_GAUGE, "route, variant, pool, version, role",
         "Always 1; what the variant is: its role is `baseline`, `candidate` (under trial) or `other`."},
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
    [FAMILY_ROLLOUT_HOLD] =
        {"sluice_rollout_hold", FAMILY_GAUGE, "route, hold",
         "1 for what holds the route's rollout, `none` when nothing does, 0 for the others."},
    [FAMILY_ROLLOUT_STEP] = {"sluice_rollout_step", FAMILY_GAUGE, "route",
                             "The step that is live or comes next, from 1."},
    [FAMILY_FLEET_ROLE] = {"sluice_fleet_role", FAMILY_GAUGE, "role",
                           "1 for what this instance is in its fleet (`leader`, `member`; `apart`: etcd "
                           "cannot be reached), 0 for the others."},
    [FAMILY_FLEET_MEMBERS] = {"sluice_fleet_members", FAMILY_GAUGE, "",
                              "Instances of the fleet whose lease lives, this one among them."},
    [FAMILY_FLEET_LEASE] = {"sluice_fleet_lease_seconds", FAMILY_GAUGE, "",
                            "How long this instance's lease lives if nothing more is heard of etcd."},
    [FAMILY_FLEET_WATCH_AGE] = {"sluice_fleet_watch_age_seconds", FAMILY_GAUGE, "",
                                "Since etcd last gave a sign that what the fleet shares is known here."},
    [FAMILY_FLEET_LEADERSHIPS] = {"sluice_fleet_leaderships_total", FAMILY_COUNTER, "",
                                  "Times that this instance became the fleet's leader."},
    [FAMILY_FLEET_REJOINS] =
        {"sluice_fleet_rejoins_total", FAMILY_COUNTER, "",
         "Times that this instance was in the fleet, lost its lease or etcd, and began anew."},
    [FAMILY_FLEET_WRITES_REFUSED] =
        {"sluice_fleet_writes_refused_total", FAMILY_COUNTER, "",
         "Changes that etcd refused this instance, because another one led or knew more."},
    [FAMILY_FLEET_REVISION] = {"sluice_fleet_revision", FAMILY_GAUGE, "",
                               "The revision of etcd up to which this instance has applied what is shared."},
    [FAMILY_FLEET_LAG] = {"sluice_fleet_lag_seconds", FAMILY_GAUGE, "",
                          "Since when this instance is known to lack something that etcd has, 0: it is not."},
    [FAMILY_FLEET_EVIDENCE] =
        {"sluice_fleet_evidence", FAMILY_GAUGE, "fleet, member, route, epoch, part, guard, arm, field",
         "With `evidence: {prometheus: URL}`: what this instance has counted of a shared rollout in its "
         "evidence epoch, that the leader reads (fleet.md); what is zero is not there."},
    [FAMILY_FLEET_EVIDENCE_RATIO] = {"sluice_fleet_evidence_sample_ratio", FAMILY_GAUGE,
                                     "fleet, member, route, epoch, shares",
                                     "The same of the sample ratio: the natural logarithm of its e-value, "
                                     "since the weights are the same."},
    [FAMILY_FLEET_EVIDENCE_AGE] =
        {"sluice_fleet_evidence_age_seconds", FAMILY_GAUGE, "",
         "Of the leader, with `evidence: {prometheus: URL}`: since Prometheus last answered what all have "
         "counted."},
    [FAMILY_JOURNAL_FAILING] =
        {"sluice_rollout_journal_failing", FAMILY_GAUGE, "route",
         "Whether the rollout's state and decisions cannot be written to `state_dir`: 1, else 0."},
    [FAMILY_DECISIONS] =
        {"sluice_decisions_total", FAMILY_COUNTER, "route, action",
         "Decisions about the route's rollout, of the controller and of people, by what was done."},
    [FAMILY_GUARD_EVIDENCE] =
        {"sluice_guard_evidence", FAMILY_GAUGE, "route, guard",
         "Evidence that the candidate is worse than the guard allows: log10 of the e-value."},
    [FAMILY_EVIDENCE_NEEDED] =
        {"sluice_guard_evidence_needed", FAMILY_GAUGE, "route",
         "What `sluice_guard_evidence` of a guard has to reach for the candidate to be taken back."},
    [FAMILY_NOTIFICATIONS] = {"sluice_notifications_total", FAMILY_COUNTER, "result",
                              "What was sent to `notify`, `hooks.on_promote` and `hooks.on_rollback`: "
                              "`delivered`; `failed`, for each "
                              "try; `dropped`, when no try is left or too many wait."},
    [FAMILY_SPANS] =
        {"sluice_spans_total", FAMILY_COUNTER, "result",
         "Spans of recorded requests, by what became of them: `exported`; `failed`, refused by the "
         "collector or not delivered before the end; `dropped`, when too many wait."},
    [FAMILY_CLIENT_CONNECTIONS] = {"sluice_client_connections", FAMILY_GAUGE, "",
                                   "Client connections that are open now."},
    [FAMILY_CONNECTIONS_LIMIT] = {"sluice_client_connections_limit", FAMILY_GAUGE, "",
                                  "Client connections allowed at once: `limits.connections`, or less where "
                                  "the limit of open files does not allow that."},
    [FAMILY_REQUESTS_INFLIGHT] = {"sluice_requests_inflight", FAMILY_GAUGE, "",
                                  "Requests that are under way, also those that wait in a queue."},
    [FAMILY_REQUEST_MEMORY] = {"sluice_request_memory_bytes", FAMILY_GAUGE, "",
                               "What requests hold in memory against `limits.memory`, to 256 KiB for each "
                               "worker."},
    [FAMILY_REQUEST_MEMORY_LIMIT] = {"sluice_request_memory_limit_bytes", FAMILY_GAUGE, "",
                                     "What they may hold, `limits.memory`; 9223372036854775807: as much as "
                                     "they want."},
    [FAMILY_REJECTED] = {"sluice_rejected_requests_total", FAMILY_COUNTER, "reason",
                         "Requests refused before a route was chosen, by reason."},
    [FAMILY_ACCESS_LOG_DROPPED] = {"sluice_access_log_dropped_total", FAMILY_COUNTER, "",
                                   "Lines of the access log that were lost: a disk that is full or too slow, "
                                   "a pipe that nobody reads."},
    [FAMILY_LOG_LOST] =
        {"sluice_log_lines_lost_total", FAMILY_COUNTER, "",
         "Lines of the daemon's own log that were lost: a disk that is full, a pipe that nobody "
         "reads. The log says how many, where they are missing."},
    [FAMILY_RELOADS] = {"sluice_config_reload_total", FAMILY_COUNTER, "result",
                        "Reloads of the configuration, by result."},
    [FAMILY_UPGRADES] = {"sluice_upgrades_total", FAMILY_COUNTER, "result",
                         "Upgrades of the binary (USR2), of all binaries in a row, by result."},
    [FAMILY_LAST_RELOAD] = {"sluice_config_last_reload_successful", FAMILY_GAUGE, "",
                            "Whether the last reload succeeded: 0 while an older configuration runs than the "
                            "one asked for, else 1."},
    [FAMILY_CONFIG_LOADED] = {"sluice_config_loaded_timestamp_seconds", FAMILY_GAUGE, "",
                              "Unix time at which the running configuration was loaded."},
    [FAMILY_PLAN_ADOPTION] =
        {"sluice_plan_adoption_seconds", FAMILY_GAUGE, "",
         "From the last change of weights or endpoints until every worker decided by it."},
    [FAMILY_CERTIFICATE_EXPIRY] =
        {"sluice_certificate_expiry_timestamp_seconds", FAMILY_GAUGE, "listener or pool, certificate",
         "Unix time at which the first certificate of the file runs out, by who shows it: a listener to its "
         "clients or a pool to its endpoints."},
    [FAMILY_ADMIN_DENIED] =
        {"sluice_admin_denied_total", FAMILY_COUNTER, "reason",
         "Changes that the admin API refused, by reason; `rate_limited`: wrong tokens of an "
         "address that sent too many."},
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
