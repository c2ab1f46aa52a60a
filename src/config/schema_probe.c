// The keys of what is sent to an endpoint to try it, and of what must come back: health checks, smoke tests.
#include "schema.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SECTION(keys_, ...) \
    { .keys = keys_, .count = COUNT(keys_), __VA_ARGS__ }

static const struct key probe_request_keys[] = {
    {"method", TYPE_STRING, offsetof(struct probe_request_config, method), .standard = "GET",
     .form = &form_token, .help = "Method."},
    {"path", TYPE_STRING, offsetof(struct probe_request_config, path), .standard = "/",
     .form = &form_probe_path, .help = "Path and query."},
    {"headers", TYPE_HEADERS, offsetof(struct probe_request_config, headers), .help = "Headers to send."},
    {"body", TYPE_STRING, offsetof(struct probe_request_config, body), .help = "Body to send."},
};
const struct section schema_probe_request =
    SECTION(probe_request_keys, .what = "`request`", .size = sizeof(struct probe_request_config));

static const struct key probe_expect_keys[] = {
    {"status", TYPE_INTEGERS, offsetof(struct probe_expect_config, status),
     offsetof(struct probe_expect_config, status_count), .standard = "[200]", .least = 100, .most = 599,
     .rules = "'minItems':1", .help = "Allowed status codes."},
    {"body_contains", TYPE_STRING, offsetof(struct probe_expect_config, body_contains),
     .help = "Text that the answer must hold."},
    {"json", TYPE_POINTERS, offsetof(struct probe_expect_config, json),
     .help = "JSON pointers and the values that must stand there."},
    {"latency", TYPE_DURATION, offsetof(struct probe_expect_config, latency), .standard = "off",
     .flags = KEY_OFF, .least = 1, .most = 600000, .type_text = "1ms to 10m",
     .help = "The longest that the whole answer may take, connecting too; a right answer that comes later "
             "fails the "
             "check."},
};
const struct section schema_probe_expect =
    SECTION(probe_expect_keys, .what = "`expect`", .size = sizeof(struct probe_expect_config));
