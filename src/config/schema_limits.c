// The keys of `limits`.
#include "schema.h"

static const struct key limits_keys[] = {
    {"connections", TYPE_INTEGER, offsetof(struct limits_config, connections), .standard = "50000",
     .least = 1, .most = 10000000, .help = "Client connections at once; more are answered 503."},
    {"handshakes", TYPE_INTEGER, offsetof(struct limits_config, handshakes), .standard = "1000", .least = 1,
     .most = 10000000, .help = "TLS handshakes with clients at once; connections past it are closed."},
    {"requests", TYPE_INTEGER, offsetof(struct limits_config, requests), .standard = "0", .least = 0,
     .most = 10000000,
     .help =
         "Requests at once, of all clients, with those that wait in a queue; more are answered 503. 0: no "
         "other limit than `connections`, each of which has one request at a time."},
    {"memory", TYPE_CUSTOM, offsetof(struct limits_config, memory), .read = read_memory,
     .type_text = "`auto`, `off` or a size from 1MiB", .standard = "auto", .form = &form_memory,
     .rules = "'minimum':1048576",
     .help =
         "What requests hold in memory at once: buffers, and bodies kept for a retry, an edit, a decision or "
         "a mirror. Past it new requests are answered 503, bodies are no longer kept for a retry and nothing "
         "is mirrored; what was sent on goes on. `auto`: half of what the machine, or the control group, "
         "has."},
    {"header_bytes", TYPE_SIZE, offsetof(struct limits_config, header_bytes), .standard = "32KiB",
     .least = 1024, .most = 65536 - 1024, .type_text = "1KiB to 63KiB",
     .help = "Request line and header together; 431 past it."},
    {"body_bytes", TYPE_SIZE, offsetof(struct limits_config, body_bytes), .standard = "100MiB", .least = 0,
     .most = INT64_MAX, .help = "Of one request; 413 past it."},
    {"buffered_body_bytes", TYPE_SIZE, offsetof(struct limits_config, buffered_body_bytes),
     .standard = "1MiB", .least = 0, .most = 1 << 30, .type_text = "0 to 1GiB",
     .help = "The most of a request body that is held in memory (retries, JSON conditions). A larger body is "
             "passed on without: it is not "
             "sent twice, and JSON conditions and units in it count as absent."},
};
const struct section schema_limits = {.keys = limits_keys,
                                      .count = sizeof limits_keys / sizeof *limits_keys,
                                      .what = "`limits`",
                                      .size = sizeof(struct limits_config)};
