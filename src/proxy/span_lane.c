#include "span_lane.h"
#include "base/list.h"
#include "base/mem.h"
#include "batch.h"
#include "crew.h"

// A lane hands its spans over when it holds this much, or after this long.
#define LANE_BYTES 32768
#define LANE_MS    500

struct span_lane {
    struct data_plane *plane;
    struct batch batch; // of spans, with commas between them
};

static void hand_over(struct batch *batch) {
    struct span_lane *lane = list_entry(batch, struct span_lane, batch);
    unsigned count = batch->count;
    crew_spans(lane->plane, batch_take(batch), count);
}

struct span_lane *span_lane_new(struct data_plane *plane, struct event_base *base) {
    struct span_lane *lane = mem_zero(1, sizeof *lane);
    lane->plane = plane;
    batch_init(&lane->batch, base, LANE_BYTES, LANE_MS, hand_over);
    return lane;
}

void span_lane_free(struct span_lane *lane) {
    batch_end(&lane->batch);
    mem_free(lane);
}

struct strbuf *span_lane_open(struct span_lane *lane) {
    struct strbuf *out = batch_open(&lane->batch);
    if (out->len)
        strbuf_char(out, ',');
    return out;
}

void span_lane_flush(struct span_lane *lane) {
    batch_flush(&lane->batch);
}

void span_lane_done(struct span_lane *lane) {
    batch_done(&lane->batch);
}
