// span_exporter: sends the spans of recorded requests to an OpenTelemetry collector: OTLP/HTTP in JSON
// (opentelemetry-proto 1.x, "OTLP/HTTP Request"), one request at a time. What the collector is to try again
// later for (429, 502, 503, 504, no answer) waits, up to what the workers' backlog holds; all else that it
// refuses is counted and forgotten. Nothing ever waits for it. Control thread.
#pragma once
#include "control/fetch.h"

struct span_exporter_settings {
    const char *version;                 // of the program; outlives the exporter
    int64_t first_wait_ms, most_wait_ms; // between tries; 0: 1 s, 30 s
    // So many bytes of spans are no longer held.
    void (*released)(size_t bytes, void *context);
    void *context;
};
struct span_counts {
    uint64_t exported; // taken by the collector
    uint64_t failed;   // refused by it, or never delivered before the end
};
struct span_exporter;
struct span_exporter *span_exporter_new(struct event_base *base,
                                        const struct span_exporter_settings *settings);
void span_exporter_free(struct span_exporter *exporter); // NULL is allowed
// A configuration is in force: sends where it says from now on. Without `tracing` what waits is forgotten.
void span_exporter_adopt(struct span_exporter *exporter, struct config *config);
// `count` spans as JSON (proxy/span.h), commas between.
void span_exporter_take(struct span_exporter *exporter, struct strbuf take_spans, unsigned count);
// The daemon ends: what waits is tried once more, now.
void span_exporter_hurry(struct span_exporter *exporter);
bool span_exporter_busy(const struct span_exporter *exporter); // something waits or is under way
struct span_counts span_exporter_counts(const struct span_exporter *exporter);
// What a request to the collector holds around its spans; pure. `instance` is the resource's
// service.instance.id.
void span_exporter_body(const char *service, const char *version, const char *instance, struct slice spans,
                        struct strbuf *out);
