// span_lane: the spans of one worker on their way to the control thread, which exports them. Its worker's
// thread. Past SPANS_BACKLOG bytes that wait there, spans are dropped and counted, never waited for.
#pragma once
#include "base/strbuf.h"
#include "proxy/data_plane.h"

#define SPANS_BACKLOG (8u << 20)

struct span_lane;
struct span_lane *span_lane_new(struct data_plane *plane, struct event_base *base);
void span_lane_free(struct span_lane *lane); // hands the rest over
// Where one span is written (span.h), then span_lane_done.
struct strbuf *span_lane_open(struct span_lane *lane);
void span_lane_flush(struct span_lane *lane); // hands over what there is
void span_lane_done(struct span_lane *lane);
