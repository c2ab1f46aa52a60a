// The keys of `fleet`.
#include "config/fleet.h"
#include "schema_client_tls.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct section tls = CLIENT_TLS_SECTION("etcd");

static const struct key etcd_keys[] = {
    {"endpoints", TYPE_STRINGS, offsetof(struct fleet_etcd_config, endpoints), .flags = KEY_REQUIRED,
     .form = &form_etcd_endpoint, .rules = "'minItems':1",
     .help =
         "Members of one etcd (version 3.4 or later), as `http://HOST:PORT` or `https://HOST:PORT`. One is "
         "asked as long as it answers, then the next."},
    {"prefix", TYPE_STRING, offsetof(struct fleet_etcd_config, prefix), .standard = "/sluice",
     .form = &form_etcd_prefix, .help = "Of all keys: the fleet is who shares it."},
    {"ttl", TYPE_DURATION, offsetof(struct fleet_etcd_config, ttl), .standard = "5s", .least = 2000,
     .most = 60000, .type_text = "2s to 1m",
     .help = "How long an instance that is not heard of belongs to the fleet, and leads it. Whole seconds."},
    {"tls", TYPE_OPTIONAL, offsetof(struct fleet_etcd_config, tls), .child = &tls,
     .help = "For https endpoints; absent: verified by the system's authorities."},
    {"username", TYPE_STRING, offsetof(struct fleet_etcd_config, username),
     .help = "Where etcd asks who one is; with `password_file`."},
    {"password_file", TYPE_PATH, offsetof(struct fleet_etcd_config, password_file),
     .help = "File with the password, which only the daemon and its group can read."},
};
static const struct section etcd = {.keys = etcd_keys,
                                    .count = COUNT(etcd_keys),
                                    .what = "`etcd`",
                                    .rules = "'dependencies':{'username':['password_file'],"
                                             "'password_file':['username']}",
                                    .size = sizeof(struct fleet_etcd_config),
                                    .place_offset = 1 + offsetof(struct fleet_etcd_config, place)};

// `etcd` or {prometheus: URL}.
static void read_evidence(struct settle *settle, const struct node *node, void *field) {
    const char **url = field;
    *url = NULL;
    if (node->kind == NODE_SCALAR && strcmp(node->text, "etcd") == 0)
        return;
    const struct pair *pair = node->kind == NODE_MAP && node->count == 1 ? node->pairs : NULL;
    if (!pair || strcmp(pair->key, "prometheus") != 0) {
        settle_wrong(settle, node, "`evidence`", "`etcd` or {prometheus: URL}");
    } else if (settle_kind(settle, pair->value, NODE_SCALAR, "`prometheus`")) {
        *url = pair->value->text;
        report_note(settle->report, field, pair->value->place, false);
    }
}

static const struct key fleet_keys[] = {
    {"instance", TYPE_NAME, offsetof(struct fleet_config, instance),
     .help = "Name of this instance in the fleet; absent: host name and port."},
    {"etcd", TYPE_STRUCT, offsetof(struct fleet_config, etcd), .child = &etcd, .flags = KEY_REQUIRED,
     .help = "Where the fleet meets."},
    {"evidence", TYPE_CUSTOM, offsetof(struct fleet_config, prometheus), .read = read_evidence,
     .standard = "etcd", .type_text = "`etcd` or {prometheus: URL}",
     .rules =
         "'anyOf':[{'enum':['etcd']},{'type':'object','additionalProperties':false,'required':['prometheus'],"
         "'properties':{'prometheus':{'type':'string','pattern':'^https?://[^/:?#]|" VARIABLE "'}}},"
         "{'type':'string','pattern':'" VARIABLE "'}]",
     .help =
         "By which way the leader gets what all have counted: they write it to etcd, or Prometheus scrapes "
         "it and is asked (see fleet.md)."},
};
const struct section schema_fleet = {.keys = fleet_keys,
                                     .count = COUNT(fleet_keys),
                                     .what = "`fleet`",
                                     .size = sizeof(struct fleet_config),
                                     .place_offset = 1 + offsetof(struct fleet_config, place)};
