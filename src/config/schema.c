#include "schema.h"
#include "schema_rules.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SECTION(keys_, ...) \
    { .keys = keys_, .count = COUNT(keys_), __VA_ARGS__ }

// ---- listeners, log

#define CERTIFICATE_KEYS(base)                                                                              \
    {"certificate", TYPE_PATH, (base) + offsetof(struct certificate_config, certificate),                   \
     .flags = KEY_REQUIRED,                                                                                 \
     .help = "PEM file with the certificate and its chain, the leaf first; read again on reload."},         \
        {"private_key", TYPE_PATH, (base) + offsetof(struct certificate_config, private_key),               \
         .flags = KEY_REQUIRED, .help = "PEM file with the private key; read again on reload."},            \
    {                                                                                                       \
        "ocsp_response", TYPE_PATH, (base) + offsetof(struct certificate_config, ocsp_response),            \
            .help =                                                                                         \
                "DER file with the OCSP response that is stapled until its next update is due; read again " \
                "on reload."                                                                                \
    }
static const struct key certificate_keys[] = {CERTIFICATE_KEYS(0)};
static const struct section certificate =
    SECTION(certificate_keys, .what = "a certificate", .size = sizeof(struct certificate_config),
            .place_offset = 1 + offsetof(struct certificate_config, place));

static const char *const client_certificates[] = {"off", "optional", "required", NULL};
static const char *const minimum_versions[] = {"1.2", "1.3", NULL};
static const struct key listener_tls_keys[] = {
    CERTIFICATE_KEYS(offsetof(struct listener_tls_config, main)),
    {"certificates", TYPE_LIST, offsetof(struct listener_tls_config, certificates),
     offsetof(struct listener_tls_config, certificate_count), .child = &certificate,
     .help = "Further ones: a client that asks for a name in one of them (SNI) gets that one."},
    {"client_ca", TYPE_PATH, offsetof(struct listener_tls_config, client_ca),
     .help = "PEM file with the authorities that client certificates must come from."},
    {"client_certificate", TYPE_ENUM, offsetof(struct listener_tls_config, client_certificate),
     .choices = client_certificates, .standard = "off",
     .help =
         "Whether clients are asked for a certificate. The subject of a verified one goes to the upstream in "
         "`X-Sluice-Client-Subject`."},
    {"minimum_version", TYPE_ENUM, offsetof(struct listener_tls_config, minimum_version),
     .choices = minimum_versions, .standard = "1.2", .help = "Oldest version of TLS that is spoken."},
};
static const struct section listener_tls =
    SECTION(listener_tls_keys, .what = "a listener's `tls`", .size = sizeof(struct listener_tls_config),
            .rules = CLIENT_CA_RULES, .place_offset = 1 + offsetof(struct listener_tls_config, main.place));

static const struct key listener_keys[] = {
    {"address", TYPE_STRING, offsetof(struct listener_config, address), .flags = KEY_REQUIRED,
     .form = &form_address, .help = "Where clients connect: `0.0.0.0:8080`, `[::]:8443` or `unix:/path`."},
    {"tls", TYPE_OPTIONAL, offsetof(struct listener_config, tls), .child = &listener_tls,
     .help = "Serve TLS; absent: plain."},
    {"proxy_protocol", TYPE_BOOL, offsetof(struct listener_config, proxy_protocol), .standard = "false",
     .help = "Clients come through a balancer that speaks the PROXY protocol (version 1 or 2), and must: a "
             "connection without its header is closed."},
    {"defer_accept", TYPE_BOOL, offsetof(struct listener_config, defer_accept), .standard = "false",
     .help = "Connections are taken once their clients have sent something (TCP_DEFER_ACCEPT; not on unix "
             "sockets): new ones cost a little less. Until then, 5 seconds at most, they are neither counted "
             "nor timed here."},
    {"mode", TYPE_CUSTOM, offsetof(struct listener_config, mode), .read = read_mode,
     .type_text = "octal, 0000 to 0777", .standard = "0660", .form = &form_mode, .most = 777,
     .help = "Permissions of a unix socket's file: who may write to it may connect."},
};
static const struct section listener =
    SECTION(listener_keys, .what = "a listener", .size = sizeof(struct listener_config),
            .rules = "'if':{'properties':{'address':{'not':{'pattern':'^unix:|" VARIABLE "'}}}},'then':{'"
                     "properties':{'mode':false}}",
            .place_offset = 1 + offsetof(struct listener_config, place));

static const char *const log_formats[] = {"json", NULL};
static const struct key access_log_keys[] = {
    {"path", TYPE_PATH, offsetof(struct access_log_config, path), .flags = KEY_OFF | KEY_REQUIRED,
     .help = "File that is appended to (reopened on USR1); `-` is stdout; `off`."},
    {"format", TYPE_ENUM, offsetof(struct access_log_config, format), .choices = log_formats,
     .standard = "json", .help = "One JSON object per request and line."},
};
static const struct section access_log =
    SECTION(access_log_keys, .what = "`access_log`", .size = sizeof(struct access_log_config),
            .place_offset = 1 + offsetof(struct access_log_config, place));

// ---- pools

static const struct key endpoint_keys[] = {
    {"url", TYPE_CUSTOM, 0, .read = read_endpoint_url, .type_text = "URL", .flags = KEY_REQUIRED,
     .form = &form_endpoint,
     .help =
         "`http://host:port` or `https://host:port`: scheme, host and port only; or `unix:/path`. A name is "
         "resolved again and again: each new connection takes the next of its addresses."},
    {"weight", TYPE_INTEGER, offsetof(struct endpoint_config, weight), .standard = "1", .least = 1,
     .most = 1000, .help = "Share of the pool's requests, relative to the others."},
};
static const struct section endpoint = SECTION(
    endpoint_keys, .what = "an endpoint", .help = "A plain URL stands for `{url: URL}`.",
    .size = sizeof(struct endpoint_config), .place_offset = 1 + offsetof(struct endpoint_config, place),
    .read_scalar = read_endpoint_url, .short_form = &form_endpoint);

static const struct key queue_keys[] = {
    {"size", TYPE_INTEGER, offsetof(struct queue_config, size), .standard = "1024", .least = 0,
     .most = 1000000, .help = "Requests that may wait; more are answered 503 with Retry-After."},
    {"timeout", TYPE_DURATION, offsetof(struct queue_config, timeout), .standard = "5s",
     .help = "How long one may wait; then 503."},
};
static const struct section queue =
    SECTION(queue_keys, .what = "`queue`", .size = sizeof(struct queue_config));

static const struct key health_keys[] = {
    {"interval", TYPE_DURATION, offsetof(struct health_config, interval), .standard = "5s", .least = 50,
     .most = 86400000, .type_text = "50ms to 24h", .help = "Between two checks of an endpoint."},
    {"timeout", TYPE_DURATION, offsetof(struct health_config, timeout), .standard = "2s", .least = 10,
     .most = 600000, .type_text = "10ms to 10m", .help = "A check that takes longer has failed."},
    {"healthy_after", TYPE_INTEGER, offsetof(struct health_config, healthy_after), .standard = "2",
     .least = 1, .most = 100, .help = "Good checks in a row that bring an endpoint back."},
    {"unhealthy_after", TYPE_INTEGER, offsetof(struct health_config, unhealthy_after), .standard = "3",
     .least = 1, .most = 100, .help = "Failed checks in a row that take it out."},
    {"request", TYPE_STRUCT, offsetof(struct health_config, request), .child = &schema_probe_request,
     .help = "What is sent."},
    {"expect", TYPE_STRUCT, offsetof(struct health_config, expect), .child = &schema_probe_expect,
     .help = "What must come back."},
};
static const struct section health =
    SECTION(health_keys, .what = "`health`", .size = sizeof(struct health_config),
            .place_offset = 1 + offsetof(struct health_config, place));

static const struct key ejection_keys[] = {
    {"consecutive_failures", TYPE_INTEGER, offsetof(struct ejection_config, consecutive_failures),
     .standard = "5", .least = 0, .most = 1000000,
     .help = "Failures in a row that take an endpoint out; 0: never."},
    {"base_time", TYPE_DURATION, offsetof(struct ejection_config, base_time), .standard = "10s", .least = 100,
     .most = 86400000, .type_text = "100ms to 24h",
     .help = "For how long; times the ejections in a row, at most 10 times."},
    {"max_share", TYPE_INTEGER, offsetof(struct ejection_config, max_share), .standard = "50", .least = 0,
     .most = 100, .help = "Percent of the pool's endpoints that may be out this way at once."},
};
static const struct section ejection =
    SECTION(ejection_keys, .what = "`ejection`", .size = sizeof(struct ejection_config));

static const struct key pool_tls_keys[] = {
    {"ca", TYPE_PATH, offsetof(struct pool_tls_config, ca),
     .help = "PEM file with the authorities that are trusted; absent: the system's."},
    {"server_name", TYPE_STRING, offsetof(struct pool_tls_config, server_name),
     .help = "Name to ask for and to verify; absent: the host."},
    {"verify", TYPE_BOOL, offsetof(struct pool_tls_config, verify), .standard = "true",
     .help = "Verify the endpoint's certificate."},
    {"certificate", TYPE_PATH, offsetof(struct pool_tls_config, certificate), .help = "Client certificate."},
    {"private_key", TYPE_PATH, offsetof(struct pool_tls_config, private_key), .help = "Its key."},
};
static const struct section pool_tls =
    SECTION(pool_tls_keys, .what = "a pool's `tls`", .size = sizeof(struct pool_tls_config),
            .rules = CERTIFICATE_AND_KEY, .place_offset = 1 + offsetof(struct pool_tls_config, place));

static const char *const balances[] = {"least_inflight", "round_robin", "unit_hash", NULL};
static const struct key pool_keys[] = {
    {"endpoints", TYPE_LIST, offsetof(struct pool_config, endpoints),
     offsetof(struct pool_config, endpoint_count), .child = &endpoint, .flags = KEY_REQUIRED,
     .rules = "'minItems':1,'uniqueItems':true", .help = "The servers of the pool, all running one version."},
    {"balance", TYPE_ENUM, offsetof(struct pool_config, balance), .choices = balances,
     .standard = "least_inflight",
     .help = "`least_inflight`: the less busy of two random ones; `round_robin`: by turns; `unit_hash`: a "
             "unit stays on its endpoint (cache "
             "affinity)."},
    {"max_inflight", TYPE_INTEGER, offsetof(struct pool_config, max_inflight), .standard = "0", .least = 0,
     .most = 1000000, .help = "Requests at once per endpoint; 0: no limit. More wait in the queue."},
    {"queue", TYPE_STRUCT, offsetof(struct pool_config, queue), .child = &queue, .help = "Where they wait."},
    {"keepalive", TYPE_INTEGER, offsetof(struct pool_config, keepalive), .standard = "128", .least = 0,
     .most = 100000, .help = "Idle connections kept per endpoint and worker."},
    {"health", TYPE_OPTIONAL, offsetof(struct pool_config, health), .child = &health,
     .help = "Active checks; absent: none."},
    {"ejection", TYPE_STRUCT, offsetof(struct pool_config, ejection), .child = &ejection,
     .help = "Endpoints that fail real requests are taken out for a while."},
    {"back_off", TYPE_DURATION, offsetof(struct pool_config, back_off), .standard = "10s", .flags = KEY_OFF,
     .least = 100, .most = 86400000, .type_text = "100ms to 24h",
     .help = "The longest time that an endpoint is spared after it answered 429, or 503 with `Retry-After`, "
             "while "
             "others of the pool can take its requests: for as long as `Retry-After` says, else 1s, doubled "
             "each time "
             "in a row."},
    {"tls", TYPE_OPTIONAL, offsetof(struct pool_config, tls), .child = &pool_tls,
     .help = "For https endpoints."},
    {"timeouts", TYPE_STRUCT, offsetof(struct pool_config, timeouts), .child = &schema_own_timeouts,
     .help = "Override the route's and the global ones."},
};
static const struct section pool = SECTION(pool_keys, .what = "a pool", .size = sizeof(struct pool_config),
                                           .place_offset = 1 + offsetof(struct pool_config, place),
                                           .name_offset = 1 + offsetof(struct pool_config, name));

// ---- routes

static const struct key match_keys[] = {
    {"host", TYPE_STRING, offsetof(struct match_config, host), .form = &form_host,
     .help = "Host name, or `*.example.com`; the port does not matter."},
    {"path", TYPE_STRING, offsetof(struct match_config, path), .form = &form_match_path,
     .help = "The whole path."},
    {"path_prefix", TYPE_STRING, offsetof(struct match_config, path_prefix), .form = &form_match_path,
     .help = "What the path begins with."},
    {"methods", TYPE_STRINGS, offsetof(struct match_config, methods), .form = &form_method,
     .help = "Any of these."},
    {"headers", TYPE_HEADERS, offsetof(struct match_config, headers),
     .help = "All of these; an empty value: present."},
    {"json", TYPE_POINTERS, offsetof(struct match_config, json),
     .help = "JSON pointers into the body and the values that must stand there."},
};
static const struct section match =
    SECTION(match_keys, .what = "`match`", .size = sizeof(struct match_config),
            .rules = "'if':{'required':['path']},'then':{'properties':{'path_prefix':false}}",
            .place_offset = 1 + offsetof(struct match_config, place));

static const char *const sticky_modes[] = {"unit", "session", NULL};
static const struct key sticky_keys[] = {
    {"by", TYPE_CUSTOM, 0, .read = read_sticky_by, .type_text = "list", .flags = KEY_LISTED,
     .form = &form_unit_source,
     .help = "Where the unit is found, the first that is present: `header NAME`, `cookie NAME`, `jwt CLAIM` "
             "(not verified), `query NAME`, "
             "`json POINTER`, `client_ip`."},
    {"cookie", TYPE_STRING, offsetof(struct sticky_config, cookie), .form = &form_token,
     .help =
         "Cookie that is issued when nothing in `by` is present; absent: such requests are split at random."},
    {"mode", TYPE_ENUM, offsetof(struct sticky_config, mode), .choices = sticky_modes, .standard = "unit",
     .help = "`unit`: a unit moves when weights reach its bucket; `session`: a unit already seen keeps its "
             "variant until its cookie ends or "
             "the variant's weight is 0."},
    {"salt", TYPE_STRING, offsetof(struct sticky_config, salt), .standard = NULL,
     .help = "Chooses which units come first; default: the route's name and the candidate's version."},
};
static const struct section sticky = SECTION(
    sticky_keys, .what = "`sticky`", .size = sizeof(struct sticky_config),
    .rules =
        "'if':{'properties':{'mode':{'const':'session'}},'required':['mode']},'then':{'required':['cookie']}",
    .place_offset = 1 + offsetof(struct sticky_config, place));

static const struct key override_keys[] = {
    {"header", TYPE_STRING, offsetof(struct override_config, header), .standard = "X-Sluice-Variant",
     .form = &form_token, .help = "Testers send `VARIANT;TOKEN` in it."},
    {"token_file", TYPE_PATH, offsetof(struct override_config, token_file), .flags = KEY_REQUIRED,
     .help = "File with the token."},
};
static const struct section override =
    SECTION(override_keys, .what = "`override`", .size = sizeof(struct override_config),
            .place_offset = 1 + offsetof(struct override_config, place));

static const struct key retry_keys[] = {
    {"attempts", TYPE_INTEGER, offsetof(struct retry_config, attempts), .standard = "1", .least = 0,
     .most = 10, .help = "Further attempts after the first."},
    {"on", TYPE_CUSTOM, 0, .read = read_retry_on, .type_text = "list", .standard = "[connect]",
     .flags = KEY_LISTED, .form = &form_conditions, .least = 429, .most = 599,
     .help = "What is tried again: `connect`, `refused_stream`, `reset_before_response`, `429` and any 5xx "
             "code."},
    {"non_idempotent", TYPE_BOOL, offsetof(struct retry_config, non_idempotent), .standard = "false",
     .help = "A request that is not idempotent (POST) and may have reached an endpoint is not sent again, "
             "nor to the "
             "fallback, unless the endpoint itself answered with a status that `on` names. `true`: it is, "
             "after resets "
             "and time-outs too; right where a repeated request does no harm, as a model's answer."},
    {"budget", TYPE_INTEGER, offsetof(struct retry_config, budget), .standard = "20", .least = 0,
     .most = 1000,
     .help = "Percent of the route's requests that may be retries; 0: none. Each worker has 10 at the start "
             "and saves up "
             "to 100 unused ones. The fallback is not counted."},
};
static const struct section retry =
    SECTION(retry_keys, .what = "`retry`", .size = sizeof(struct retry_config),
            .place_offset = 1 + offsetof(struct retry_config, place));

static const struct key mirror_keys[] = {
    {"variant", TYPE_NAME, offsetof(struct mirror_config, variant), .flags = KEY_REQUIRED,
     .help = "Variant that gets copies."},
    {"share", TYPE_PERCENT, offsetof(struct mirror_config, share), .standard = "100", .least = 0,
     .most = SHARE_WHOLE, .type_text = "0 to 100", .help = "Percent of the units whose requests are copied."},
    {"max_inflight", TYPE_INTEGER, offsetof(struct mirror_config, max_inflight), .standard = "64", .least = 1,
     .most = 100000, .help = "Copies under way at once; more are dropped and counted."},
};
static const struct section mirror =
    SECTION(mirror_keys, .what = "`mirror`", .size = sizeof(struct mirror_config),
            .place_offset = 1 + offsetof(struct mirror_config, place));

static const struct key edit_keys[] = {
    {"set_headers", TYPE_HEADERS, offsetof(struct request_edit_config, set_headers), .form = &form_header_set,
     .help = "Headers to set, in place of the client's."},
    {"remove_headers", TYPE_STRINGS, offsetof(struct request_edit_config, remove_headers),
     .form = &form_header_removed, .help = "Headers not to pass on."},
    {"json", TYPE_POINTERS, offsetof(struct request_edit_config, json), .flags = KEY_NESTED,
     .form = &form_pointer_below, .rules = "'maxProperties':64",
     .help = "Fields of the JSON body to set, by JSON pointer. See edits.md."},
    {"remove_json", TYPE_STRINGS, offsetof(struct request_edit_config, remove_json),
     .form = &form_pointer_below, .rules = "'maxItems':64",
     .help = "Fields of the JSON body to remove, by JSON pointer."},
    {"system_prompt_file", TYPE_PATH, offsetof(struct request_edit_config, system_prompt_file),
     .help = "Text file whose content becomes the system prompt, in place of the client's."},
};
static const struct section edit =
    SECTION(edit_keys, .what = "a variant's `request`", .size = sizeof(struct request_edit_config));

static const struct key price_keys[] = {
    {"input", TYPE_NUMBER, offsetof(struct price_config, input), .flags = KEY_REQUIRED, .least = 0,
     .most = 1000000, .help = "Dollars per million prompt tokens."},
    {"output", TYPE_NUMBER, offsetof(struct price_config, output), .flags = KEY_REQUIRED, .least = 0,
     .most = 1000000, .help = "Dollars per million completion tokens."},
};
static const struct section price =
    SECTION(price_keys, .what = "`price`", .size = sizeof(struct price_config));

static const struct key variant_keys[] = {
    {"pool", TYPE_NAME, offsetof(struct variant_config, pool), .flags = KEY_REQUIRED,
     .help = "Pool that serves it."},
    {"version", TYPE_STRING, offsetof(struct variant_config, version), .rules = "'maxLength':127",
     .help = "What runs there; a new one starts a rollout."},
    {"weight", TYPE_PERCENT, offsetof(struct variant_config, weight), .flags = KEY_UNSET, .least = 0,
     .most = SHARE_WHOLE, .type_text = "0 to 100",
     .help = "Percent of the units, at most two decimals; a route's weights sum to 100. May be left out when "
             "there is one variant only."},
    {"request", TYPE_OPTIONAL, offsetof(struct variant_config, request), .child = &edit,
     .help = "Edits of the request."},
    {"price", TYPE_OPTIONAL, offsetof(struct variant_config, price), .child = &price,
     .help = "Dollars per million tokens, for `sluice_cost_dollars_total` and `cost_per_request`."},
};
static const struct section variant =
    SECTION(variant_keys, .what = "a variant", .size = sizeof(struct variant_config),
            .place_offset = 1 + offsetof(struct variant_config, place),
            .name_offset = 1 + offsetof(struct variant_config, name));

static const struct key route_keys[] = {
    {"name", TYPE_NAME, offsetof(struct route_config, name), .flags = KEY_REQUIRED,
     .help = "Names it in metrics and commands."},
    {"match", TYPE_STRUCT, offsetof(struct route_config, match), .child = &match,
     .help = "All conditions must hold; none: every request. The first route that matches wins."},
    {"sticky", TYPE_STRUCT, offsetof(struct route_config, sticky), .child = &sticky,
     .help = "What sticks to a variant."},
    {"override", TYPE_OPTIONAL, offsetof(struct route_config, override), .child = &override,
     .help = "Testers choose a variant."},
    {"retry", TYPE_OPTIONAL, offsetof(struct route_config, retry), .child = &retry,
     .help = "Another attempt after a failure; absent: none."},
    {"fallback", TYPE_NAME, offsetof(struct route_config, fallback),
     .help = "Variant that is asked when the retries of the chosen one are spent on a condition of "
             "`retry.on` (without `retry`: `connect`) "
             "before the first byte to the client; the failure is charged to the chosen one. A full pool is "
             "such a condition when `on` has `503`; it is not retried first."},
    {"affinity", TYPE_OPTIONAL, offsetof(struct route_config, affinity), .child = &schema_affinity,
     .help = "Requests about a long-running task go to where it runs. See affinity.md."},
    {"mirror", TYPE_OPTIONAL, offsetof(struct route_config, mirror), .child = &mirror,
     .help = "Copies of requests to a variant whose answers are measured and thrown away. See mirror.md."},
    {"variants", TYPE_NAMED, offsetof(struct route_config, variants),
     offsetof(struct route_config, variant_count), .child = &variant, .flags = KEY_REQUIRED,
     .rules = "'minProperties':1,'maxProperties':16",
     .help = "The arms. The first is the baseline, unless `rollout.baseline` names another."},
    {"experiment", TYPE_NAME, offsetof(struct route_config, experiment),
     .help =
         "Links this route with all of the same name, here and in other sluices: a unit gets the same arm "
         "in each. See experiments.md."},
    {"expose_variant", TYPE_BOOL, offsetof(struct route_config, expose_variant), .standard = "true",
     .help = "Tell clients the variant in `X-Sluice-Variant`."},
    {"count_stream_tokens", TYPE_BOOL, offsetof(struct route_config, count_stream_tokens),
     .standard = "false",
     .help =
         "Ask model servers for the tokens of streams whose client did not (`stream_options`), and keep the "
         "answer from the client. See tokens.md."},
    {"timeouts", TYPE_STRUCT, offsetof(struct route_config, timeouts), .child = &schema_own_timeouts,
     .help = "Override the global ones."},
    {"rollout", TYPE_OPTIONAL, offsetof(struct route_config, rollout), .child = &schema_rollout,
     .help = "The controller's plan."},
};
static const struct section route =
    SECTION(route_keys, .what = "a route", .size = sizeof(struct route_config), .rules = ROUTE_RULES,
            .place_offset = 1 + offsetof(struct route_config, place));

static const char *const seccomp_modes[] = {"on", "log", "off", NULL};
static const struct key root_keys[] = {
    {"listeners", TYPE_LIST, offsetof(struct config, listeners), offsetof(struct config, listener_count),
     .child = &listener, .flags = KEY_REQUIRED, .rules = "'minItems':1,'uniqueItems':true",
     .help = "Addresses that accept client connections."},
    {"admin", TYPE_STRUCT, offsetof(struct config, admin), .child = &schema_admin,
     .help = "Where the daemon is asked and told."},
    {"workers", TYPE_CUSTOM, offsetof(struct config, workers), .read = read_workers,
     .type_text = "`auto` or 1 to 256", .standard = "auto", .form = &form_workers, .least = 1, .most = 256,
     .help = "Threads that carry requests; `auto`: one per online core. A change needs a restart."},
    {"cpu_affinity", TYPE_BOOL, offsetof(struct config, cpu_affinity), .standard = "false",
     .help =
         "Each worker stays on one core, in order, of those that the daemon may use. See performance.md."},
    {"busy_poll", TYPE_DURATION, offsetof(struct config, busy_poll), .standard = "off", .flags = KEY_OFF,
     .help = "How long a worker that has nothing to do looks for events before it sleeps: answers come "
             "sooner, for a core that is busy all the while. See performance.md."},
    {"state_dir", TYPE_PATH, offsetof(struct config, state_dir), .standard = "/var/lib/sluice",
     .help = "Rollouts survive restarts here. A change needs a restart."},
    {"user", TYPE_STRING, offsetof(struct config, user),
     .help =
         "`NAME` or `NAME:GROUP`: whom a daemon that root started becomes before it serves. Ports below 1024 "
         "stay within its reach. A change needs a restart. See security.md."},
    {"seccomp", TYPE_ENUM, offsetof(struct config, seccomp), .choices = seccomp_modes, .standard = "on",
     .help = "Whether the kernel refuses system calls that serving does not need; `log`: they are done and "
             "written to the kernel's log. A change needs a restart. See security.md."},
    {"core_dumps", TYPE_BOOL, offsetof(struct config, core_dumps), .standard = "false",
     .help =
         "`true`: a crash may leave a core file, which holds tokens, keys and requests, and debuggers of the "
         "same user may attach. A change needs a restart."},
    {"shutdown_grace", TYPE_DURATION, offsetof(struct config, shutdown_grace), .standard = "30s",
     .help = "How long requests may go on after TERM."},
    {"upgrade_timeout", TYPE_DURATION, offsetof(struct config, upgrade_timeout), .standard = "30s",
     .help = "How long a new binary (USR2) may take until it serves; then the running one goes on."},
    {"access_log", TYPE_STRUCT, offsetof(struct config, access_log), .child = &access_log,
     .help = "Off by default."},
    {"trusted_proxies", TYPE_CUSTOM, offsetof(struct config, trusted_proxies), .read = read_networks,
     .type_text = "list of networks", .flags = KEY_LISTED, .form = &form_network,
     .help = "Peers whose word is taken for who the client is: `10.0.0.0/8`, `2001:db8::/32`, single "
             "addresses, `unix` (peers on unix sockets). See client-address.md."},
    {"limits", TYPE_STRUCT, offsetof(struct config, limits), .child = &schema_limits,
     .help = "What a client may use."},
    {"timeouts", TYPE_STRUCT, offsetof(struct config, timeouts), .child = &schema_timeouts,
     .help = "A route may override each, and a pool goes before its route. Until the route is known the "
             "global ones "
             "hold, also while a body is read that decides it."},
    {"resolver", TYPE_STRUCT, offsetof(struct config, resolver), .child = &schema_resolver,
     .help = "How the names of endpoints become addresses."},
    {"tracing", TYPE_OPTIONAL, offsetof(struct config, tracing), .child = &schema_tracing,
     .help = "Spans of requests for OpenTelemetry; absent: none. See tracing.md."},
    {"fleet", TYPE_OPTIONAL, offsetof(struct config, fleet), .child = &schema_fleet,
     .help = "Many proxies that share their rollouts; absent: this one is alone. See fleet.md."},
    {"pools", TYPE_NAMED, offsetof(struct config, pools), offsetof(struct config, pool_count), .child = &pool,
     .flags = KEY_REQUIRED, .help = "Named sets of interchangeable endpoints."},
    {"routes", TYPE_LIST, offsetof(struct config, routes), offsetof(struct config, route_count),
     .child = &route, .flags = KEY_REQUIRED, .rules = "'minItems':1", .help = "What is split, and how."},
};
const struct section schema_root =
    SECTION(root_keys, .what = "the configuration", .size = sizeof(struct config), .rules = FLEET_RULES);
