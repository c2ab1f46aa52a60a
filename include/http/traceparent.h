// traceparent: the field by which a trace goes on (W3C Trace Context, Recommendation of 2021-11-23, 3.2).
// Ids are kept as they are written, in lower-case hexadecimal digits. Pure; any thread.
#pragma once
#include "base/random.h"
#include "base/slice.h"

#define TRACE_DIGITS      32
#define SPAN_DIGITS       16
#define TRACEPARENT_BYTES 55
#define TRACE_SAMPLED     1 // of `flags`

struct traceparent {
    char trace[TRACE_DIGITS]; // not NUL-terminated, like `span`
    char span[SPAN_DIGITS];   // of the caller
    uint8_t flags;
};
// False: it means nothing (3.2.2): another form, version ff, an id of zeros only. Of versions to come what is
// known of 00 is read (4.3).
bool traceparent_read(struct slice value, struct traceparent *to);
// As version 00.
void traceparent_write(const struct traceparent *from, char text[TRACEPARENT_BYTES]);
// A trace that begins here; `span` is made by span_id_make too.
void traceparent_begin(struct random_state *random, uint8_t flags, struct traceparent *to);
void span_id_make(struct random_state *random, char span[SPAN_DIGITS]);
