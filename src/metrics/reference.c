// reference: docs/metrics.md, written from the tables that the exposition itself uses.
#include "family.h"

static void write_families(struct strbuf *out) {
    strbuf_literal(out, "| metric | type | labels | what it says |\n| --- | --- | --- | --- |\n");
    for (int i = 0; i < FAMILIES; i++) {
        const struct family_info *info = family_info((enum family)i);
        strbuf_format(out, "| `%s` | %s | %s | %s |\n", info->name, family_type_name(info->type),
                      info->labels, info->help);
    }
}

static const char *error_help(enum error_reason reason) {
    switch (reason) {
    case ERROR_REASON_CONNECT:
        return "the endpoint refused the connection or could not be reached";
    case ERROR_REASON_CONNECT_TIMEOUT:
        return "no connection within `connect`";
    case ERROR_REASON_TLS:
        return "the TLS handshake failed, or the endpoint's certificate is not to be trusted";
    case ERROR_REASON_TIMEOUT:
        return "no first byte within `first_byte`, silence past `stream_idle`, or past `total`";
    case ERROR_REASON_RESET:
        return "the connection ended before a whole response head";
    case ERROR_REASON_5XX:
        return "the endpoint answered with a status of 500 or above";
    case ERROR_REASON_CUT_SHORT:
        return "the connection ended inside the response body";
    case ERROR_REASON_BAD_RESPONSE:
        return "the response was ambiguous or malformed and was refused";
    case ERROR_REASON_ERROR_EVENT:
        return "an event of an event stream carried an error: the answer failed after its head";
    case ERROR_REASON_UNFINISHED:
        return "an event stream of a known API came to its end without a reason to finish and without its "
               "last event";
    case ERROR_REASON_OVERLOADED:
        return "no endpoint was free: none healthy, queue full or waited too long; the proxy's own answer, "
               "not "
               "charged to the variant";
    case ERROR_REASON_NONE:
    case ERROR_REASONS:
        break; // cppcheck-suppress missingReturn ; must(false) does not return
    }
    must(false);
}

static const char *retry_help(enum retry_reason reason) {
    switch (reason) {
    case RETRY_REASON_CONNECT:
        return "no connection";
    case RETRY_REASON_RESET:
        return "the connection ended before the response";
    case RETRY_REASON_STATUS:
        return "a status that `retry.on` names";
    case RETRY_REASON_STALE:
        return "a kept connection had been closed meanwhile; not charged to `retry.budget`";
    case RETRY_REASONS:
        break; // cppcheck-suppress missingReturn ; must(false) does not return
    }
    must(false);
}

static void write_values(struct strbuf *out) {
    strbuf_literal(out, "\n## Values of `code`\n\n");
    for (int i = 0; i < CODE_CLASSES; i++)
        strbuf_format(out, "%s`%s`", i ? ", " : "", code_class_name((enum code_class)i));
    strbuf_literal(
        out, ". `499` counts requests whose client went away before the answer was complete; a completed "
             "switch of\nprotocols (101) counts as `2xx`.\n");
    strbuf_literal(out, "\n## Values of `reason`\n\nOf `sluice_request_errors_total`:\n\n");
    for (int i = ERROR_REASON_NONE + 1; i < ERROR_REASONS; i++)
        strbuf_format(out, "- `%s`: %s\n", error_reason_name((enum error_reason)i),
                      error_help((enum error_reason)i));
    strbuf_literal(
        out, "\nOf `sluice_finish_reasons_total`: `stop` (also `end_turn`, `stop_sequence`, `eos_token`, "
             "`completed`), `length` (`max_tokens`,\n`max_output_tokens`), `tool_calls` (`tool_use`, "
             "`function_call`), `content_filter` (`refusal`), `other`.\n");
    strbuf_literal(
        out, "\nOf `sluice_mirror_dropped_total`: `body_too_large` (past `limits.buffered_body_bytes`), "
             "`busy` (`mirror.max_inflight` or the\nmemory for copies is used up), `no_endpoint` "
             "(none is ready or could be reached of late, or all are at `max_inflight`), `body_unfit` (the "
             "variant's edits\n"
             "cannot be made in that body).\n");
    strbuf_literal(out, "\nOf `sluice_retries_total`:\n\n");
    for (int i = 0; i < RETRY_REASONS; i++)
        strbuf_format(out, "- `%s`: %s\n", retry_reason_name((enum retry_reason)i),
                      retry_help((enum retry_reason)i));
}

void exposition_reference(struct strbuf *out) {
    strbuf_literal(
        out,
        "# Metrics\n\n"
        "`GET /metrics` at the admin address answers in the Prometheus text format, or in OpenMetrics where "
        "`Accept` wants that, with\nexemplars of recorded requests ([tracing.md](tracing.md)). This page is "
        "generated from the program's own table; a test keeps it\ntrue. Recording rules, alerts and a "
        "Grafana dashboard over it: [alerts.md](alerts.md).\n\n");
    write_families(out);
    strbuf_literal(
        out,
        "\nLabel values come from the configuration or from fixed lists, never from clients. Every `code` "
        "and `reason` is exposed\nfrom the start, with 0. Requests that belong to no route count under "
        "`route=\"-\", variant=\"-\"`. Counters survive a\nreload that keeps the route's and the variant's "
        "names.\n");
    write_values(out);
    strbuf_literal(out, "\n## Buckets\n\nAll histograms have the upper bounds (`le`, seconds) ");
    for (int i = 0; i < LATENCY_BOUNDS; i++)
        strbuf_format(out, "%g, ", latency_bounds[i]);
    strbuf_literal(out, "+Inf.\n");
}
