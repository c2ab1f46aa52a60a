#include "evidence_poller.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define BODY_MOST (UINT64_C(32) << 20) // a hundred members with ten routes have less

struct evidence_poller {
    struct evidence_poller_settings settings;
    struct fetcher *fetcher;
    char *url, *user_agent;
    struct event *again; // the next question
    struct fetch *fetch; // under way, or NULL
    bool asking;
    uint64_t heard_ns;          // the last good answer; it began to ask
    unsigned instances;         // … had figures of
    char error[PROMETHEUS_WHY]; // of the last question; empty: it was answered
    unsigned skipped;           // members of the last answer
};

// ---- what came

static bool told_before(const struct evidence_answer *read, size_t of) {
    for (size_t i = 0; i < of; i++)
        if (strcmp(read->items[i].member, read->items[of].member) == 0)
            return true;
    return false;
}

// Each change once: the log is not the place to see that it lasts.
static void tell(struct evidence_poller *poller, const char *error) {
    bool failed = poller->error[0] != '\0', fails = error[0] != '\0';
    if (fails && !failed)
        log_warn("the fleet's evidence cannot be read from Prometheus, steps wait", "error=\"%s\"", error);
    if (failed && !fails)
        log_info("the fleet's evidence is read from Prometheus again", "after_seconds=%.1f",
                 evidence_poller_view(poller).age);
    memmove(poller->error, error, strlen(error) + 1);
}

static void hear(struct evidence_poller *poller, const struct evidence_answer *read) {
    unsigned instances = 0;
    for (size_t i = 0; i < read->count; i++)
        if (poller->settings.heard(&read->items[i], poller->settings.context) && !told_before(read, i))
            instances++;
    if (read->skipped != poller->skipped)
        log_debug("figures in Prometheus' answer are not taken", "members=%u", read->skipped);
    poller->skipped = read->skipped;
    poller->instances = instances;
}

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct evidence_poller *poller = context;
    struct evidence_answer read;
    char why[PROMETHEUS_WHY];
    poller->fetch = NULL;
    bool good = evidence_read(answer, &read, why);
    tell(poller, good ? "" : why);
    if (good) {
        poller->heard_ns = clock_monotonic_ns();
        hear(poller, &read);
    }
    evidence_answer_free(&read);
}

// ---- asking

static void on_again(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct evidence_poller *poller = context;
    if (poller->fetch)
        return;
    struct fetch_request request = {
        .url = poller->url,
        .user_agent = poller->user_agent,
        .timeout_ms = poller->settings.timeout_ms,
        .most_body = BODY_MOST,
    };
    poller->fetch = fetch_start(poller->fetcher, &request, on_answer, poller);
}

void evidence_poller_ask(struct evidence_poller *poller, bool asking) {
    int64_t ms = poller->settings.interval_ms;
    struct timeval every = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    if (poller->asking == asking)
        return;
    poller->asking = asking;
    poller->heard_ns = clock_monotonic_ns();
    poller->instances = poller->skipped = 0;
    poller->error[0] = '\0';
    if (asking) {
        must(event_add(poller->again, &every) == 0);
        event_active(poller->again, EV_TIMEOUT, 0);
        return;
    }
    event_del(poller->again);
    if (poller->fetch)
        fetch_cancel(poller->fetch);
    poller->fetch = NULL;
}

// ---- life

struct evidence_poller *evidence_poller_new(const struct evidence_poller_settings *settings) {
    struct evidence_poller *poller = mem_zero(1, sizeof *poller);
    struct strbuf query = {0}, url = {0};
    poller->settings = *settings;
    if (!settings->interval_ms)
        poller->settings.interval_ms = 1000;
    if (!settings->timeout_ms)
        poller->settings.timeout_ms = 5000;
    if (!settings->patience_ms)
        poller->settings.patience_ms = 5000;
    evidence_query(settings->prefix, &query);
    prometheus_url(settings->url, strbuf_as_slice(&query), &url);
    poller->url = mem_copy_string(strbuf_text(&url));
    poller->user_agent = mem_copy_string(settings->user_agent);
    strbuf_free(&query);
    strbuf_free(&url);
    poller->fetcher = fetcher_new(settings->base, 1);
    poller->again = event_new(settings->base, -1, EV_PERSIST, on_again, poller);
    must(poller->again);
    return poller;
}

void evidence_poller_free(struct evidence_poller *poller) {
    if (!poller)
        return;
    fetcher_free(poller->fetcher); // with what is under way
    event_free(poller->again);
    mem_free(poller->url);
    mem_free(poller->user_agent);
    mem_free(poller);
}

struct evidence_view evidence_poller_view(const struct evidence_poller *poller) {
    uint64_t since_ns = clock_monotonic_ns() - poller->heard_ns;
    return (struct evidence_view){
        .asking = poller->asking,
        .blind = poller->asking && since_ns / NS_PER_MS > (uint64_t)poller->settings.patience_ms,
        .age = poller->asking ? (double)since_ns / (double)NS_PER_S : 0,
        .instances = poller->instances,
        .error = poller->error,
    };
}
