// The keys of `timeouts`: global, and of a route or a pool.
#include "schema.h"

#define TIMEOUT(name_, standard_, flags_, help_)                                                     \
    {                                                                                                \
        .name = #name_, .type = TYPE_DURATION, .offset = offsetof(struct timeouts_config, name_),    \
        .standard = (standard_), .flags = (flags_), .help = (help_), .least = 1, .most = 2592000000, \
        .type_text = "1ms to 30d"                                                                    \
    }
static const struct key timeouts_keys[] = {
    TIMEOUT(handshake, "10s", KEY_OFF,
            "A client's TLS handshake: the connection is closed. With an endpoint it is part of `connect`."),
    TIMEOUT(client_header, "10s", KEY_OFF, "From the first byte of a request head to its end: 408."),
    TIMEOUT(client_idle, "75s", KEY_OFF,
            "Between requests on a connection, silence inside a request body (408), and a client that takes "
            "nothing of the end of its answer."),
    TIMEOUT(connect, "2s", KEY_OFF, "Connecting to an endpoint; 504 past every retry."),
    TIMEOUT(first_byte, "120s", KEY_OFF, "Upstream silence before the response starts: 504."),
    TIMEOUT(stream_idle, "300s", KEY_OFF,
            "Silence inside a response (SSE) or an upgraded connection (WebSocket): the connection is cut."),
    TIMEOUT(
        total, "off", KEY_OFF,
        "From the end of the request's head to the last byte of the response, with every wait in a queue and "
        "every attempt: 504, or 408 when it is the client's body that is late; a response that has begun is "
        "cut."),
    TIMEOUT(
        tcp_user, "2m", KEY_OFF,
        "How long the other end of a TCP connection, client or endpoint, may leave what was sent or a "
        "keep-alive probe without an answer (TCP_USER_TIMEOUT): a machine that vanished without a word. One "
        "that is there and takes nothing for so long is cut off too. For connections made from then on."),
};
const struct section schema_timeouts = {.keys = timeouts_keys,
                                        .count = sizeof timeouts_keys / sizeof *timeouts_keys,
                                        .what = "`timeouts`",
                                        .size = sizeof(struct timeouts_config)};

// On a route or a pool: absent means inherited (config_timeouts()). A client's handshake is over before a
// route is known.
static const struct key own_timeouts_keys[] = {
    TIMEOUT(connect, NULL, KEY_OFF | KEY_INHERIT, "As in `timeouts`, for this one; inherited when absent."),
    TIMEOUT(first_byte, NULL, KEY_OFF | KEY_INHERIT, "As in `timeouts`."),
    TIMEOUT(stream_idle, NULL, KEY_OFF | KEY_INHERIT, "As in `timeouts`."),
    TIMEOUT(total, NULL, KEY_OFF | KEY_INHERIT,
            "As in `timeouts`. That of the chosen variant's pool holds for its fallback as well."),
    TIMEOUT(client_idle, NULL, KEY_OFF | KEY_INHERIT,
            "As in `timeouts`; between requests the global one applies, since no route is known yet."),
    TIMEOUT(client_header, NULL, KEY_OFF | KEY_INHERIT,
            "Accepted for symmetry; the global value applies, since no route is known yet."),
};
const struct section schema_own_timeouts = {.keys = own_timeouts_keys,
                                            .count = sizeof own_timeouts_keys / sizeof *own_timeouts_keys,
                                            .what = "`timeouts`",
                                            .size = sizeof(struct timeouts_config)};
