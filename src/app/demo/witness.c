#include "witness.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct witness *witness_new(unsigned users, uint64_t now_ns) {
    struct witness *witness = mem_zero(1, sizeof *witness);
    witness->users = users;
    witness->user_variant = mem_zero(users, sizeof *witness->user_variant);
    witness->begun_ns = now_ns;
    return witness;
}

void witness_free(struct witness *witness) {
    if (witness)
        mem_free(witness->user_variant);
    mem_free(witness);
}

int witness_find(const struct witness *witness, const char *name) {
    for (int i = 0; i < witness->count; i++)
        if (strcmp(witness->variants[i].name, name) == 0)
            return i;
    return -1;
}

// The last place is shared by all that come after it is taken: there are never so many.
static int find_or_add(struct witness *witness, const char *name) {
    int index = witness_find(witness, name);
    if (index >= 0)
        return index;
    if (witness->count == WITNESS_VARIANTS)
        return WITNESS_VARIANTS - 1;
    snprintf(witness->variants[witness->count].name, WITNESS_NAME, "%s", name);
    return witness->count++;
}

void witness_advance(struct witness *witness, uint64_t now_ns) {
    uint64_t second = (now_ns - witness->begun_ns) / NS_PER_S;
    uint64_t first = second > witness->second + WITNESS_SLOTS ? second - WITNESS_SLOTS : witness->second;
    for (uint64_t s = first + 1; s <= second; s++)
        for (int i = 0; i < witness->count; i++)
            memset(&witness->variants[i].slots[s % WITNESS_SLOTS], 0, sizeof(struct witness_count));
    witness->second = second;
}

static void count_visit(struct witness_count *count, const struct witness_visit *visit) {
    count->requests++;
    if (!visit->good)
        count->errors++;
    else
        histogram_add(visit->stream ? &count->first_byte : &count->whole, visit->duration_us);
}

static void place_user(struct witness *witness, unsigned user, int index) {
    uint8_t before = witness->user_variant[user];
    if (before == index + 1)
        return;
    if (before) {
        witness->variants[before - 1].users--;
        witness->users_moved++;
    } else {
        witness->users_seen++;
    }
    witness->variants[index].users++;
    witness->user_variant[user] = (uint8_t)(index + 1);
}

void witness_add(struct witness *witness, const struct witness_visit *visit) {
    int index = find_or_add(witness, visit->variant ? visit->variant : "");
    struct witness_variant *variant = &witness->variants[index];
    count_visit(&variant->total, visit);
    count_visit(&variant->slots[witness->second % WITNESS_SLOTS], visit);
    witness->requests++;
    if (!visit->good && !visit->expected)
        witness->failures++;
    if (visit->good)
        place_user(witness, visit->user, index);
}

static void merge(struct witness_count *sum, const struct witness_count *count) {
    sum->requests += count->requests;
    sum->errors += count->errors;
    histogram_merge(&sum->whole, &count->whole);
    histogram_merge(&sum->first_byte, &count->first_byte);
}

// The current second is not over: it is left out.
static double sum_window(const struct witness *witness, int index, struct witness_count *sum) {
    uint64_t seconds = witness->second < WITNESS_SLOTS - 1 ? witness->second : WITNESS_SLOTS - 1;
    for (uint64_t back = 1; back <= seconds; back++)
        merge(sum, &witness->variants[index].slots[(witness->second - back) % WITNESS_SLOTS]);
    return (double)seconds;
}

static double sum_total(const struct witness *witness, int index, uint64_t now_ns,
                        struct witness_count *sum) {
    *sum = witness->variants[index].total;
    return (double)(now_ns - witness->begun_ns) / (double)NS_PER_S;
}

void witness_read(const struct witness *witness, int index, bool total, uint64_t now_ns,
                  struct witness_figures *figures) {
    uint64_t requests = 0, users = 0;
    double seconds = 0;
    struct witness_count own = {0};
    for (int i = 0; i < witness->count; i++) {
        struct witness_count sum = {0};
        seconds = total ? sum_total(witness, i, now_ns, &sum) : sum_window(witness, i, &sum);
        requests += sum.requests;
        users += witness->variants[i].users;
        if (i == index)
            own = sum;
    }
    *figures = (struct witness_figures){
        .requests_share = requests ? (double)own.requests / (double)requests : 0,
        .users_share = users ? (double)witness->variants[index].users / (double)users : 0,
        .per_second = seconds > 0 ? (double)own.requests / seconds : 0,
        .requests = own.requests,
        .errors = own.errors,
        .p50_ms = histogram_quantile(&own.whole, 0.5) / 1e3,
        .p95_ms = histogram_quantile(&own.whole, 0.95) / 1e3,
        .first_byte_ms = histogram_quantile(&own.first_byte, 0.5) / 1e3,
    };
}
