#include "webhook.h"

#include "base/mem.h"

#include <stdio.h>

#define BODY_MOST  1024 // of an answer; only its beginning is quoted
#define QUOTE_MOST 120
#define WHY_MOST   400

struct webhook {
    struct fetch *fetch;
    const char *what;
    char *origin;
    void (*done)(const struct webhook_answer *answer, void *context);
    void *context;
};

void webhook_origin(const char *url, struct strbuf *out) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    for (size_t i = 0; i < len; i++)
        if (host[i] == '@') { // what stands before is a name and a password
            strbuf_append(out, url, (size_t)(host - url));
            strbuf_append(out, host + i + 1, len - i - 1);
            return;
        }
    strbuf_append(out, url, (size_t)(host - url) + len);
}

// The first line of what was answered, short and printable.
static struct slice quote(const struct strbuf *body) {
    struct slice rest = strbuf_as_slice(body);
    struct slice line = slice_trim(slice_cut(&rest, '\n'));
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len > QUOTE_MOST)
        for (line.len = QUOTE_MOST; line.len && ((unsigned char)line.at[line.len] & 0xC0) == 0x80;)
            line.len--; // not in the middle of a character
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.at[i] < ' ')
            line.len = i;
    return line;
}

static void explain(const struct webhook *webhook, const struct fetch_answer *answer, char why[WHY_MOST]) {
    if (answer->error[0]) {
        snprintf(why, WHY_MOST, "%s at %.120s gave no answer: %.160s", webhook->what, webhook->origin,
                 answer->error);
        return;
    }
    bool accepted = answer->status >= 200 && answer->status < 300;
    struct slice said = accepted ? SLICE_NONE : quote(&answer->body);
    snprintf(why, WHY_MOST, "%s at %.120s answered %ld%s%.*s", webhook->what, webhook->origin, answer->status,
             said.len ? ": " : "", (int)said.len, said.at ? said.at : "");
}

static void webhook_free(struct webhook *webhook) {
    mem_free(webhook->origin);
    mem_free(webhook);
}

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct webhook *webhook = context;
    char why[WHY_MOST];
    struct webhook_answer result = {
        .accepted = !answer->error[0] && answer->status >= 200 && answer->status < 300, .why = why};
    void (*done)(const struct webhook_answer *, void *) = webhook->done;
    void *to = webhook->context;
    explain(webhook, answer, why);
    webhook_free(webhook);
    done(&result, to);
}

struct webhook *webhook_post(struct fetcher *fetcher, const struct webhook_request *request,
                             void (*done)(const struct webhook_answer *answer, void *context),
                             void *context) {
    struct header_config json = {"Content-Type", "application/json"};
    struct header_list headers = {&json, 1};
    struct strbuf origin = {0};
    struct webhook *webhook = mem_zero(1, sizeof *webhook);
    webhook->what = request->what;
    webhook->done = done;
    webhook->context = context;
    webhook_origin(request->url, &origin);
    webhook->origin = mem_copy_string(strbuf_text(&origin));
    strbuf_free(&origin);
    struct fetch_request fetch = {
        .method = "POST",
        .url = request->url,
        .headers = &headers,
        .body = request->body,
        .user_agent = request->user_agent,
        .timeout_ms = request->timeout_ms,
        .most_body = BODY_MOST,
    };
    webhook->fetch = fetch_start(fetcher, &fetch, on_answer, webhook);
    return webhook;
}

void webhook_cancel(struct webhook *webhook) {
    if (!webhook)
        return;
    fetch_cancel(webhook->fetch);
    webhook_free(webhook);
}
