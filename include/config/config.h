// config: the checked, immutable configuration, as the YAML of docs/configuration.md names it. Built whole by
// config_load, then only read, by any thread that holds a reference. Everything in it lives in its arena.
// Durations are milliseconds (DURATION_OFF: the time-out is off), sizes bytes, shares basis points (5 % =
// 500). Optional strings are NULL when absent. File paths are absolute already (relative ones were resolved
// against the configuration file). Which keys exist, their types and defaults: config/schema.c, one table.
#pragma once
#include "base/slice.h"
#include "config/network.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DURATION_OFF (-1)
#define SHARE_WHOLE  10000 // 100 percent, in basis points; also the number of buckets

// Where a value stood in the file; line 0 when it is a default.
struct place {
    unsigned line, column;
};

struct string_list {
    const char **items;
    size_t count;
};
struct header_config { // one header to set: name and value
    const char *name, *value;
};
struct header_list {
    struct header_config *items;
    size_t count;
};
// A JSON condition or edit: an RFC 6901 pointer and the value as JSON text ("\"gpt-4o\"", "0.1", "null").
struct pointer_config {
    const char *pointer, *json;
};
struct pointer_list {
    struct pointer_config *items;
    size_t count;
};

struct certificate_config {
    struct place place;
    const char *certificate, *private_key;
    const char *ocsp_response; // NULL: nothing is stapled
};
enum client_certificate { CLIENT_CERTIFICATE_OFF, CLIENT_CERTIFICATE_OPTIONAL, CLIENT_CERTIFICATE_REQUIRED };
enum minimum_version { MINIMUM_TLS_1_2, MINIMUM_TLS_1_3 };
struct listener_tls_config {
    struct certificate_config main;          // for every name that none of `certificates` is for
    struct certificate_config *certificates; // chosen by the name that the client asks for (SNI)
    size_t certificate_count;
    const char *client_ca;
    enum client_certificate client_certificate;
    enum minimum_version minimum_version;
};
struct listener_config {
    struct place place;
    const char *address;             // "0.0.0.0:8080", "[::]:8443", "unix:/path"
    struct listener_tls_config *tls; // NULL: plain
    bool proxy_protocol, defer_accept;
    int64_t mode; // of the unix socket's file: permission bits
};

struct admin_config {
    struct place place;
    const char *address; // default 127.0.0.1:9901; "unix:/path" too
    const char *token_file;
    bool reachable; // settled: other machines may connect
    struct listener_tls_config
        *tls; // NULL: plain; one certificate, and a client's is required or not asked for
};

enum log_format { LOG_FORMAT_JSON };
struct access_log_config {
    struct place place;
    const char *path; // NULL: off; "-": stdout
    enum log_format format;
};

struct limits_config {
    int64_t connections, handshakes, header_bytes, body_bytes, buffered_body_bytes;
    int64_t requests; // 0: no limit
    int64_t memory;   // bytes; INT64_MAX: no limit
};

// Milliseconds; a route or pool may override each. TIMEOUT_INHERIT there means "not said here".
#define TIMEOUT_INHERIT (-2)
struct timeouts_config {
    int64_t handshake, client_header, client_idle, connect, first_byte, stream_idle, total, tcp_user;
};

struct resolver_config {
    struct place place;
    struct string_list servers; // "10.0.0.53:53"; none: those of /etc/resolv.conf
    int64_t timeout;            // of one question, all servers and tries together
    int64_t refresh;            // for addresses without a time to live
};

enum balance { BALANCE_LEAST_INFLIGHT, BALANCE_ROUND_ROBIN, BALANCE_UNIT_HASH };

struct endpoint_config {
    struct place place;
    const char *url;  // as written, without a trailing slash: names it in metrics and commands
    const char *host; // without brackets; "localhost" for a unix socket
    uint16_t port;
    bool tls;
    const char *unix_path; // "unix:/path": the path; else NULL
    int64_t weight;        // 1..1000
};

struct probe_request_config { // what a health check or smoke test sends
    const char *method, *path, *body;
    struct header_list headers;
};
struct probe_expect_config {
    int64_t *status; // allowed codes
    size_t status_count;
    const char *body_contains;
    struct pointer_list json;
    int64_t latency; // ms, at most; DURATION_OFF or 0: any
};
struct health_config {
    struct place place;
    int64_t interval, timeout;
    int64_t healthy_after, unhealthy_after; // checks in a row
    struct probe_request_config request;
    struct probe_expect_config expect;
};
struct ejection_config {
    int64_t consecutive_failures; // 0: off
    int64_t base_time;            // ms; times the ejections in a row, at most 10 times
    int64_t max_share;            // percent of the pool's endpoints, at most
};
struct queue_config {
    int64_t size, timeout;
};
struct pool_tls_config {
    struct place place;
    const char *ca, *server_name, *certificate, *private_key;
    bool verify;
};
struct pool_config {
    struct place place;
    const char *name;
    struct endpoint_config *endpoints;
    size_t endpoint_count;
    enum balance balance;
    int64_t max_inflight; // per endpoint; 0: no limit
    struct queue_config queue;
    int64_t keepalive;            // idle connections kept per endpoint and worker
    struct health_config *health; // NULL: none
    struct ejection_config ejection;
    int64_t
        back_off; // ms, the longest time that an endpoint is spared which asked for it; DURATION_OFF: none is
    struct pool_tls_config *tls;
    struct timeouts_config timeouts; // with TIMEOUT_INHERIT
};

enum unit_source {
    UNIT_HEADER,
    UNIT_COOKIE,
    UNIT_JWT,
    UNIT_QUERY,
    UNIT_JSON,
    UNIT_CLIENT_IP,
    UNIT_ISSUED, // the sticky cookie: never in `by`
    UNIT_RANDOM, // nothing present and no cookie to issue: never in `by`
};
struct sticky_source {
    enum unit_source kind;
    const char *name; // header, cookie, claim, query key or JSON pointer; NULL for client_ip
};
enum sticky_mode { STICKY_UNIT, STICKY_SESSION };
struct sticky_config {
    struct place place;
    struct sticky_source *by;
    size_t by_count;
    const char *cookie; // NULL: none is issued
    enum sticky_mode mode;
    const char *salt; // settled: never NULL (default: route name, or "route-version" of the first candidate;
                      // "experiment/NAME" with one)
};

struct tracing_config {
    struct place place;
    const char *url;
    int64_t sample; // basis points
    const char *service_name;
    struct header_list headers;
    int64_t timeout;             // ms
    struct pool_tls_config *tls; // without server_name; NULL: the system's authorities
};

struct match_config {
    const char *host, *path_prefix, *path; // NULL: any. host: exact, or "*.example.com"
    struct string_list methods;
    struct header_list headers;
    struct pointer_list json;
    struct place place;
};

struct override_config {
    struct place place;
    const char *header, *token_file;
    const char *token; // read from token_file at load, without the line end
};

// `on` as bits; a status code stands in `codes`.
enum { RETRY_CONNECT = 1, RETRY_REFUSED_STREAM = 2, RETRY_RESET_BEFORE_RESPONSE = 4 };
struct retry_config {
    struct place place;
    int64_t attempts; // in addition to the first; 0: no retry
    unsigned conditions;
    uint16_t *codes;
    size_t code_count;
    int64_t budget;      // percent of requests
    bool non_idempotent; // a POST whose bytes an endpoint may have acted on is sent again all the same
};

struct request_edit_config {
    struct header_list set_headers;
    struct string_list remove_headers;
    struct pointer_list json;
    struct string_list remove_json; // JSON pointers
    const char *system_prompt_file;
    const char *system_prompt; // read at load, as a JSON string; NULL: none
};
struct price_config {
    double input, output; // dollars per million tokens
};
struct variant_config {
    struct place place;
    const char *name;
    const char *pool;
    size_t pool_index;                   // in config->pools
    const char *version;                 // NULL: none
    int64_t weight;                      // basis points
    struct request_edit_config *request; // NULL: no edits
    struct price_config *price;
};
struct mirror_config {
    struct place place;
    const char *variant;
    size_t index;         // of it, in the route
    int64_t share;        // basis points
    int64_t max_inflight; // copies
};
// Where the id of a task stands: in answers (`learn`: json, header), in requests (`use`: all).
enum task_place_kind { TASK_JSON, TASK_HEADER, TASK_PATH_SEGMENT, TASK_QUERY };
struct task_place {
    enum task_place_kind kind;
    const char *name; // JSON pointer, header or query key; NULL for path_segment
};
struct affinity_config {
    struct place place;
    struct task_place *learn, *use;
    size_t learn_count, use_count;
    int64_t ttl, size;
};
struct fleet_config;
struct rollout_config; // checked, completed by the rollout issue: config/rollout.h

struct route_config {
    struct place place;
    const char *name;
    struct match_config match;
    struct sticky_config sticky;
    struct override_config *override; // NULL: none
    struct retry_config *retry;       // NULL: none
    const char *fallback;             // variant name, or NULL
    size_t fallback_index;
    struct mirror_config *mirror;
    struct affinity_config *affinity; // NULL: none
    struct variant_config *variants;
    size_t variant_count;
    size_t baseline;                 // index: rollout.baseline, else the first variant
    const char *experiment;          // linked with all routes of that name; NULL: none
    const char *baggage;             // settled: "sluice.EXPERIMENT", the key of its arm; NULL without
    bool expose_variant;             // default true
    bool count_stream_tokens;        // default false
    struct timeouts_config timeouts; // with TIMEOUT_INHERIT
    struct rollout_config *rollout;
    // Settled, 0 without a rollout: the same in two files when their rollouts are the same (`rollout` with
    // its defaults, and the variants' names, versions and weights), wherever and however they are written.
    // The order of variants, guards, signals, limits and of whatever is a list counts: arms and guards are
    // told by their index. Of files that are named the name counts as written, not what is in them.
    uint64_t fingerprint;
};

struct path_config {  // a file that the configuration names
    const char *path; // the very string that the section has
    struct place place;
    const char *written; // as the file has it: relative to its folder, or absolute
};
enum seccomp_mode { SECCOMP_ON, SECCOMP_LOG, SECCOMP_OFF };

struct config {
    const char *path; // of the file, absolute
    struct path_config *paths;
    size_t path_count;
    struct listener_config *listeners;
    size_t listener_count;
    struct admin_config admin;
    int64_t workers; // settled: at least 1
    bool cpu_affinity;
    int64_t busy_poll; // ms; DURATION_OFF or 0: not at all
    const char *state_dir;
    const char *user; // "NAME" or "NAME:GROUP"; NULL: stays who it is
    struct place user_place;
    enum seccomp_mode seccomp;
    bool core_dumps;
    int64_t shutdown_grace, upgrade_timeout;
    struct access_log_config access_log;
    struct network_list trusted_proxies;
    struct limits_config limits;
    struct timeouts_config timeouts;
    struct resolver_config resolver;
    struct tracing_config *tracing; // NULL: none
    struct fleet_config *fleet;     // config/fleet.h; NULL: none
    struct pool_config *pools;
    size_t pool_count;
    struct route_config *routes;
    size_t route_count;
};

// One mistake. text is a whole sentence, hint may be NULL ("did you mean `weight`?").
struct diagnostic {
    struct place place;
    const char *text, *hint;
};
struct diagnostics { // owner: the caller; in order of line, column
    struct diagnostic *items;
    size_t count;
};
void diagnostics_free(struct diagnostics *diagnostics);
// "FILE:LINE:COL: text (hint)" without a line end, as every command prints it.
struct strbuf;
void diagnostic_write(const struct diagnostic *diagnostic, const char *path, struct strbuf *out);

// Reads and checks `path`. Returns a configuration with one reference, or NULL with every mistake found
// (at least one, also when the file cannot be read: line 1 column 1). On success *diagnostics is empty.
struct config *config_load(const char *path, struct diagnostics *diagnostics);
// The same from memory; `path` names it in messages and resolves relative paths.
struct config *config_parse(const char *path, struct slice text, struct diagnostics *diagnostics);
struct config *config_ref(struct config *config);
void config_unref(struct config *config);

// docs/configuration.md, from the schema table.
void config_reference(struct strbuf *out);
// Appends the JSON Schema (draft-07) of the file, config/sluice.schema.json.
void config_json_schema(struct strbuf *out);
// Appends the manual page sluice.yaml(5), docs/man/sluice.yaml.5.
void config_manual(struct strbuf *out);

// Effective time-outs: pool over route over global.
struct timeouts_config config_timeouts(const struct config *config, const struct route_config *route,
                                       const struct pool_config *pool);
// Where the file says the path that a section has, known by its address; `otherwise` for any other string.
struct place config_path_place(const struct config *config, const char *path, struct place otherwise);
// NULL when absent; *index (may be NULL) gets the position.
const struct route_config *config_route(const struct config *config, const char *name, size_t *index);
const struct pool_config *config_pool(const struct config *config, const char *name, size_t *index);
// Whether the two share an experiment, or are one: they have the same variants and always the same weights.
bool config_linked(const struct route_config *route, const struct route_config *other);
// A well-formed JSON pointer (RFC 6901): "" or /a/b with ~0 and ~1 as the only escapes.
bool pointer_valid(const char *pointer);
