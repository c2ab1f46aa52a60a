// The list of decisions here: each of the fleet's once and in order, those too that were made while this
// instance was away.
#include "base/log.h"
#include "share_inside.h"

#include <string.h>

struct share_past {      // decisions that are being read
    struct share *share; // NULL: they are not wanted any more
};

void share_forget_past(struct share *share) {
    if (share->past)
        share->past->share = NULL;
    share->past = NULL;
}

static void list(struct share *share, struct slice decision) {
    struct controller *controller = share->controller;
    struct error error;
    if (!journal_decide(controller->journal, decision, &error))
        log_error("a decision is missing in decisions.jsonl", "route=%s error=\"%s\"", controller->name,
                  error.text);
}

static uint64_t number_of(struct slice decision) {
    json_t *root = json_loadb(decision.at, decision.len, 0, NULL);
    json_int_t number = json_integer_value(json_object_get(root, "number"));
    json_decref(root);
    return number > 0 ? (uint64_t)number : 0;
}

// ---- what the list has

struct newest { // line of the route in it
    const char *route;
    uint64_t number;
};

// What was decided here alone bears no number of the fleet's.
static bool of_fleet(struct slice line, void *context) {
    struct newest *newest = context;
    json_t *root = json_loadb(line.at, line.len, 0, NULL);
    const char *route = json_string_value(json_object_get(root, "route"));
    const char *because = json_string_value(json_object_get(root, "because"));
    bool is = route && strcmp(route, newest->route) == 0 && because &&
              strncmp(because, SHARE_ALONE, strlen(SHARE_ALONE)) != 0;
    if (is)
        newest->number = (uint64_t)json_integer_value(json_object_get(root, "number"));
    json_decref(root);
    return is;
}

static void ignore_line(struct slice line, void *context) {
    (void)line, (void)context;
}

void share_find_listed(struct share *share) {
    struct newest newest = {.route = share->controller->name};
    journal_read(share->controller->journal, 1, of_fleet, ignore_line, &newest);
    share->listed = newest.number;
}

// ---- what it gets

static void list_newest(struct share *share) {
    struct controller *controller = share->controller;
    if (controller->decision_number > share->listed)
        list(share, strbuf_as_slice(&controller->decision));
    share->listed = controller->decision_number;
}

static void came(const struct slice *decisions, size_t count, const struct error *error, void *context) {
    struct share_past *past = context;
    struct share *share = past->share;
    mem_free(past);
    if (!share)
        return;
    share->past = NULL;
    if (error) { // it is asked again by the next tick
        log_debug("decisions of the fleet from before cannot be read", "route=%s error=\"%s\"",
                  share->controller->name, error->text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t number = number_of(decisions[i]);
        if (number <= share->listed || number >= share->controller->decision_number)
            continue;
        list(share, decisions[i]);
        share->listed = number;
    }
    list_newest(share);
}

void share_list_decision(struct share *share) {
    const struct controller *controller = share->controller;
    struct fleet *fleet = share_fleet(share);
    if (share->past || controller->decision_number == share->listed || !controller->decision.len)
        return; // it comes after those, or is there
    if (controller->decision_number <= share->listed + 1 || !fleet) {
        list_newest(share);
        return;
    }
    share->past = mem_zero(1, sizeof *share->past);
    share->past->share = share;
    fleet_read_decisions(fleet, slice_of(controller->name), share->listed, came, share->past);
}
