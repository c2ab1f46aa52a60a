#include "rollout/ledger.h"

#include "base/mem.h"
#include "pack.h"

#include <string.h>

#define FORMAT      1
#define NAME_MOST   64
#define COUNT_MOST  4096 // instances
#define TALLY_BYTES 65536

struct entry {
    char id[NAME_MOST + 1];
    struct tally taken;
};
struct ledger {
    uint32_t epoch;
    struct entry **entries; // by id
    size_t count, cap;
};

struct ledger *ledger_new(uint32_t epoch) {
    struct ledger *ledger = mem_zero(1, sizeof *ledger);
    ledger->epoch = epoch;
    return ledger;
}

static void clear(struct ledger *ledger) {
    for (size_t i = 0; i < ledger->count; i++)
        mem_free(ledger->entries[i]);
    ledger->count = 0;
}

void ledger_free(struct ledger *ledger) {
    if (!ledger)
        return;
    clear(ledger);
    mem_free(ledger->entries);
    mem_free(ledger);
}

void ledger_reset(struct ledger *ledger, uint32_t epoch) {
    clear(ledger);
    ledger->epoch = epoch;
}

uint32_t ledger_epoch(const struct ledger *ledger) {
    return ledger->epoch;
}

size_t ledger_count(const struct ledger *ledger) {
    return ledger->count;
}

static int order_of(const char *name, struct slice id) {
    size_t len = strlen(name), least = len < id.len ? len : id.len;
    int order = memcmp(name, id.at, least);
    return order ? order : (len > id.len) - (len < id.len);
}

// Where the id is, or belongs.
static size_t position(const struct ledger *ledger, struct slice id, bool *found) {
    size_t low = 0, high = ledger->count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = order_of(ledger->entries[middle]->id, id);
        *found = order == 0;
        if (*found)
            low = middle;
        else if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *insert(struct ledger *ledger, size_t at, struct slice id) {
    if (ledger->count == ledger->cap) {
        size_t cap = ledger->cap ? 2 * ledger->cap : 8;
        struct entry **more = mem_alloc(cap * sizeof *more);
        if (ledger->count)
            memcpy(more, ledger->entries, ledger->count * sizeof *more);
        mem_free(ledger->entries);
        ledger->entries = more;
        ledger->cap = cap;
    }
    struct entry *entry = mem_zero(1, sizeof *entry);
    memcpy(entry->id, id.at, id.len);
    tally_reset(&entry->taken, ledger->epoch);
    memmove(ledger->entries + at + 1, ledger->entries + at, (ledger->count - at) * sizeof *ledger->entries);
    ledger->entries[at] = entry;
    ledger->count++;
    return entry;
}

static bool fit(struct slice id) {
    return id.len > 0 && id.len <= NAME_MOST && !memchr(id.at, 0, id.len);
}

bool ledger_take(struct ledger *ledger, struct slice id, const struct tally *latest, struct tally *more) {
    struct tally fresh, nothing;
    bool found;
    if (!fit(id))
        return false;
    size_t at = position(ledger, id, &found);
    tally_reset(&nothing, ledger->epoch);
    if ((!found && ledger->count == COUNT_MOST) ||
        !tally_minus(latest, found ? &ledger->entries[at]->taken : &nothing, &fresh))
        return false;
    struct entry *entry = found ? ledger->entries[at] : insert(ledger, at, id);
    entry->taken = *latest;
    tally_add(more, &fresh);
    return true;
}

void ledger_forget(struct ledger *ledger, struct slice id) {
    bool found;
    size_t at = position(ledger, id, &found);
    if (!found)
        return;
    mem_free(ledger->entries[at]);
    ledger->count--;
    memmove(ledger->entries + at, ledger->entries + at + 1, (ledger->count - at) * sizeof *ledger->entries);
}

void ledger_each(const struct ledger *ledger, void (*visit)(const char *id, void *context), void *context) {
    for (size_t i = 0; i < ledger->count; i++)
        visit(ledger->entries[i]->id, context);
}

// ---- bytes: format, epoch, count; of each the length of its name and of its tally, then both

void ledger_write(const struct ledger *ledger, struct strbuf *out) {
    struct strbuf tally = {0};
    pack_byte(out, FORMAT);
    pack_count(out, ledger->epoch);
    pack_count(out, ledger->count);
    for (size_t i = 0; i < ledger->count; i++) {
        const struct entry *entry = ledger->entries[i];
        strbuf_clear(&tally);
        tally_write(&entry->taken, &tally);
        pack_count(out, strlen(entry->id));
        pack_count(out, tally.len);
        strbuf_string(out, entry->id);
        strbuf_slice(out, strbuf_as_slice(&tally));
    }
    strbuf_free(&tally);
}

static struct slice cut(struct unpack *from, uint64_t len) {
    struct slice piece = slice_make(from->rest.at, len);
    from->rest = slice_make(from->rest.at + len, from->rest.len - len);
    return piece;
}

static bool read_entry(struct ledger *ledger, struct unpack *from, struct error *error) {
    uint64_t name = unpack_count(from, NAME_MOST), size = unpack_count(from, TALLY_BYTES);
    bool found = true;
    if (from->wrong)
        return error_set(error, "%s", from->wrong);
    if (from->rest.len < name + size)
        return error_set(error, "it ends too early");
    struct slice id = cut(from, name), tally = cut(from, size);
    size_t at = fit(id) ? position(ledger, id, &found) : 0;
    if (found || at != ledger->count)
        return error_set(error, "the names are not in order");
    struct entry *entry = insert(ledger, at, id);
    return tally_read(tally, &entry->taken, error) &&
           (entry->taken.epoch == ledger->epoch ||
            error_set(error, "the tally of %s is of another epoch", entry->id));
}

static bool read_all(struct ledger *ledger, struct slice bytes, struct error *error) {
    struct unpack from = {bytes, NULL};
    if (unpack_byte(&from, UINT8_MAX) != FORMAT)
        return error_set(error, "it is no ledger of this format");
    ledger->epoch = (uint32_t)unpack_count(&from, UINT32_MAX);
    uint64_t count = unpack_count(&from, COUNT_MOST);
    for (uint64_t i = 0; i < count; i++)
        if (!read_entry(ledger, &from, error))
            return false;
    return unpack_end(&from) || error_set(error, "%s", from.wrong);
}

bool ledger_read(struct ledger *ledger, struct slice bytes, struct error *error) {
    struct ledger *read = ledger_new(0);
    bool good = read_all(read, bytes, error);
    if (good) {
        struct ledger before = *ledger;
        *ledger = *read;
        *read = before;
    }
    ledger_free(read);
    return good;
}
