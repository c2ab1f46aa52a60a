#include "control/fetch.h"

#include "base/list.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

struct fetch {
    struct link link;     // in fetcher->waiting or fetcher->active
    struct link arriving; // in fetcher->arriving: there are pieces, or the answer is over
    struct fetcher *fetcher;
    CURL *easy;
    struct curl_slist *headers, *resolved;
    bool started;
    bool open; // the request's body has no end
    bool over; // the answer has one, so that the body may
    size_t most_body;
    struct strbuf pieces; // that came and are not handed over yet
    struct strbuf saying; // of an open body, not sent yet
    struct fetch_answer answer;
    void (*received)(struct slice piece, void *context);
    char reason[CURL_ERROR_SIZE];
    void (*done)(const struct fetch_answer *answer, void *context);
    void *context;
};
struct fetcher {
    struct event_base *base;
    CURLM *multi;
    struct event *timer;
    struct link waiting, active, arriving;
    unsigned active_count, most_active;
};
struct watched { // one socket of curl
    struct fetcher *fetcher;
    struct event *event;
};

void fetch_setup(void) {
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void fetch_answer_free(struct fetch_answer *answer) {
    strbuf_free(&answer->body);
}

// Looked at when libcurl has returned: who gets a piece may cancel and start what it likes.
static void note_arrival(struct fetch *fetch) {
    if (!list_linked(&fetch->arriving))
        list_push(&fetch->fetcher->arriving, &fetch->arriving);
}

static size_t take_body(char *at, size_t size, size_t count, void *context) {
    struct fetch *fetch = context;
    size_t room = fetch->most_body - fetch->answer.body.len, got = size * count;
    long status = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    if (fetch->received && status >= 200 && status < 300) {
        strbuf_append(&fetch->pieces, at, got);
        note_arrival(fetch);
        return got;
    }
    strbuf_append(&fetch->answer.body, at, got < room ? got : room);
    if (got <= room)
        return got;
    fetch->answer.truncated = true; // ends the transfer with CURLE_WRITE_ERROR
    return 0;
}

static size_t give_body(char *to, size_t size, size_t count, void *context) {
    struct fetch *fetch = context;
    struct strbuf *saying = &fetch->saying;
    size_t give = size * count < saying->len ? size * count : saying->len;
    if (give == 0)
        return fetch->over ? 0 : CURL_READFUNC_PAUSE;
    memcpy(to, saying->at, give);
    memmove(saying->at, saying->at + give, saying->len - give);
    saying->len -= give;
    return give;
}

static struct curl_slist *append(struct curl_slist *list, const char *text) {
    struct curl_slist *longer = curl_slist_append(list, text);
    must(longer != NULL);
    return longer;
}

static bool has_header(const struct header_list *headers, const char *name) {
    for (size_t i = 0; headers && i < headers->count; i++)
        if (slice_equal_fold(slice_of(headers->items[i].name), slice_of(name)))
            return true;
    return false;
}

// curl adds fields of its own to a request with a body; a name with nothing behind the colon takes one away.
static struct curl_slist *header_lines(const struct fetch_request *request) {
    struct strbuf line = {0};
    struct curl_slist *list = append(NULL, "Expect:");
    if (request->open)
        list = append(list, "Transfer-Encoding: chunked");
    if (!has_header(request->headers, "Content-Type"))
        list = append(list, "Content-Type:");
    for (size_t i = 0; request->headers && i < request->headers->count; i++) {
        const struct header_config *header = &request->headers->items[i];
        strbuf_clear(&line);
        // "Name;" is curl's way to write an empty value
        strbuf_format(&line, *header->value ? "%s: %s" : "%s;", header->name, header->value);
        list = append(list, strbuf_text(&line));
    }
    if (request->bearer) {
        strbuf_clear(&line);
        strbuf_format(&line, "Authorization: Bearer %s", request->bearer);
        list = append(list, strbuf_text(&line));
    }
    if (request->host && !has_header(request->headers, "Host")) {
        strbuf_clear(&line);
        strbuf_format(&line, "Host: %s", request->host);
        list = append(list, strbuf_text(&line));
    }
    strbuf_free(&line);
    return list;
}

static void set_method(struct fetch *fetch, const struct fetch_request *request) {
    const char *method = request->method ? request->method : "GET";
    if (request->open) {
        strbuf_slice(&fetch->saying, request->body);
        curl_easy_setopt(fetch->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(fetch->easy, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(fetch->easy, CURLOPT_READDATA, fetch);
    } else if (request->body.at) {
        curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(fetch->easy, CURLOPT_COPYPOSTFIELDS, request->body.at);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(fetch->easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(fetch->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_way(struct fetch *fetch, const struct fetch_request *request) {
    CURL *easy = fetch->easy;
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    if (request->unix_path)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
    if (request->resolved) {
        fetch->resolved = append(NULL, request->resolved);
        curl_easy_setopt(easy, CURLOPT_RESOLVE, fetch->resolved);
    }
    if (request->fresh) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
}

// The name in the URL is the one that is asked for and verified.
static void set_tls(CURL *easy, const struct pool_tls_config *tls) {
    if (tls->ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca);
    if (tls->certificate) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->certificate);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->private_key);
    }
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, (long)tls->verify);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->verify ? 2L : 0L);
}

static struct fetch *fetch_new(const struct fetch_request *request) {
    struct fetch *fetch = mem_zero(1, sizeof *fetch);
    fetch->easy = curl_easy_init();
    must(fetch->easy != NULL);
    fetch->most_body = request->most_body;
    fetch->received = request->received;
    fetch->open = request->open;
    fetch->headers = header_lines(request);
    set_way(fetch, request);
    if (request->tls)
        set_tls(fetch->easy, request->tls);
    set_method(fetch, request);
    CURL *easy = fetch->easy;
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, request->user_agent);
    curl_easy_setopt(easy, request->received ? CURLOPT_CONNECTTIMEOUT_MS : CURLOPT_TIMEOUT_MS,
                     (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);    // ending one does not wait for a name's resolution
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L); // some answers come after minutes
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->reason);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    return fetch;
}

static void fetch_free(struct fetch *fetch) {
    curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    curl_slist_free_all(fetch->resolved);
    fetch_answer_free(&fetch->answer);
    strbuf_free(&fetch->pieces);
    strbuf_free(&fetch->saying);
    mem_free(fetch);
}

static void note_result(struct fetch *fetch, CURLcode code) {
    curl_off_t took_us = 0, retry_after_s = 0;
    long sent = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &fetch->answer.status);
    curl_easy_getinfo(fetch->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    fetch->answer.took_ms = (int64_t)(took_us / 1000);
    curl_easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    fetch->answer.retry_after_ms = (int64_t)retry_after_s * 1000;
    curl_easy_getinfo(fetch->easy, CURLINFO_REQUEST_SIZE, &sent);
    fetch->answer.unsent = sent == 0;
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && fetch->answer.truncated))
        return;
    long os_error = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &os_error);
    const char *reason = fetch->reason[0] ? fetch->reason : curl_easy_strerror(code);
    if (code == CURLE_COULDNT_CONNECT && os_error) // curl's own words name a port even for a unix socket
        snprintf(fetch->answer.error, sizeof fetch->answer.error, "cannot connect: %s",
                 strerror((int)os_error));
    else
        snprintf(fetch->answer.error, sizeof fetch->answer.error, "%s", reason);
}

bool fetch_wait(const struct fetch_request *request, struct fetch_answer *answer) {
    must(!request->received && !request->open); // there is nobody to hand pieces over
    struct fetch *fetch = fetch_new(request);
    note_result(fetch, curl_easy_perform(fetch->easy));
    *answer = fetch->answer;
    fetch->answer.body = (struct strbuf){0}; // moved out
    fetch_free(fetch);
    return answer->error[0] == '\0';
}

static void start_waiting(struct fetcher *fetcher) {
    while (fetcher->active_count < fetcher->most_active) {
        struct link *link = list_pop(&fetcher->waiting);
        if (!link)
            return;
        struct fetch *fetch = list_entry(link, struct fetch, link);
        list_push(&fetcher->active, &fetch->link);
        fetcher->active_count++;
        fetch->started = true;
        must(curl_multi_add_handle(fetcher->multi, fetch->easy) == CURLM_OK);
    }
}

static void leave(struct fetch *fetch) {
    list_remove(&fetch->link);
    list_remove(&fetch->arriving);
    if (!fetch->started)
        return;
    fetch->started = false;
    fetch->fetcher->active_count--;
    curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
}

static struct fetch *fetch_of(CURL *easy) {
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return (struct fetch *)(void *)private;
}

static void hand_over(struct fetcher *fetcher) {
    struct link *link;
    while ((link = list_pop(&fetcher->arriving)) != NULL) {
        struct fetch *fetch = list_entry(link, struct fetch, arriving);
        struct strbuf pieces = fetch->pieces; // moved: it may be cancelled
        fetch->pieces = (struct strbuf){0};
        if (fetch->over)
            curl_easy_pause(fetch->easy, CURLPAUSE_CONT);
        if (pieces.len)
            fetch->received(strbuf_as_slice(&pieces), fetch->context);
        strbuf_free(&pieces);
    }
}

// One message at a time: `done` may start and cancel others, and a cancelled one's message leaves the queue.
static void finish_done(struct fetcher *fetcher) {
    CURLMsg *message;
    int left;
    hand_over(fetcher);
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        struct fetch *fetch = fetch_of(message->easy_handle);
        note_result(fetch, code);
        leave(fetch);
        fetch->done(&fetch->answer, fetch->context);
        fetch_free(fetch);
    }
    start_waiting(fetcher);
}

static void on_socket(evutil_socket_t fd, short what, void *context) {
    struct fetcher *fetcher = ((struct watched *)context)->fetcher;
    int bits = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(fetcher->multi, fd, bits, &running);
    finish_done(fetcher);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct fetcher *fetcher = context;
    int running;
    curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_done(fetcher);
}

// While a body is open and nothing is there to send, libcurl does not finish. That it does not even wait for
// the socket any more, once there is an answer, is how one sees that this is over.
static void note_left_alone(CURL *easy) {
    struct fetch *fetch = fetch_of(easy);
    long status = 0;
    if (!fetch || !fetch->open || !fetch->started)
        return;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    fetch->over = status != 0;
    if (fetch->over)
        note_arrival(fetch);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned) {
    struct fetcher *fetcher = context;
    struct watched *watched = assigned;
    if (watched) {
        event_del(watched->event);
        event_free(watched->event);
    }
    if (what == CURL_POLL_REMOVE) {
        note_left_alone(easy);
        mem_free(watched);
        curl_multi_assign(fetcher->multi, fd, NULL);
        return 0;
    }
    if (!watched) {
        watched = mem_zero(1, sizeof *watched);
        watched->fetcher = fetcher;
        curl_multi_assign(fetcher->multi, fd, watched);
    }
    short bits =
        (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
    watched->event = event_new(fetcher->base, fd, bits, on_socket, watched);
    must(watched->event && event_add(watched->event, NULL) == 0);
    return 0;
}

static int set_timer(CURLM *multi, long ms, void *context) {
    (void)multi;
    struct fetcher *fetcher = context;
    if (ms < 0) {
        event_del(fetcher->timer);
        return 0;
    }
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    event_add(fetcher->timer, &after);
    return 0;
}

struct fetcher *fetcher_new(struct event_base *base, unsigned most_active) {
    struct fetcher *fetcher = mem_zero(1, sizeof *fetcher);
    fetcher->base = base;
    fetcher->most_active = most_active;
    list_init(&fetcher->waiting);
    list_init(&fetcher->active);
    list_init(&fetcher->arriving);
    fetcher->timer = event_new(base, -1, 0, on_timer, fetcher);
    fetcher->multi = curl_multi_init();
    must(fetcher->timer && fetcher->multi);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    return fetcher;
}

void fetcher_free(struct fetcher *fetcher) {
    if (!fetcher)
        return;
    while (!list_empty(&fetcher->waiting))
        fetch_cancel(list_entry(fetcher->waiting.next, struct fetch, link));
    while (!list_empty(&fetcher->active))
        fetch_cancel(list_entry(fetcher->active.next, struct fetch, link));
    curl_multi_cleanup(fetcher->multi);
    event_free(fetcher->timer);
    mem_free(fetcher);
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          void (*done)(const struct fetch_answer *answer, void *context), void *context) {
    struct fetch *fetch = fetch_new(request);
    fetch->fetcher = fetcher;
    fetch->done = done;
    fetch->context = context;
    list_push(&fetcher->waiting, &fetch->link);
    start_waiting(fetcher);
    return fetch;
}

void fetch_say(struct fetch *fetch, struct slice more) {
    strbuf_slice(&fetch->saying, more);
    if (fetch->started) // libcurl asks again; it may be waiting for us
        curl_easy_pause(fetch->easy, CURLPAUSE_CONT);
}

void fetch_cancel(struct fetch *fetch) {
    struct fetcher *fetcher = fetch->fetcher;
    leave(fetch);
    fetch_free(fetch);
    start_waiting(fetcher);
}
