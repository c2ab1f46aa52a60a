#include "schema.h"

static const struct key keys[] = {
    {"learn", TYPE_CUSTOM, 0, .read = read_task_learn, .type_text = "list",
     .flags = KEY_REQUIRED | KEY_LISTED, .form = &form_task_learn, .rules = "'minItems':1,'maxItems':8",
     .help = "Where an answer has the id of the task that it began: `json POINTER`, `header NAME` (of a URL "
             "the last "
             "segment)."},
    {"use", TYPE_CUSTOM, 0, .read = read_task_use, .type_text = "list", .flags = KEY_REQUIRED | KEY_LISTED,
     .form = &form_task_use, .rules = "'minItems':1,'maxItems':8",
     .help = "Where a request may name a task, the first that is known counts: `path_segment`, `json "
             "POINTER`, `header "
             "NAME`, `query NAME`."},
    {"ttl", TYPE_DURATION, offsetof(struct affinity_config, ttl), .standard = "24h", .least = 1000,
     .most = INT64_C(365) * 24 * 3600 * 1000, .type_text = "1s to 365d",
     .help = "A task is forgotten so long after it was last asked for."},
    {"size", TYPE_INTEGER, offsetof(struct affinity_config, size), .standard = "100000", .least = 1,
     .most = 10000000,
     .help = "Tasks that are known at once; the one that was not asked for longest goes first."},
};
const struct section schema_affinity = {
    .what = "`affinity`",
    .size = sizeof(struct affinity_config),
    .place_offset = 1 + offsetof(struct affinity_config, place),
    .keys = keys,
    .count = sizeof keys / sizeof *keys,
};
