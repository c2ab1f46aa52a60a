// The schema of `rollout`.
#include "config/rollout.h"
#include "schema.h"
#include "schema_rules.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SECTION(keys_, ...) \
    { .keys = keys_, .count = COUNT(keys_), __VA_ARGS__ }

static const struct key smoke_keys[] = {
    {"request", TYPE_STRUCT, offsetof(struct smoke_test_config, request), .child = &schema_probe_request,
     .help = "What is sent."},
    {"expect", TYPE_STRUCT, offsetof(struct smoke_test_config, expect), .child = &schema_probe_expect,
     .help = "What must come back."},
};
static const struct section smoke =
    SECTION(smoke_keys, .what = "a smoke test", .size = sizeof(struct smoke_test_config),
            .place_offset = 1 + offsetof(struct smoke_test_config, place));

static const struct key evaluation_keys[] = {
    {"file", TYPE_PATH, offsetof(struct evaluation_config, file), .flags = KEY_REQUIRED,
     .help = "JSON file of the model registry, of the candidate."},
    {"json", TYPE_STRING, offsetof(struct evaluation_config, json), .flags = KEY_REQUIRED,
     .form = &form_pointer, .help = "JSON pointer to the score."},
    {"min", TYPE_NUMBER, offsetof(struct evaluation_config, min),
     .help = "The least it must be. May be left out beside `baseline`."},
    {"baseline", TYPE_PATH, offsetof(struct evaluation_config, baseline),
     .help = "The same file of the baseline: the candidate's score must not be lower by more than `margin`."},
    {"margin", TYPE_NUMBER, offsetof(struct evaluation_config, margin), .standard = "0", .least = 0,
     .most = 1000000000, .help = "Needs `baseline`."},
};
static const struct section evaluation = SECTION(
    evaluation_keys, .what = "`evaluation`", .size = sizeof(struct evaluation_config),
    .rules = "'anyOf':[{'required':['min']},{'required':['baseline']}],'if':{'properties':{'margin':{"
             "'type':'number','exclusiveMinimum':0}},'required':['margin']},'then':{'required':['baseline']}",
    .place_offset = 1 + offsetof(struct evaluation_config, place));

static const struct key before_keys[] = {
    {"smoke_tests", TYPE_LIST, offsetof(struct before_config, smoke_tests),
     offsetof(struct before_config, smoke_test_count), .child = &smoke,
     .help = "Requests to the candidate that must succeed."},
    {"evaluation", TYPE_OPTIONAL, offsetof(struct before_config, evaluation), .child = &evaluation,
     .help = "A score that must be reached."},
};
static const struct section before =
    SECTION(before_keys, .what = "`before`", .size = sizeof(struct before_config));

static const struct key step_keys[] = {
    {"weight", TYPE_PERCENT, offsetof(struct step_config, weight), .flags = KEY_UNSET, .least = 0,
     .most = SHARE_WHOLE, .type_text = "0 to 100", .help = "Percent for the candidate."},
    {"for", TYPE_DURATION, offsetof(struct step_config, duration), .standard = "0",
     .help = "How long at least."},
    {"min_requests", TYPE_INTEGER, offsetof(struct step_config, min_requests), .standard = "0", .least = 0,
     .most = 1000000000, .help = "How many requests of the candidate at least."},
    {"pause", TYPE_CUSTOM, offsetof(struct step_config, pause), .read = read_step, .type_text = "`manual`",
     .form = &form_pause, .help = "Wait for `sluice promote`."},
};
static const struct section step =
    SECTION(step_keys, .what = "a step", .size = sizeof(struct step_config),
            .rules = "'oneOf':[{'required':['weight']},{'required':['pause']}]",
            .place_offset = 1 + offsetof(struct step_config, place));

static const struct key prometheus_keys[] = {
    {"url", TYPE_STRING, offsetof(struct prometheus_config, url), .flags = KEY_REQUIRED, .form = &form_url,
     .help = "Of the server."},
    {"query", TYPE_STRING, offsetof(struct prometheus_config, query), .flags = KEY_REQUIRED,
     .help = "PromQL; `$variant` is replaced."},
};
static const struct section prometheus =
    SECTION(prometheus_keys, .what = "`prometheus`", .size = sizeof(struct prometheus_config),
            .place_offset = 1 + offsetof(struct prometheus_config, place));

static const struct key guard_keys[] = {
    {"margin", TYPE_NUMBER, offsetof(struct guard_config, margin), .standard = "0", .least = 0,
     .most = 1000000,
     .help = "How much worse still counts as not worse: points of a rate or score, percent of the baseline's "
             "for latencies and cost."},
    {"prometheus", TYPE_OPTIONAL, offsetof(struct guard_config, prometheus), .child = &prometheus,
     .help = "A metric from Prometheus."},
    {"max", TYPE_NUMBER, offsetof(struct guard_config, max), .help = "The most a Prometheus metric may be."},
};
static const struct section guard =
    SECTION(guard_keys, .what = "a guard", .size = sizeof(struct guard_config), .rules = GUARD_RULES,
            .place_offset = 1 + offsetof(struct guard_config, place),
            .name_offset = 1 + offsetof(struct guard_config, name));

static const struct key hooks_keys[] = {
    {"before_step", TYPE_STRING, offsetof(struct hooks_config, before_step), .form = &form_url,
     .help = "URL; an answer other than 2xx holds the step."},
    {"on_promote", TYPE_STRING, offsetof(struct hooks_config, on_promote), .form = &form_url, .help = "URL."},
    {"on_rollback", TYPE_STRING, offsetof(struct hooks_config, on_rollback), .form = &form_url,
     .help = "URL."},
};
static const struct section hooks =
    SECTION(hooks_keys, .what = "`hooks`", .size = sizeof(struct hooks_config));

static const char *const notify_formats[] = {"json", "slack", NULL};
static const struct key notify_keys[] = {
    {"url", TYPE_STRING, offsetof(struct notify_config, url), .flags = KEY_REQUIRED, .form = &form_url,
     .help = "Where decisions are posted."},
    {"format", TYPE_ENUM, offsetof(struct notify_config, format), .choices = notify_formats,
     .standard = "json", .help = "Of the message."},
};
static const struct section notify =
    SECTION(notify_keys, .what = "`notify`", .size = sizeof(struct notify_config),
            .place_offset = 1 + offsetof(struct notify_config, place));

static const char *const directions[] = {"up", "down", NULL};
static const struct key goal_keys[] = {
    {"metric", TYPE_STRING, offsetof(struct goal_config, metric), .flags = KEY_REQUIRED,
     .help = "The metric that decides."},
    {"direction", TYPE_ENUM, offsetof(struct goal_config, direction), .choices = directions, .standard = "up",
     .help = "What is better."},
    {"margin", TYPE_NUMBER, offsetof(struct goal_config, margin), .standard = "0", .least = 0,
     .most = 1000000, .help = "How much better it must be."},
};
static const struct section goal =
    SECTION(goal_keys, .what = "`goal`", .size = sizeof(struct goal_config), .rules = GOAL_RULES,
            .place_offset = 1 + offsetof(struct goal_config, place));

#define FIELD(name) offsetof(struct rollout_config, name)
static const char *const strategies[] = {"canary", "blue_green", "rolling", "ab", NULL};
static const char *const starts[] = {"auto", "manual", NULL};
static const char *const inconclusives[] = {"hold", "promote", "rollback", NULL};
static const char *const winners[] = {"promote", "hold", NULL};
static const struct key rollout_keys[] = {
    {"strategy", TYPE_ENUM, FIELD(strategy), .choices = strategies, .flags = KEY_REQUIRED,
     .help = "How the candidate takes over."},
    {"baseline", TYPE_NAME, FIELD(baseline), .help = "The trusted variant; default: the first."},
    {"candidate", TYPE_NAME, FIELD(candidate),
     .help = "The variant under judgement; default: the only other one."},
    {"start", TYPE_ENUM, FIELD(start), .choices = starts, .standard = "auto",
     .help = "`auto`: when the candidate's `version` changes; `manual`: by `sluice promote`."},
    {"switch", TYPE_ENUM, FIELD(switch_over), .choices = starts, .standard = "auto",
     .help = "`blue_green`: when all weight moves."},
    {"before", TYPE_STRUCT, FIELD(before), .child = &before, .help = "Gates before the first step."},
    {"steps", TYPE_LIST, FIELD(steps), FIELD(step_count), .child = &step,
     .rules = "'minItems':1,'maxItems':64", .help = "`canary`: the stages."},
    {"guards", TYPE_NAMED, FIELD(guards), FIELD(guard_count), .child = &guard,
     .rules = "'allOf':[{" METRICS_RULES "}]",
     .help = "By metric: evidence of harm rolls back. `error_rate`, `latency_p50|p95|p99`, "
             "`ttft_p50|p95|p99`, `tokens_per_second`, "
             "`cost_per_request`, `quality`, any score posted as feedback, or any name with `prometheus`."},
    {"signals", TYPE_NAMED, FIELD(signals), FIELD(signal_count), .child = &guard,
     .rules = "'allOf':[{" METRICS_RULES "}]", .help = "Like guards, but harm only holds the step."},
    {"dry_run", TYPE_CUSTOM, FIELD(dry_run), .read = read_dry_run, .type_text = "list or `all`",
     .rules = "'anyOf':[{'enum':['all']},{'type':'array','items':{'type':['string','number','boolean'],"
              "'pattern':'^[0-9A-Za-z_][0-9A-Za-z_.-]{0,63}$|" VARIABLE
              "'}},{'type':'string','pattern':'" VARIABLE "'}]",
     .help = "Guards that are judged and shown, never acted on."},
    {"control", TYPE_BOOL, FIELD(control), .standard = "false",
     .help = "Compare with an equal slice of baseline units, not with all of it."},
    {"confidence", TYPE_NUMBER, FIELD(confidence), .standard = "95",
     .rules = "'minimum':50,'exclusiveMaximum':100",
     .help = "Percent; valid at every moment, however often it is looked at."},
    {"horizon", TYPE_DURATION, FIELD(horizon), .standard = "30s", .least = 1000, .most = 120000,
     .type_text = "1s to 2m",
     .help =
         "How long after its start a request may still become an error that counts; evidence is that old."},
    {"limits", TYPE_CUSTOM, FIELD(limits), .read = read_limits, .type_text = "mapping", .rules = LIMITS_RULES,
     .help = "Absolute limits by metric; no comparison needed."},
    {"inconclusive", TYPE_ENUM, FIELD(inconclusive), .choices = inconclusives, .standard = "hold",
     .help = "When a step's evidence is missing after `step_timeout`."},
    {"step_timeout", TYPE_DURATION, FIELD(step_timeout), .standard = "2h",
     .help = "How long evidence may take."},
    {"rollback", TYPE_CUSTOM, FIELD(rollback_over), .read = read_rollback,
     .type_text = "`instant` or mapping", .standard = "instant", .rules = ROLLBACK_RULES,
     .help = "`{over: 30s}` protects a cold baseline."},
    {"keep_warm", TYPE_DURATION, FIELD(keep_warm), .standard = "10m",
     .help = "One switch back is possible this long."},
    {"watch", TYPE_DURATION, FIELD(watch), .standard = "10m",
     .help = "Guards go on judging this long after 100 %."},
    {"hooks", TYPE_STRUCT, FIELD(hooks), .child = &hooks, .help = "URLs that are called."},
    {"notify", TYPE_LIST, FIELD(notify), FIELD(notify_count), .child = &notify,
     .help = "Who is told of decisions."},
    {"batch", TYPE_INTEGER, FIELD(batch), .standard = "1", .least = 1, .most = 10000,
     .help = "`rolling`: endpoints at once."},
    {"update", TYPE_STRING, FIELD(update), .form = &form_url,
     .help = "`rolling`: webhook that updates an endpoint."},
    {"goal", TYPE_OPTIONAL, FIELD(goal), .child = &goal, .help = "`ab`: what decides the winner."},
    {"max_duration", TYPE_DURATION, FIELD(max_duration), .standard = "off", .flags = KEY_OFF,
     .help = "`ab`: the longest it may take."},
    {"on_winner", TYPE_ENUM, FIELD(on_winner), .choices = winners, .standard = "hold",
     .help = "`ab`: what follows."},
};
const struct section schema_rollout =
    SECTION(rollout_keys, .what = "`rollout`", .size = sizeof(struct rollout_config), .rules = STRATEGY_RULES,
            .place_offset = 1 + FIELD(place));
