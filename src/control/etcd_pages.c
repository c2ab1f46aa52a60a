#include "etcd_pages.h"

#include "base/arena.h"
#include "base/mem.h"
#include "etcd_inside.h"

#define PAGE_KEYS   128
#define PAGE_SMALL  (ETCD_ANSWER_BYTES / 8) // twice as much still fits, in base64 too
#define ARENA_BYTES 65536

struct etcd_pages {
    struct etcd *etcd;
    struct etcd_call *call;
    struct etcd_range range; // of the page under way; its slices lie in the arena
    int64_t missing;         // pairs that are still wanted
    int64_t keys;            // of the next page, at most
    struct arena arena;
    struct etcd_pair *pairs;
    size_t count, room;
    void (*done)(const struct etcd_answer *answer, void *context);
    void *context;
};

static void pages_free(struct etcd_pages *pages) {
    arena_free(&pages->arena);
    mem_free(pages->pairs);
    mem_free(pages);
}

static void finish(struct etcd_pages *pages, const struct etcd_answer *answer) {
    pages->done(answer, pages->context);
    pages_free(pages);
}

// Copied: an answer lives no longer than its callback. How many bytes they are.
static size_t keep(struct etcd_pages *pages, const struct etcd_answer *answer) {
    size_t bytes = 0;
    if (pages->count + answer->pair_count > pages->room) {
        pages->room = 2 * (pages->count + answer->pair_count);
        pages->pairs = mem_resize(pages->pairs, pages->room * sizeof *pages->pairs);
    }
    for (size_t i = 0; i < answer->pair_count; i++) {
        struct etcd_pair *pair = &pages->pairs[pages->count++];
        *pair = answer->pairs[i];
        pair->key = arena_copy(&pages->arena, pair->key);
        pair->value = arena_copy(&pages->arena, pair->value);
        bytes += pair->key.len + pair->value.len;
    }
    return bytes;
}

static void read_page(struct etcd_pages *pages);

static void page_came(const struct etcd_answer *answer, void *context) {
    struct etcd_pages *pages = context;
    pages->call = NULL;
    if (answer->too_large && pages->range.limit > 1) {
        pages->keys = pages->range.limit / 2;
        read_page(pages);
        return;
    }
    if (answer->error) {
        finish(pages, answer);
        return;
    }
    if (keep(pages, answer) < PAGE_SMALL && pages->keys < PAGE_KEYS)
        pages->keys *= 2;
    pages->missing -= (int64_t)answer->pair_count;
    if (!pages->range.revision)
        pages->range.revision = answer->revision;
    if (answer->more && answer->pair_count && pages->missing > 0) {
        struct slice last = pages->pairs[pages->count - 1].key;
        *(pages->range.descending ? &pages->range.before : &pages->range.after) = last;
        read_page(pages);
        return;
    }
    finish(pages, &(struct etcd_answer){.revision = pages->range.revision,
                                        .more = answer->more,
                                        .pairs = pages->pairs,
                                        .pair_count = pages->count});
}

static void read_page(struct etcd_pages *pages) {
    pages->range.limit = pages->missing < pages->keys ? pages->missing : pages->keys;
    pages->call = etcd_range(pages->etcd, &pages->range, page_came, pages);
}

struct etcd_pages *etcd_pages_read(struct etcd *etcd, const struct etcd_range *range,
                                   void (*done)(const struct etcd_answer *answer, void *context),
                                   void *context) {
    struct etcd_pages *pages = mem_zero(1, sizeof *pages);
    pages->etcd = etcd;
    pages->done = done;
    pages->context = context;
    pages->missing = range->limit ? range->limit : INT64_MAX;
    pages->keys = PAGE_KEYS;
    arena_init(&pages->arena, ARENA_BYTES);
    pages->range = *range;
    pages->range.key = arena_copy(&pages->arena, range->key);
    pages->range.after = arena_copy(&pages->arena, range->after);
    pages->range.before = arena_copy(&pages->arena, range->before);
    read_page(pages);
    return pages;
}

void etcd_pages_cancel(struct etcd_pages *pages) {
    if (pages->call)
        etcd_cancel(pages->call);
    pages_free(pages);
}
