#include "span_exporter.h"

#include "base/hex.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "control/emit.h"
#include "webhook.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define REQUEST_BYTES (512u << 10) // of spans in one request, as a rule
#define ANSWER_BYTES  16384
#define FIRST_WAIT_MS 1000
#define MOST_WAIT_MS  30000
#define UUID_BYTES    37

struct parcel { // spans of one hand-over
    struct link link;
    struct strbuf spans;
    unsigned count;
};
struct span_exporter {
    struct event_base *base;
    struct fetcher *fetcher;
    struct span_exporter_settings settings;
    struct random_state random;
    struct config *config; // in force, with a reference; NULL before the first
    char instance[UUID_BYTES], user_agent[64];
    struct link waiting; // parcels, oldest first
    struct fetch *fetch; // under way, with the first `sent` of them; NULL: none
    unsigned sent;
    struct event *again;
    unsigned failed_in_a_row;
    bool leaving;
    struct span_counts counts;
};

static void send_next(struct span_exporter *exporter);

// ---- what is sent

static void attribute(struct emit *emit, const char *key, const char *value) {
    emit_object(emit);
    emit_text(emit_name(emit, "key"), key);
    emit_object(emit_name(emit, "value"));
    emit_text(emit_name(emit, "stringValue"), value);
    emit_end(emit, '}');
    emit_end(emit, '}');
}

static void resource(struct emit *emit, const char *service, const char *version, const char *instance) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    emit_object(emit_name(emit, "resource"));
    emit_array(emit_name(emit, "attributes"));
    attribute(emit, "service.name", service);
    attribute(emit, "service.version", version);
    attribute(emit, "service.instance.id", instance);
    attribute(emit, "host.name", host);
    emit_end(emit, ']');
    emit_end(emit, '}');
}

void span_exporter_body(const char *service, const char *version, const char *instance, struct slice spans,
                        struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_array(emit_name(&emit, "resourceSpans"));
    emit_object(&emit);
    resource(&emit, service, version, instance);
    emit_array(emit_name(&emit, "scopeSpans"));
    emit_object(&emit);
    emit_object(emit_name(&emit, "scope"));
    emit_text(emit_name(&emit, "name"), "sluice");
    emit_text(emit_name(&emit, "version"), version);
    emit_end(&emit, '}');
    emit_array(emit_name(&emit, "spans"));
    strbuf_slice(out, spans);
    strbuf_literal(out, "]}]}]}");
}

// OTEL_EXPORTER_OTLP_ENDPOINT's rule: a URL without a path is the collector's, and traces have their own
// place there.
static void write_url(const char *url, struct strbuf *out) {
    const char *host = strstr(url, "://");
    const char *path = strchr(host ? host + 3 : url, '/');
    strbuf_string(out, url);
    if (path && path[1])
        return;
    strbuf_string(out, path ? "v1/traces" : "/v1/traces");
}

// ---- parcels

static void forget(struct span_exporter *exporter, struct parcel *parcel) {
    size_t bytes = parcel->spans.len;
    list_remove(&parcel->link);
    strbuf_free(&parcel->spans);
    mem_free(parcel);
    exporter->settings.released(bytes, exporter->settings.context);
}

// The first `sent`; how many spans that was.
static uint64_t forget_sent(struct span_exporter *exporter) {
    uint64_t spans = 0;
    for (; exporter->sent; exporter->sent--) {
        struct parcel *parcel = list_entry(exporter->waiting.next, struct parcel, link);
        spans += parcel->count;
        forget(exporter, parcel);
    }
    return spans;
}

static void forget_all(struct span_exporter *exporter) {
    while (!list_empty(&exporter->waiting)) {
        struct parcel *parcel = list_entry(exporter->waiting.next, struct parcel, link);
        exporter->counts.failed += parcel->count;
        forget(exporter, parcel);
    }
    exporter->sent = 0;
}

// ---- answers

// ExportTracePartialSuccess: how many of them were refused all the same. A 64-bit integer is a string there.
static uint64_t rejected(const struct fetch_answer *answer) {
    json_t *root = json_loadb(answer->body.at ? answer->body.at : "", answer->body.len, 0, NULL);
    json_t *partial = json_object_get(root, "partialSuccess"),
           *number = json_object_get(partial, "rejectedSpans");
    const char *text = json_string_value(number),
               *why = json_string_value(json_object_get(partial, "errorMessage"));
    uint64_t count = text ? strtoull(text, NULL, 10) : (uint64_t)json_integer_value(number);
    if (count)
        log_warn("the collector refused some of the spans", "count=%llu reason=%s", (unsigned long long)count,
                 why);
    json_decref(root);
    return count;
}

// OTLP/HTTP, "Failures": these and no others.
static bool is_to_try_again(const struct fetch_answer *answer) {
    return answer->error[0] || answer->status == 429 || answer->status == 502 || answer->status == 503 ||
           answer->status == 504;
}

// Doubled each time up to the most, and up to a tenth more; as long as the collector says, if it does.
static void try_again(struct span_exporter *exporter, int64_t told_ms) {
    uint64_t ms = (uint64_t)exporter->settings.first_wait_ms,
             most = (uint64_t)exporter->settings.most_wait_ms;
    for (unsigned i = 1; i < exporter->failed_in_a_row && ms < most; i++)
        ms *= 2;
    ms = ms < most ? ms : most;
    if (told_ms > (int64_t)ms)
        ms = (uint64_t)told_ms < 10 * most ? (uint64_t)told_ms : 10 * most;
    ms += random_below(&exporter->random, ms / 10 + 1);
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(exporter->again, &after);
}

static void say(const struct span_exporter *exporter, const struct fetch_answer *answer, bool again) {
    struct strbuf origin = {0};
    webhook_origin(exporter->config->tracing->url, &origin);
    log_warn(again ? "spans cannot be exported, trying again" : "spans refused by the collector",
             "collector=%s status=%ld reason=%s", strbuf_text(&origin), answer->status,
             answer->error[0] ? answer->error : NULL);
    strbuf_free(&origin);
}

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct span_exporter *exporter = context;
    exporter->fetch = NULL;
    if (!answer->error[0] && answer->status >= 200 && answer->status < 300) {
        uint64_t spans = forget_sent(exporter), refused = rejected(answer);
        refused = refused < spans ? refused : spans;
        exporter->counts.exported += spans - refused;
        exporter->counts.failed += refused;
        if (exporter->failed_in_a_row)
            log_info("spans are exported again", "tries=%u", exporter->failed_in_a_row);
        exporter->failed_in_a_row = 0;
    } else if (is_to_try_again(answer) && !exporter->leaving) {
        exporter->sent = 0;
        if (exporter->failed_in_a_row++ == 0)
            say(exporter, answer, true);
        try_again(exporter, answer->retry_after_ms);
        return;
    } else {
        exporter->counts.failed += forget_sent(exporter);
        say(exporter, answer, false);
        exporter->failed_in_a_row = 0;
    }
    send_next(exporter);
}

// ---- sending

static void collect(struct span_exporter *exporter, struct strbuf *spans) {
    for (struct link *at = exporter->waiting.next; at != &exporter->waiting; at = at->next) {
        const struct parcel *parcel = list_entry(at, struct parcel, link);
        if (spans->len && spans->len + parcel->spans.len > REQUEST_BYTES)
            return;
        if (spans->len)
            strbuf_char(spans, ',');
        strbuf_slice(spans, strbuf_as_slice(&parcel->spans));
        exporter->sent++;
    }
}

static void send_next(struct span_exporter *exporter) {
    static const struct header_config json = {"Content-Type", "application/json"};
    if (exporter->fetch || list_empty(&exporter->waiting))
        return;
    const struct tracing_config *tracing = exporter->config->tracing;
    size_t count = tracing->headers.count;
    struct header_config *headers = mem_alloc((count + 1) * sizeof *headers);
    headers[0] = json;
    for (size_t i = 0; i < count; i++)
        headers[i + 1] = tracing->headers.items[i];
    struct strbuf spans = {0}, body = {0}, url = {0};
    collect(exporter, &spans);
    span_exporter_body(tracing->service_name, exporter->settings.version, exporter->instance,
                       strbuf_as_slice(&spans), &body);
    write_url(tracing->url, &url);
    struct fetch_request request = {
        .method = "POST",
        .url = strbuf_text(&url),
        .headers = &(struct header_list){headers, count + 1},
        .body = strbuf_as_slice(&body),
        .user_agent = exporter->user_agent,
        .tls = tracing->tls,
        .timeout_ms = tracing->timeout,
        .most_body = ANSWER_BYTES,
    };
    exporter->fetch = fetch_start(exporter->fetcher, &request, on_answer, exporter);
    strbuf_free(&spans);
    strbuf_free(&body);
    strbuf_free(&url);
    mem_free(headers);
}

static void on_again(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    send_next(context);
}

void span_exporter_take(struct span_exporter *exporter, struct strbuf take_spans, unsigned count) {
    struct parcel *parcel = mem_zero(1, sizeof *parcel);
    parcel->spans = take_spans;
    parcel->count = count;
    list_push(&exporter->waiting, &parcel->link);
    if (!exporter->config || !exporter->config->tracing) // spans of requests that began before a reload
        forget_all(exporter);
    else if (!event_pending(exporter->again, EV_TIMEOUT, NULL))
        send_next(exporter);
}

void span_exporter_adopt(struct span_exporter *exporter, struct config *config) {
    if (exporter->fetch)
        fetch_cancel(exporter->fetch);
    exporter->fetch = NULL;
    exporter->sent = 0;
    exporter->failed_in_a_row = 0;
    event_del(exporter->again);
    if (exporter->config)
        config_unref(exporter->config);
    exporter->config = config_ref(config);
    if (!config->tracing)
        forget_all(exporter);
    send_next(exporter);
}

void span_exporter_hurry(struct span_exporter *exporter) {
    exporter->leaving = true;
    if (event_pending(exporter->again, EV_TIMEOUT, NULL)) {
        event_del(exporter->again);
        send_next(exporter);
    }
}

bool span_exporter_busy(const struct span_exporter *exporter) {
    return !list_empty(&exporter->waiting);
}

struct span_counts span_exporter_counts(const struct span_exporter *exporter) {
    return exporter->counts;
}

// ---- life

// RFC 9562, version 4: whose spans they are, when several daemons export.
static void make_instance(struct random_state *random, char text[UUID_BYTES]) {
    char digits[32];
    hex_u64(digits, (random_next(random) & ~UINT64_C(0xf000)) | 0x4000);
    hex_u64(digits + 16, (random_next(random) >> 2) | UINT64_C(1) << 63);
    snprintf(text, UUID_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16,
             digits + 20);
}

struct span_exporter *span_exporter_new(struct event_base *base,
                                        const struct span_exporter_settings *settings) {
    struct span_exporter *exporter = mem_zero(1, sizeof *exporter);
    exporter->base = base;
    exporter->settings = *settings;
    if (!settings->first_wait_ms)
        exporter->settings.first_wait_ms = FIRST_WAIT_MS;
    if (!settings->most_wait_ms)
        exporter->settings.most_wait_ms = MOST_WAIT_MS;
    random_seed(&exporter->random);
    make_instance(&exporter->random, exporter->instance);
    snprintf(exporter->user_agent, sizeof exporter->user_agent, "sluice/%s", settings->version);
    list_init(&exporter->waiting);
    exporter->fetcher = fetcher_new(base, 1);
    exporter->again = event_new(base, -1, 0, on_again, exporter);
    must(exporter->again != NULL);
    return exporter;
}

void span_exporter_free(struct span_exporter *exporter) {
    if (!exporter)
        return;
    fetcher_free(exporter->fetcher);
    forget_all(exporter);
    event_free(exporter->again);
    if (exporter->config)
        config_unref(exporter->config);
    mem_free(exporter);
}
