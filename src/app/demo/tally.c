#include "tally.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct tally *tally_new(unsigned users, uint64_t now_ns) {
    struct tally *tally = mem_zero(1, sizeof *tally);
    tally->users = users;
    tally->user_variant = mem_zero(users, sizeof *tally->user_variant);
    tally->begun_ns = now_ns;
    return tally;
}

void tally_free(struct tally *tally) {
    if (tally)
        mem_free(tally->user_variant);
    mem_free(tally);
}

int tally_find(const struct tally *tally, const char *name) {
    for (int i = 0; i < tally->count; i++)
        if (strcmp(tally->variants[i].name, name) == 0)
            return i;
    return -1;
}

// The last place is shared by all that come after it is taken: there are never so many.
static int find_or_add(struct tally *tally, const char *name) {
    int index = tally_find(tally, name);
    if (index >= 0)
        return index;
    if (tally->count == TALLY_VARIANTS)
        return TALLY_VARIANTS - 1;
    snprintf(tally->variants[tally->count].name, TALLY_NAME, "%s", name);
    return tally->count++;
}

void tally_advance(struct tally *tally, uint64_t now_ns) {
    uint64_t second = (now_ns - tally->begun_ns) / NS_PER_S;
    uint64_t first = second > tally->second + TALLY_SLOTS ? second - TALLY_SLOTS : tally->second;
    for (uint64_t s = first + 1; s <= second; s++)
        for (int i = 0; i < tally->count; i++)
            memset(&tally->variants[i].slots[s % TALLY_SLOTS], 0, sizeof(struct tally_count));
    tally->second = second;
}

static void count_visit(struct tally_count *count, const struct tally_visit *visit) {
    count->requests++;
    if (!visit->good)
        count->errors++;
    else
        histogram_add(visit->stream ? &count->first_byte : &count->whole, visit->duration_us);
}

static void place_user(struct tally *tally, unsigned user, int index) {
    uint8_t before = tally->user_variant[user];
    if (before == index + 1)
        return;
    if (before) {
        tally->variants[before - 1].users--;
        tally->users_moved++;
    } else {
        tally->users_seen++;
    }
    tally->variants[index].users++;
    tally->user_variant[user] = (uint8_t)(index + 1);
}

void tally_add(struct tally *tally, const struct tally_visit *visit) {
    int index = find_or_add(tally, visit->variant ? visit->variant : "");
    struct tally_variant *variant = &tally->variants[index];
    count_visit(&variant->total, visit);
    count_visit(&variant->slots[tally->second % TALLY_SLOTS], visit);
    tally->requests++;
    if (!visit->good && !visit->expected)
        tally->failures++;
    if (visit->good)
        place_user(tally, visit->user, index);
}

static void merge(struct tally_count *sum, const struct tally_count *count) {
    sum->requests += count->requests;
    sum->errors += count->errors;
    histogram_merge(&sum->whole, &count->whole);
    histogram_merge(&sum->first_byte, &count->first_byte);
}

// The current second is not over: it is left out.
static double sum_window(const struct tally *tally, int index, struct tally_count *sum) {
    uint64_t seconds = tally->second < TALLY_SLOTS - 1 ? tally->second : TALLY_SLOTS - 1;
    for (uint64_t back = 1; back <= seconds; back++)
        merge(sum, &tally->variants[index].slots[(tally->second - back) % TALLY_SLOTS]);
    return (double)seconds;
}

static double sum_total(const struct tally *tally, int index, uint64_t now_ns, struct tally_count *sum) {
    *sum = tally->variants[index].total;
    return (double)(now_ns - tally->begun_ns) / (double)NS_PER_S;
}

void tally_read(const struct tally *tally, int index, bool total, uint64_t now_ns,
                struct tally_figures *figures) {
    uint64_t requests = 0, users = 0;
    double seconds = 0;
    struct tally_count own = {0};
    for (int i = 0; i < tally->count; i++) {
        struct tally_count sum = {0};
        seconds = total ? sum_total(tally, i, now_ns, &sum) : sum_window(tally, i, &sum);
        requests += sum.requests;
        users += tally->variants[i].users;
        if (i == index)
            own = sum;
    }
    *figures = (struct tally_figures){
        .requests_share = requests ? (double)own.requests / (double)requests : 0,
        .users_share = users ? (double)tally->variants[index].users / (double)users : 0,
        .per_second = seconds > 0 ? (double)own.requests / seconds : 0,
        .requests = own.requests,
        .errors = own.errors,
        .p50_ms = histogram_quantile(&own.whole, 0.5) / 1e3,
        .p95_ms = histogram_quantile(&own.whole, 0.95) / 1e3,
        .first_byte_ms = histogram_quantile(&own.first_byte, 0.5) / 1e3,
    };
}
