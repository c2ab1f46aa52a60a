// What all instances have counted, taken together by the one who leads.
#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "share_inside.h"

#include <math.h>
#include <string.h>

#define GROUPS_NS (UINT64_C(10) * NS_PER_S) // at most so often are they added up: it takes time

void share_forget_heard(struct share *share) {
    for (size_t i = 0; i < share->heard_count; i++) {
        strbuf_free(&share->heard[i]->groups);
        mem_free(share->heard[i]);
    }
    mem_free(share->heard);
    share->heard = NULL;
    share->heard_count = share->heard_room = 0;
}

// Where the instance is, or belongs.
static size_t place_of(const struct share *share, const char *id) {
    size_t low = 0, high = share->heard_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(share->heard[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct heard *heard_of(struct share *share, struct slice name) {
    char id[sizeof share->heard[0]->id] = "";
    if (name.len >= sizeof id)
        return NULL;
    memcpy(id, name.at, name.len);
    size_t at = place_of(share, id);
    if (at < share->heard_count && strcmp(share->heard[at]->id, id) == 0)
        return share->heard[at];
    if (share->heard_count == share->heard_room) {
        share->heard_room = share->heard_room ? 2 * share->heard_room : 8;
        share->heard = mem_resize(share->heard, share->heard_room * sizeof *share->heard);
    }
    struct heard *heard = mem_zero(1, sizeof *heard);
    memcpy(heard->id, id, sizeof id);
    heard->log_e = NAN;
    memmove(share->heard + at + 1, share->heard + at, (share->heard_count - at) * sizeof *share->heard);
    share->heard[at] = heard;
    share->heard_count++;
    return heard;
}

// Bytes of base64; false: it is none.
static bool decoded(const json_t *text, struct strbuf *bytes) {
    const char *coded = json_string_value(text);
    size_t len;
    if (!coded)
        return false;
    struct slice from = slice_of(coded);
    char *room = mem_alloc(BASE64_BYTES(from.len) + 1);
    bool read = base64_read(from, room, &len);
    strbuf_clear(bytes);
    if (read)
        strbuf_append(bytes, room, len);
    mem_free(room);
    return read;
}

static bool fits(const struct share *share, const struct tally *tally) {
    const struct controller *controller = share->controller;
    return tally->epoch == share->record.epoch && trial_fits(&controller->trial, tally) &&
           (!controller->contest || contest_fits(controller->contest, tally));
}

void share_hear_tally(struct share *share, struct slice id, const struct tally *tally, uint32_t shares,
                      double log_e) {
    // Of another epoch: it has not heard of this one yet, or this instance has not.
    struct heard *heard = tally->epoch == share->record.epoch ? heard_of(share, id) : NULL;
    if (!heard)
        return;
    if (!fits(share, tally)) {
        log_debug("an instance's figures are not taken", "route=%s instance=%s", share->controller->name,
                  heard->id);
        return;
    }
    heard->tally = *tally;
    heard->news = true;
    heard->shares = shares;
    heard->log_e = log_e;
}

static void hear_tally(struct share *share, struct slice id, json_t *reported) {
    struct strbuf bytes = {0};
    struct tally tally;
    struct error error = {{0}};
    const json_t *ratio = json_object_get(reported, "sample_ratio");
    bool read = decoded(json_object_get(reported, "tally"), &bytes) &&
                tally_read(strbuf_as_slice(&bytes), &tally, &error);
    strbuf_free(&bytes);
    if (read)
        share_hear_tally(share, id, &tally, (uint32_t)json_integer_value(json_object_get(reported, "shares")),
                         json_is_number(ratio) ? json_number_value(ratio) : NAN);
    else
        log_debug("an instance's figures are not taken", "route=%s instance=%.*s error=\"%s\"",
                  share->controller->name, (int)id.len, id.at, error.text);
}

void share_hear(struct share *share, struct slice id, enum fleet_report what, json_t *reported) {
    if ((uint32_t)json_integer_value(json_object_get(reported, "epoch")) != share->record.epoch)
        return;
    struct heard *heard = what == FLEET_TALLY ? NULL : heard_of(share, id);
    if (what == FLEET_TALLY)
        hear_tally(share, id, reported);
    else if (heard)
        share->groups_news =
            decoded(json_object_get(reported, "groups"), &heard->groups) || share->groups_news;
}

// Units hang together over instances: their groups add up, also of those that have gone.
static void take_groups(struct share *share) {
    static struct tally_groups all, one; // large; one thread
    struct error error;
    uint64_t now = clock_monotonic_ns();
    if (!share->groups_news || now - share->groups_ns < GROUPS_NS)
        return;
    share->groups_news = false;
    share->groups_ns = now;
    tally_groups_reset(&all, share->record.epoch);
    for (size_t i = 0; i < share->heard_count; i++) {
        struct slice groups = strbuf_as_slice(&share->heard[i]->groups);
        if (groups.len && tally_groups_read(groups, &one, &error) && one.epoch == share->record.epoch)
            tally_groups_add(&all, &one);
    }
    trial_take_groups(&share->controller->trial, &all);
    if (share->controller->contest)
        contest_take_groups(share->controller->contest, &all);
}

// Each instance tests its own units; who has gone keeps its value while the weights are the same.
static void take_ratio(struct share *share) {
    size_t count = 0;
    double *values = mem_zero(share->heard_count + 1, sizeof *values);
    for (size_t i = 0; i < share->heard_count; i++)
        if (share->heard[i]->shares == share->record.shares)
            values[count++] = share->heard[i]->log_e;
    trial_take_ratio(&share->controller->trial, sample_ratio_pool(values, count));
    mem_free(values);
}

void share_take_evidence(struct share *share, int64_t elapsed_ms) {
    static struct tally more; // large; one thread
    struct controller *controller = share->controller;
    tally_reset(&more, share->record.epoch);
    for (size_t i = 0; i < share->heard_count; i++) {
        struct heard *heard = share->heard[i];
        if (heard->news && !ledger_take(share->ledger, slice_of(heard->id), &heard->tally, &more))
            log_debug("an instance counts less than before, its figures are not taken",
                      "route=%s instance=%s", controller->name, heard->id);
        heard->news = false;
    }
    controller_watch(controller, &controller->trial);
    trial_take(&controller->trial, &more, elapsed_ms);
    if (controller->contest)
        contest_take(controller->contest, &more);
    take_groups(share);
    take_ratio(share);
    controller_judge(controller);
}
