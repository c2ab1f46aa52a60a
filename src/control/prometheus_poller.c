#include "prometheus_poller.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define BODY_MOST 65536

enum { BASELINE, CANDIDATE, ARMS };
struct question { // for one variant
    struct prometheus_poller *poller;
    char *url;           // NULL: it is not asked
    struct fetch *fetch; // under way, or NULL
    double value;
};
struct prometheus_poller {
    struct fetcher *fetcher;
    const char *user_agent;
    int64_t timeout_ms;
    struct timeval stale_after;
    struct event *again;          // the next question
    struct event *stale;          // the last good answer is too old
    bool stands;                  // a good answer that is not too old
    char failing[PROMETHEUS_WHY]; // why the question under way has failed; empty: it has not
    char error[PROMETHEUS_WHY];   // the same of the last one
    struct question questions[ARMS];
    void (*answered)(double baseline, double candidate, const char *error, void *context);
    void *context;
};

static void tell_error(struct prometheus_poller *poller) {
    poller->answered(NAN, NAN, poller->error[0] ? poller->error : "Prometheus has not answered",
                     poller->context);
}

static void on_stale(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct prometheus_poller *poller = context;
    poller->stands = false;
    tell_error(poller);
}

// Without the baseline's value there is nothing to hold the candidate's against.
static void finish(struct prometheus_poller *poller) {
    double baseline = poller->questions[BASELINE].value, candidate = poller->questions[CANDIDATE].value;
    memcpy(poller->error, poller->failing, sizeof poller->error);
    if (poller->error[0]) {
        if (!poller->stands)
            tell_error(poller);
        return;
    }
    poller->stands = true;
    event_add(poller->stale, &poller->stale_after);
    bool whole = !isnan(candidate) && (!poller->questions[BASELINE].url || !isnan(baseline));
    poller->answered(whole ? baseline : NAN, whole ? candidate : NAN, NULL, poller->context);
}

static bool asking(const struct prometheus_poller *poller) {
    return poller->questions[BASELINE].fetch || poller->questions[CANDIDATE].fetch;
}

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct question *question = context;
    struct prometheus_poller *poller = question->poller;
    char why[PROMETHEUS_WHY];
    question->fetch = NULL;
    if (prometheus_read(answer, &question->value, why) == PROMETHEUS_ERROR)
        memcpy(poller->failing, why, sizeof why);
    if (!asking(poller))
        finish(poller);
}

static void ask(struct question *question) {
    question->value = NAN;
    if (!question->url)
        return;
    struct fetch_request request = {
        .url = question->url,
        .user_agent = question->poller->user_agent,
        .timeout_ms = question->poller->timeout_ms,
        .most_body = BODY_MOST,
    };
    question->fetch = fetch_start(question->poller->fetcher, &request, on_answer, question);
}

static void on_again(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct prometheus_poller *poller = context;
    if (asking(poller))
        return;
    poller->failing[0] = '\0';
    ask(&poller->questions[BASELINE]);
    ask(&poller->questions[CANDIDATE]);
}

static char *make_url(const struct prometheus_poller_settings *settings, const char *variant) {
    struct strbuf query = {0}, url = {0};
    prometheus_expand(settings->query, settings->route, variant, &query);
    prometheus_url(settings->url, strbuf_as_slice(&query), &url);
    char *copy = mem_copy_string(strbuf_text(&url));
    strbuf_free(&query);
    strbuf_free(&url);
    return copy;
}

static struct timeval interval_of(int64_t ms) {
    return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

struct prometheus_poller *prometheus_poller_new(
    struct event_base *base, struct fetcher *fetcher, const struct prometheus_poller_settings *settings,
    void (*answered)(double baseline, double candidate, const char *error, void *context), void *context) {
    struct prometheus_poller *poller = mem_zero(1, sizeof *poller);
    struct timeval every = interval_of(settings->interval_ms ? settings->interval_ms : 5000);
    poller->fetcher = fetcher;
    poller->user_agent = settings->user_agent;
    poller->timeout_ms = settings->timeout_ms ? settings->timeout_ms : 10000;
    poller->stale_after = interval_of(settings->stale_ms ? settings->stale_ms : 30000);
    poller->answered = answered;
    poller->context = context;
    for (int i = 0; i < ARMS; i++)
        poller->questions[i].poller = poller;
    poller->questions[CANDIDATE].url = make_url(settings, settings->candidate);
    if (settings->baseline)
        poller->questions[BASELINE].url = make_url(settings, settings->baseline);
    poller->again = event_new(base, -1, EV_PERSIST, on_again, poller);
    poller->stale = event_new(base, -1, 0, on_stale, poller);
    must(poller->again && poller->stale && event_add(poller->again, &every) == 0);
    event_active(poller->again, EV_TIMEOUT, 0); // the first at once
    return poller;
}

void prometheus_poller_free(struct prometheus_poller *poller) {
    if (!poller)
        return;
    for (int i = 0; i < ARMS; i++) {
        if (poller->questions[i].fetch)
            fetch_cancel(poller->questions[i].fetch);
        mem_free(poller->questions[i].url);
    }
    event_free(poller->again);
    event_free(poller->stale);
    mem_free(poller);
}
