// span: one span in OTLP's JSON (opentelemetry-proto 1.x, trace.proto in the JSON encoding of its
// specification: ids in hexadecimal, 64-bit integers as strings, enums as numbers). Open, attributes, close;
// all in one strbuf. Pure; any thread.
#pragma once
#include "base/strbuf.h"
#include "http/traceparent.h"

enum span_kind { SPAN_SERVER = 2, SPAN_CLIENT = 3 }; // trace.proto

struct span {
    const char *trace, *id, *parent; // TRACE_DIGITS and SPAN_DIGITS digits; parent may be NULL
    enum span_kind kind;
    struct slice name;
    uint64_t start_ns, end_ns; // Unix time
};
void span_open(struct strbuf *out, const struct span *span);
// Keys are literals of ours.
void span_text(struct strbuf *out, const char *key, struct slice value);
void span_u64(struct strbuf *out, const char *key, uint64_t value);
void span_double(struct strbuf *out, const char *key, double value);
void span_bool(struct strbuf *out, const char *key, bool value);
// A list of one text.
void span_texts(struct strbuf *out, const char *key, struct slice value);
// The attributes are complete; events follow, which may be none.
void span_events(struct strbuf *out);
void span_event(struct strbuf *out, const char *name, uint64_t at_ns); // Unix time
// `fault` says that the span failed, and how; NULL: nothing is said (status unset).
void span_close(struct strbuf *out, const char *fault);
