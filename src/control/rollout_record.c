#include "rollout_record.h"

#include "base/clock.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define FORMAT 1

// ---- writing

// JSON has no infinity: null stands for minus infinity, the only one that occurs.
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *write_process(const struct two_sample *process) {
    json_t *list = json_array();
    json_array_append_new(list, json_integer(process->count));
    json_array_append_new(list, json_integer(process->batches));
    json_array_append_new(list, json_integer(process->restarts));
    json_array_append_new(list, number(process->seen));
    json_array_append_new(list, number(process->events));
    json_array_append_new(list, number(process->settings.rho));
    json_array_append_new(list, number(process->settings.delta));
    for (unsigned i = 0; i < process->count; i++) {
        json_array_append_new(list, number(process->product[i]));
        json_array_append_new(list, number(process->restarted[i]));
    }
    return list;
}

static json_t *write_batch(const struct guard_batch *batch) {
    return json_pack("[f,f,f,f]", batch->baseline, batch->baseline_events, batch->candidate,
                     batch->candidate_events);
}

static json_t *write_mean(const struct mean *mean) {
    return json_pack("[f,f,f]", mean->count, mean->mean, mean->deviations);
}

static json_t *write_design(const struct design *design) {
    return json_pack("[f,f,f,f]", design->effect, design->requests, design->before, design->requests_before);
}

static json_t *write_guard(const struct guard *guard) {
    json_t *object =
        json_pack("{s:s, s:s, s:f, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                  "name", guard->settings.name, "role", guard_role_name(guard->settings.role), "margin",
                  guard->settings.margin, "limit", number(guard->settings.limit), "harmful", guard->harmful,
                  "watching", guard->watching, "harm", write_process(&guard->harm), "soon",
                  write_process(&guard->soon), "fine", write_process(&guard->fine), "step",
                  write_process(&guard->step), "watch", write_process(&guard->watch), "watch_soon",
                  write_process(&guard->watch_soon), "total", write_batch(&guard->total), "history",
                  write_batch(&guard->history), "baseline", write_mean(&guard->baseline), "candidate",
                  write_mean(&guard->candidate), "design", write_design(&guard->design));
    if (object && guard->settings.label)
        json_object_set_new(object, "variant", json_string(guard->settings.label));
    return object;
}

static json_t *write_trial(const struct trial *trial) {
    json_t *guards = json_array(), *designs = json_array();
    for (unsigned i = 0; i < trial->guard_count; i++)
        json_array_append_new(guards, write_guard(&trial->guards[i]));
    for (int kind = 0; kind < DESIGN_KINDS; kind++)
        json_array_append_new(designs, write_design(&trial->designs[kind]));
    return json_pack("{s:I, s:f, s:b, s:o, s:o}", "step_requests", (json_int_t)trial->step_requests, "share",
                     trial->share, "ratio_broken", trial->ratio_broken, "designs", designs, "guards", guards);
}

// Pairs in order: [0][1], [0][2] … [1][0] …; none where the goal is a mean.
static json_t *write_contest(const struct contest *contest) {
    json_t *totals = json_array(), *means = json_array(), *pairs = json_array();
    json_t *designs = json_array();
    for (unsigned i = 0; i < contest->settings.count; i++) {
        json_array_append_new(totals, write_batch(&contest->totals[i]));
        json_array_append_new(means, write_mean(&contest->means[i]));
        json_array_append_new(designs, write_design(&contest->designs[i]));
        for (unsigned k = 0; k < contest->settings.count; k++)
            json_array_append_new(pairs, write_process(&contest->pairs[i][k].evidence));
    }
    return json_pack("{s:s, s:f, s:o, s:o, s:o, s:o}", "goal", contest->settings.goal.name, "margin",
                     contest->settings.margin, "designs", designs, "totals", totals, "means", means, "pairs",
                     pairs);
}

static json_t *write_machine(const struct rollout_record *record) {
    const struct machine *machine = record->machine;
    const struct route_config *route = record->route;
    json_t *weights = json_object();
    for (size_t i = 0; i < route->variant_count; i++)
        json_object_set_new(weights, route->variants[i].name, json_integer(machine->weights[i]));
    const char *winner = machine->winner >= 0 && (size_t)machine->winner < route->variant_count
                             ? route->variants[machine->winner].name
                             : NULL;
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:i, s:i, s:i, s:s, s:I, s:I, s:I, s:s?, s:b, s:b}", "state",
                     rollout_state_name(machine->state), "hold", rollout_hold_name(machine->hold), "step",
                     (json_int_t)machine->step, "version", machine->version, "weights", weights, "reached",
                     (int)machine->reached, "asked", (int)machine->asked, "from_weight",
                     (int)machine->from_weight, "left", rollout_state_name(machine->left), "members",
                     (json_int_t)machine->members, "state_ms", (json_int_t)machine->state_ms, "total_ms",
                     (json_int_t)machine->total_ms, "winner", winner, "warm", machine->warm,
                     "skipped_by_person", machine->skipped_by_person);
}

void rollout_record_write(const struct rollout_record *record, struct strbuf *out) {
    const struct rollout_config *config = record->route->rollout;
    json_t *decision =
        record->decision.len ? json_loadb(record->decision.at, record->decision.len, 0, NULL) : json_null();
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:I, s:s%, s:o}", "format", FORMAT, "route",
        record->route->name, "strategy", rollout_strategy_name(config->strategy), "baseline",
        config->baseline, "candidate", config->candidate, "saved_ms", (json_int_t)clock_wall_ms(), "machine",
        write_machine(record), "trial", write_trial(record->trial), "decision_number",
        (json_int_t)record->decision_number, "because", record->because.at ? record->because.at : "",
        record->because.len, "decision", decision ? decision : json_null());
    if (root && record->contest)
        json_object_set_new(root, "contest", write_contest(record->contest));
    if (root && record->alone)
        json_object_set_new(root, "alone", json_true());
    must(root != NULL);
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    strbuf_string(out, text);
    free(text);
    json_decref(root);
}

// ---- reading

static double real(json_t *value) {
    return json_is_null(value) ? -INFINITY : json_number_value(value);
}

// Figures that no experiment has (negative ones, more events than requests) are left out, and what they are
// of begins anew: evidence of them may be a NaN, which is never as much as is needed, so that harm would not
// be found.

// A watch is made when it begins, so that the question is kept with it: a constant line.
static bool read_watch(json_t *list, struct two_sample *process) {
    double delta = real(json_array_get(list, 6));
    if (real(json_array_get(list, 5)) != 0 || !(delta > 0 && delta < 1))
        return false;
    process->count = (unsigned)json_integer_value(json_array_get(list, 0));
    process->settings = (struct two_sample_settings){.direction = TWO_SAMPLE_HARM,
                                                     .delta = delta,
                                                     .prior_mean = 0.01,
                                                     .prior_weight = 50,
                                                     .restart_every = 10,
                                                     .decay = 1};
    return true;
}

// Only into a process that asks the same question.
static void read_process(json_t *list, struct two_sample *process) {
    struct two_sample read = *process;
    if (json_array_size(list) != 7 + 2 * (size_t)json_integer_value(json_array_get(list, 0)))
        return;
    if (!process->count && !read_watch(list, &read))
        return;
    if (read.count > TWO_SAMPLE_MOST || read.count != (unsigned)json_integer_value(json_array_get(list, 0)) ||
        read.settings.rho != real(json_array_get(list, 5)) ||
        read.settings.delta != real(json_array_get(list, 6)))
        return;
    read.batches = (unsigned)json_integer_value(json_array_get(list, 1));
    read.restarts = (unsigned)json_integer_value(json_array_get(list, 2));
    read.seen = real(json_array_get(list, 3));
    read.events = real(json_array_get(list, 4));
    for (unsigned i = 0; i < read.count; i++) {
        read.product[i] = real(json_array_get(list, 7 + 2 * i));
        read.restarted[i] = real(json_array_get(list, 8 + 2 * i));
    }
    if (two_sample_holds(&read))
        *process = read;
}

static void read_batch(json_t *list, struct guard_batch *batch) {
    struct guard_batch read = {
        json_number_value(json_array_get(list, 0)), json_number_value(json_array_get(list, 1)),
        json_number_value(json_array_get(list, 2)), json_number_value(json_array_get(list, 3))};
    if (json_array_size(list) == 4 && guard_batch_holds(&read))
        *batch = read;
}

static void read_mean(json_t *list, struct mean *mean) {
    struct mean read = {json_number_value(json_array_get(list, 0)),
                        json_number_value(json_array_get(list, 1)),
                        json_number_value(json_array_get(list, 2))};
    if (json_array_size(list) == 3 && mean_holds(&read))
        *mean = read;
}

// A file without them is of a build that did not keep them.
static void read_design(json_t *list, struct design *design) {
    double read[4] = {0};
    for (size_t i = 0; i < 4; i++)
        read[i] = json_number_value(json_array_get(list, i));
    if (read[0] >= 1 && read[1] >= 0 && read[2] >= 1 && read[3] >= 0)
        *design = (struct design){read[0], read[1], read[2], read[3]};
}

static void read_designs(json_t *list, struct design *designs, size_t count) {
    for (size_t i = 0; i < count && json_array_size(list) == count; i++)
        read_design(json_array_get(list, i), &designs[i]);
}

static bool same_question(const struct guard *guard, json_t *object) {
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *role = json_string_value(json_object_get(object, "role"));
    json_t *limit = json_object_get(object, "limit");
    bool same_limit = json_is_null(limit) ? !isfinite(guard->settings.limit)
                                          : json_number_value(limit) == guard->settings.limit;
    const char *variant = json_string_value(json_object_get(object, "variant")),
               *label = guard->settings.label;
    bool same_variant = variant && label ? strcmp(variant, label) == 0 : !variant && !label;
    return name && role && same_variant && strcmp(name, guard->settings.name) == 0 &&
           (strcmp(role, "limit") == 0) == (guard->settings.role == GUARD_LIMIT) && same_limit &&
           json_number_value(json_object_get(object, "margin")) == guard->settings.margin;
}

static void read_guard(json_t *object, struct guard *guard) {
    guard->harmful = json_is_true(json_object_get(object, "harmful"));
    guard->watching = json_is_true(json_object_get(object, "watching"));
    read_process(json_object_get(object, "harm"), &guard->harm);
    read_process(json_object_get(object, "soon"), &guard->soon);
    read_process(json_object_get(object, "fine"), &guard->fine);
    read_process(json_object_get(object, "step"), &guard->step);
    read_process(json_object_get(object, "watch"), &guard->watch);
    read_process(json_object_get(object, "watch_soon"), &guard->watch_soon);
    read_batch(json_object_get(object, "total"), &guard->total);
    read_batch(json_object_get(object, "history"), &guard->history);
    read_mean(json_object_get(object, "baseline"), &guard->baseline);
    read_mean(json_object_get(object, "candidate"), &guard->candidate);
    read_design(json_object_get(object, "design"), &guard->design);
}

static void read_trial(json_t *object, struct trial *trial) {
    size_t i;
    json_t *kept;
    json_int_t requests = json_integer_value(json_object_get(object, "step_requests"));
    double share = json_number_value(json_object_get(object, "share"));
    trial->step_requests = requests > 0 ? (uint64_t)requests : 0;
    trial->share = share >= 0 && share <= 1 ? share : 0;
    trial->ratio_broken = json_is_true(json_object_get(object, "ratio_broken"));
    read_designs(json_object_get(object, "designs"), trial->designs, DESIGN_KINDS);
    json_array_foreach(json_object_get(object, "guards"), i,
                       kept) for (unsigned k = 0; k < trial->guard_count;
                                  k++) if (same_question(&trial->guards[k], kept))
        read_guard(kept, &trial->guards[k]);
}

// As long as the question and the number of arms are the same.
static void read_contest(json_t *object, struct contest *contest) {
    const char *goal = json_string_value(json_object_get(object, "goal"));
    json_t *totals = json_object_get(object, "totals"), *means = json_object_get(object, "means");
    json_t *pairs = json_object_get(object, "pairs");
    unsigned count = contest->settings.count;
    if (!goal || strcmp(goal, contest->settings.goal.name) != 0 || json_array_size(totals) != count ||
        json_array_size(means) != count || json_array_size(pairs) != (size_t)count * count ||
        json_number_value(json_object_get(object, "margin")) != contest->settings.margin)
        return;
    read_designs(json_object_get(object, "designs"), contest->designs, count);
    for (unsigned i = 0; i < count; i++) {
        read_batch(json_array_get(totals, i), &contest->totals[i]);
        read_mean(json_array_get(means, i), &contest->means[i]);
        for (unsigned k = 0; k < count; k++)
            read_process(json_array_get(pairs, (size_t)i * count + k), &contest->pairs[i][k].evidence);
    }
}

static bool named(const char *name, const char *(*name_of)(int), int count, int *out) {
    for (int i = 0; name && i < count; i++) {
        if (strcmp(name_of(i), name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static const char *state_of(int i) {
    return rollout_state_name((enum rollout_state)i);
}

static const char *hold_of(int i) {
    return rollout_hold_name((enum rollout_hold)i);
}

static int variant_index(const struct route_config *route, const char *name) {
    for (size_t i = 0; name && i < route->variant_count; i++)
        if (strcmp(route->variants[i].name, name) == 0)
            return (int)i;
    return -1;
}

// False when they are not 10,000 together: a variant that is gone had some.
static bool read_weights(json_t *object, const struct route_config *route, uint16_t *weights) {
    const char *name;
    json_t *value;
    json_int_t sum = 0;
    memset(weights, 0, SPLIT_ARMS * sizeof *weights);
    json_object_foreach(object, name, value) {
        int index = variant_index(route, name);
        json_int_t weight = json_integer_value(value);
        if (index < 0 || weight < 0 || weight > SHARE_WHOLE)
            continue;
        weights[index] = (uint16_t)weight;
        sum += weight;
    }
    return sum == SHARE_WHOLE;
}

static bool below_whole(json_t *object, const char *key) {
    json_int_t weight = json_integer_value(json_object_get(object, key));
    return weight >= 0 && weight <= SHARE_WHOLE;
}

static bool read_machine(json_t *object, const struct rollout_record *record, bool *whole,
                         struct error *error) {
    struct machine machine = {.winner = -1};
    int state, hold, left;
    const char *version = json_string_value(json_object_get(object, "version"));
    json_int_t step = json_integer_value(json_object_get(object, "step"));
    json_int_t state_ms = json_integer_value(json_object_get(object, "state_ms"));
    json_int_t total_ms = json_integer_value(json_object_get(object, "total_ms"));
    if (!named(json_string_value(json_object_get(object, "state")), state_of, ROLLOUT_STATES, &state) ||
        !named(json_string_value(json_object_get(object, "left")), state_of, ROLLOUT_STATES, &left) ||
        !named(json_string_value(json_object_get(object, "hold")), hold_of, ROLLOUT_HOLDS, &hold))
        return error_set(error, "its state or hold is not known");
    if (!version || strlen(version) >= sizeof machine.version || step < 0 || step > 1000000 || state_ms < 0 ||
        total_ms < 0 || !below_whole(object, "reached") || !below_whole(object, "asked") ||
        !below_whole(object, "from_weight"))
        return error_set(error, "its version, step, times or weights cannot be");
    machine.state = (enum rollout_state)state;
    machine.hold = (enum rollout_hold)hold;
    machine.left = (enum rollout_state)left;
    machine.step = (unsigned)step;
    machine.state_ms = state_ms;
    machine.total_ms = total_ms;
    memcpy(machine.version, version, strlen(version) + 1);
    machine.members = (uint64_t)json_integer_value(json_object_get(object, "members"));
    machine.reached = (uint16_t)json_integer_value(json_object_get(object, "reached"));
    machine.asked = (uint16_t)json_integer_value(json_object_get(object, "asked"));
    machine.from_weight = (uint16_t)json_integer_value(json_object_get(object, "from_weight"));
    machine.winner = variant_index(record->route, json_string_value(json_object_get(object, "winner")));
    machine.warm = json_is_true(json_object_get(object, "warm"));
    machine.skipped_by_person = json_is_true(json_object_get(object, "skipped_by_person"));
    *whole = read_weights(json_object_get(object, "weights"), record->route, machine.weights);
    *record->machine = machine;
    return true;
}

static void read_decision(json_t *root, struct rollout_record *record) {
    json_t *decision = json_object_get(root, "decision");
    const char *because = json_string_value(json_object_get(root, "because"));
    record->decision_number = (uint64_t)json_integer_value(json_object_get(root, "decision_number"));
    if (because)
        strbuf_string(&record->because, because);
    if (!json_is_object(decision))
        return;
    char *text = json_dumps(decision, JSON_COMPACT | JSON_REAL_PRECISION(17));
    strbuf_string(&record->decision, text);
    free(text);
}

static bool same_text(json_t *root, const char *key, const char *text) {
    const char *kept = json_string_value(json_object_get(root, key));
    return kept && text && strcmp(kept, text) == 0;
}

bool rollout_record_read(struct rollout_record *record, struct slice text, bool *same, struct error *error) {
    const struct rollout_config *config = record->route->rollout;
    json_error_t why;
    bool whole = false;
    json_t *root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(error, "it is no JSON object: %s", root ? "another value" : why.text);
    }
    bool read = json_integer_value(json_object_get(root, "format")) == FORMAT ||
                error_set(error, "its format is not %d", FORMAT);
    read = read && read_machine(json_object_get(root, "machine"), record, &whole, error);
    if (read) {
        read_trial(json_object_get(root, "trial"), record->trial);
        read_decision(root, record);
        record->alone = json_is_true(json_object_get(root, "alone"));
        if (record->contest)
            read_contest(json_object_get(root, "contest"), record->contest);
        *same = whole && same_text(root, "strategy", rollout_strategy_name(config->strategy)) &&
                same_text(root, "baseline", config->baseline) &&
                same_text(root, "candidate", config->candidate);
    }
    json_decref(root);
    return read;
}
