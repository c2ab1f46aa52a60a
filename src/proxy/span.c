#include "span.h"

#define STATUS_ERROR 2 // trace.proto

static void separate(struct strbuf *out) {
    if (out->at[out->len - 1] != '[')
        strbuf_char(out, ',');
}

static void id(struct strbuf *out, const char *name, const char *digits, size_t count) {
    strbuf_string(out, name);
    strbuf_append(out, digits, count);
    strbuf_char(out, '"');
}

static void moment(struct strbuf *out, const char *name, uint64_t ns) {
    strbuf_string(out, name);
    strbuf_u64(out, ns);
    strbuf_char(out, '"');
}

void span_open(struct strbuf *out, const struct span *span) {
    id(out, "{\"traceId\":\"", span->trace, TRACE_DIGITS);
    id(out, ",\"spanId\":\"", span->id, SPAN_DIGITS);
    if (span->parent)
        id(out, ",\"parentSpanId\":\"", span->parent, SPAN_DIGITS);
    strbuf_literal(out, ",\"name\":");
    strbuf_json(out, span->name);
    strbuf_literal(out, ",\"kind\":");
    strbuf_u64(out, span->kind);
    moment(out, ",\"startTimeUnixNano\":\"", span->start_ns);
    moment(out, ",\"endTimeUnixNano\":\"", span->end_ns);
    strbuf_literal(out, ",\"attributes\":[");
}

static void attribute(struct strbuf *out, const char *key, const char *type) {
    separate(out);
    strbuf_literal(out, "{\"key\":\"");
    strbuf_string(out, key);
    strbuf_literal(out, "\",\"value\":{\"");
    strbuf_string(out, type);
    strbuf_literal(out, "\":");
}

void span_text(struct strbuf *out, const char *key, struct slice value) {
    attribute(out, key, "stringValue");
    strbuf_json(out, value);
    strbuf_literal(out, "}}");
}

void span_u64(struct strbuf *out, const char *key, uint64_t value) {
    attribute(out, key, "intValue");
    strbuf_char(out, '"');
    strbuf_u64(out, value);
    strbuf_literal(out, "\"}}");
}

void span_double(struct strbuf *out, const char *key, double value) {
    attribute(out, key, "doubleValue");
    strbuf_format(out, "%.9g}}", value);
}

void span_bool(struct strbuf *out, const char *key, bool value) {
    attribute(out, key, "boolValue");
    strbuf_string(out, value ? "true}}" : "false}}");
}

void span_texts(struct strbuf *out, const char *key, struct slice value) {
    attribute(out, key, "arrayValue");
    strbuf_literal(out, "{\"values\":[{\"stringValue\":");
    strbuf_json(out, value);
    strbuf_literal(out, "}]}}}");
}

void span_events(struct strbuf *out) {
    strbuf_literal(out, "],\"events\":[");
}

void span_event(struct strbuf *out, const char *name, uint64_t at_ns) {
    separate(out);
    moment(out, "{\"timeUnixNano\":\"", at_ns);
    strbuf_literal(out, ",\"name\":");
    strbuf_json(out, slice_of(name));
    strbuf_char(out, '}');
}

void span_close(struct strbuf *out, const char *fault) {
    strbuf_literal(out, "],\"status\":{");
    if (fault) {
        strbuf_format(out, "\"code\":%d,\"message\":", STATUS_ERROR);
        strbuf_json(out, slice_of(fault));
    }
    strbuf_literal(out, "}}");
}
