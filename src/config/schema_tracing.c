// The keys of `tracing`.
#include "schema_client_tls.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct section tls = CLIENT_TLS_SECTION("tracing");

static const struct key tracing_keys[] = {
    {"url", TYPE_STRING, offsetof(struct tracing_config, url), .flags = KEY_REQUIRED, .form = &form_url,
     .help = "Where spans are sent by POST, as OTLP/HTTP in JSON. Without a path: `/v1/traces` there."},
    {"sample", TYPE_PERCENT, offsetof(struct tracing_config, sample), .standard = "5", .least = 0,
     .most = SHARE_WHOLE, .type_text = "0 to 100",
     .help = "Share of the traces that begin here that is recorded, in percent. A request that brings a "
             "`traceparent` is recorded when that says so."},
    {"service_name", TYPE_STRING, offsetof(struct tracing_config, service_name), .standard = "sluice",
     .help = "The resource's `service.name`."},
    {"headers", TYPE_HEADERS, offsetof(struct tracing_config, headers),
     .help = "Sent along, for a collector that wants a key."},
    {"timeout", TYPE_DURATION, offsetof(struct tracing_config, timeout), .standard = "10s", .least = 100,
     .most = 60000, .type_text = "100ms to 1m", .help = "A send that takes longer has failed."},
    {"tls", TYPE_OPTIONAL, offsetof(struct tracing_config, tls), .child = &tls,
     .help = "For an https URL; absent: verified by the system's authorities."},
};
const struct section schema_tracing = {.keys = tracing_keys,
                                       .count = COUNT(tracing_keys),
                                       .what = "`tracing`",
                                       .size = sizeof(struct tracing_config),
                                       .place_offset = 1 + offsetof(struct tracing_config, place)};
