#include "http/pick.h"

#include "base/mem.h"

#include <stdio.h>

void pick_start(struct pick *pick, const char *pointer) {
    unsigned level = 0;
    *pick = (struct pick){.over = false};
    for (; *pointer; level++) {
        size_t len = strcspn(pointer + 1, "/");
        must(level < SKIM_LEVELS && len <= SKIM_TEXT);
        memcpy(pick->names[level], pointer + 1, len);
        pick->keys[level][0] = (struct skim_key)SKIM_VALUE(pick->names[level], 1);
        if (level)
            pick->keys[level - 1][0] =
                (struct skim_key)SKIM_INSIDE(pick->names[level - 1], 0, pick->keys[level]);
        pointer += 1 + len;
    }
    skim_start(&pick->skim, pick->keys[0]);
    pick->skim.wide = pick->text;
    pick->skim.wide_size = PICK_MOST;
}

static void take(void *context, const struct skim_value *value) {
    struct pick *pick = context;
    char number[24];
    if (value->id != 1 || pick->value.at)
        return;
    if (value->kind == SKIM_STRING && value->text.at && value->text.len) {
        pick->value = value->text; // in pick->text, and nothing more is kept there
        pick->skim.wide = NULL;
    } else if (value->kind == SKIM_COUNT) {
        int len = snprintf(number, sizeof number, "%llu", (unsigned long long)value->count);
        memcpy(pick->text, number, (size_t)len);
        pick->value = slice_make(pick->text, (size_t)len);
        pick->skim.wide = NULL;
    }
}

void pick_feed(struct pick *pick, struct slice bytes) {
    if (pick->over || pick->value.at)
        return;
    pick->over = !skim_feed(&pick->skim, bytes, take, pick);
}
