#include "batch.h"

#define SPARE 4096 // room for the piece that fills it, as a rule

void batch_flush(struct batch *batch) {
    event_del(&batch->timer);
    if (batch->text.len)
        batch->hand_over(batch);
    batch->count = 0;
}

static void due(int fd, short what, void *context) {
    (void)fd, (void)what;
    batch_flush(context);
}

void batch_init(struct batch *batch, struct event_base *base, size_t most_bytes, unsigned most_ms,
                void (*hand_over)(struct batch *batch)) {
    *batch = (struct batch){.most_bytes = most_bytes, .most_ms = most_ms, .hand_over = hand_over};
    event_assign(&batch->timer, base, -1, 0, due, batch);
}

void batch_end(struct batch *batch) {
    batch_flush(batch);
    strbuf_free(&batch->text);
}

struct strbuf *batch_open(struct batch *batch) {
    if (batch->text.len == 0) {
        struct timeval wait = {.tv_sec = batch->most_ms / 1000,
                               .tv_usec = (suseconds_t)(batch->most_ms % 1000 * 1000)};
        event_add(&batch->timer, &wait);
        strbuf_reserve(&batch->text, batch->most_bytes + SPARE);
    }
    return &batch->text;
}

void batch_done(struct batch *batch) {
    batch->count++;
    if (batch->text.len >= batch->most_bytes)
        batch_flush(batch);
}

struct strbuf batch_take(struct batch *batch) {
    struct strbuf text = batch->text;
    batch->text = (struct strbuf){0};
    return text;
}
