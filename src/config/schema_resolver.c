// The keys of `resolver`.
#include "schema.h"

static const struct key resolver_keys[] = {
    {"servers", TYPE_STRINGS, offsetof(struct resolver_config, servers), .form = &form_dns_server,
     .help = "DNS servers, `10.0.0.53:53` or `[2001:db8::53]:53`; absent: those of /etc/resolv.conf, read at "
             "start "
             "and on reload. /etc/hosts is always looked into first."},
    {"timeout", TYPE_DURATION, offsetof(struct resolver_config, timeout), .standard = "5s", .least = 100,
     .most = 60000, .type_text = "100ms to 1m",
     .help = "How long an answer may take, all servers and tries together."},
    {"refresh", TYPE_DURATION, offsetof(struct resolver_config, refresh), .standard = "30s", .least = 1000,
     .most = 3600000, .type_text = "1s to 1h",
     .help = "When a name is asked for again whose addresses have no time to live (/etc/hosts, TTL 0). "
             "Others: when that is over, at least after 1 s and at most after 1 h."},
};
const struct section schema_resolver = {.keys = resolver_keys,
                                        .count = sizeof resolver_keys / sizeof *resolver_keys,
                                        .what = "`resolver`",
                                        .size = sizeof(struct resolver_config),
                                        .place_offset = 1 + offsetof(struct resolver_config, place)};
