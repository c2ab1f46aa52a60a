#include "notifier.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "notice.h"

struct message {
    struct link link; // in channel->messages, oldest first
    const char *what;
    struct strbuf body;
    unsigned tries; // that have failed
};
struct channel { // of one URL, while something waits for it
    struct link link;
    struct notifier *notifier;
    char *url;
    struct link messages; // the first is under way or waits for the timer
    unsigned waiting;
    struct webhook *webhook; // under way, or NULL
    struct event *again;
};
struct notifier {
    struct event_base *base;
    struct fetcher *fetcher;
    struct notifier_settings settings;
    struct random_state random;
    struct link channels;
    struct notifier_counts counts;
    bool leaving; // nothing is tried again
};

static void send_first(struct channel *channel);

static struct message *first_message(const struct channel *channel) {
    return list_entry(channel->messages.next, struct message, link);
}

static void forget(struct channel *channel, struct message *message) {
    list_remove(&message->link);
    strbuf_free(&message->body);
    mem_free(message);
    channel->waiting--;
    channel->notifier->counts.waiting--;
}

static void tell(const struct channel *channel, const struct message *message, const char *why, bool over) {
    struct strbuf origin = {0};
    webhook_origin(channel->url, &origin);
    log_write(over ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, over ? "notification dropped" : "notification failed",
              "what=%s to=%s tries=%u reason=%s", message->what, strbuf_text(&origin), message->tries, why);
    strbuf_free(&origin);
}

static void drop(struct channel *channel, struct message *message, const char *why) {
    tell(channel, message, why, true);
    channel->notifier->counts.dropped++;
    forget(channel, message);
}

static void channel_free(struct channel *channel) {
    webhook_cancel(channel->webhook);
    while (!list_empty(&channel->messages))
        forget(channel, first_message(channel));
    list_remove(&channel->link);
    event_free(channel->again);
    mem_free(channel->url);
    mem_free(channel);
}

// Doubled each time up to the most, and up to a tenth more, so that many daemons do not come back together.
static void wait_and_try_again(struct channel *channel, unsigned failed) {
    struct notifier *notifier = channel->notifier;
    uint64_t ms = (uint64_t)notifier->settings.first_wait_ms,
             most = (uint64_t)notifier->settings.most_wait_ms;
    for (unsigned i = 1; i < failed && ms < most; i++)
        ms *= 2;
    ms = ms < most ? ms : most;
    ms += random_below(&notifier->random, ms / 10 + 1);
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(channel->again, &after);
}

static void on_answer(const struct webhook_answer *answer, void *context) {
    struct channel *channel = context;
    struct notifier *notifier = channel->notifier;
    struct message *message = first_message(channel);
    channel->webhook = NULL;
    if (answer->accepted) {
        notifier->counts.delivered++;
        forget(channel, message);
    } else {
        notifier->counts.failed++;
        message->tries++;
        if (message->tries < notifier->settings.tries) {
            tell(channel, message, answer->why, false);
            if (!notifier->leaving)
                wait_and_try_again(channel, message->tries);
            return;
        }
        drop(channel, message, answer->why);
    }
    if (list_empty(&channel->messages))
        channel_free(channel);
    else
        send_first(channel);
}

static void send_first(struct channel *channel) {
    struct message *message = first_message(channel);
    struct webhook_request request = {
        .what = message->what,
        .url = channel->url,
        .body = strbuf_as_slice(&message->body),
        .user_agent = channel->notifier->settings.user_agent,
        .timeout_ms = channel->notifier->settings.timeout_ms,
    };
    channel->webhook = webhook_post(channel->notifier->fetcher, &request, on_answer, channel);
}

static void on_again(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    send_first(context);
}

static struct channel *channel_to(struct notifier *notifier, const char *url) {
    for (struct link *link = notifier->channels.next; link != &notifier->channels; link = link->next) {
        struct channel *channel = list_entry(link, struct channel, link);
        if (strcmp(channel->url, url) == 0)
            return channel;
    }
    struct channel *channel = mem_zero(1, sizeof *channel);
    channel->notifier = notifier;
    channel->url = mem_copy_string(url);
    channel->again = event_new(notifier->base, -1, 0, on_again, channel);
    must(channel->again != NULL);
    list_init(&channel->messages);
    list_push(&notifier->channels, &channel->link);
    return channel;
}

void notifier_send(struct notifier *notifier, const char *what, const char *url, struct slice body) {
    struct channel *channel = channel_to(notifier, url);
    struct message *message = mem_zero(1, sizeof *message);
    message->what = what;
    strbuf_slice(&message->body, body);
    if (channel->waiting >= notifier->settings.most_waiting) // the first is being tried: it stays
        drop(channel, list_entry(channel->messages.next->next, struct message, link),
             "too many wait for this URL");
    list_push(&channel->messages, &message->link);
    notifier->counts.waiting++;
    if (++channel->waiting == 1)
        send_first(channel);
}

void notifier_hurry(struct notifier *notifier) {
    notifier->leaving = true;
    for (struct link *link = notifier->channels.next; link != &notifier->channels; link = link->next) {
        struct channel *channel = list_entry(link, struct channel, link);
        event_del(channel->again);
        if (!channel->webhook)
            send_first(channel);
    }
}

bool notifier_busy(const struct notifier *notifier) {
    for (struct link *link = notifier->channels.next; link != &notifier->channels; link = link->next)
        if (list_entry(link, struct channel, link)->webhook)
            return true;
    return false;
}

void notifier_tell(struct notifier *notifier, const struct notify_config *list, size_t count,
                   struct slice record) {
    struct strbuf body = {0};
    for (size_t i = 0; i < count; i++) {
        strbuf_clear(&body);
        notice_write(list[i].format, record, &body);
        notifier_send(notifier, "notify", list[i].url, strbuf_as_slice(&body));
    }
    strbuf_free(&body);
}

struct notifier_counts notifier_count(const struct notifier *notifier) {
    return notifier->counts;
}

struct notifier *notifier_new(struct event_base *base, struct fetcher *fetcher,
                              const struct notifier_settings *settings) {
    struct notifier *notifier = mem_zero(1, sizeof *notifier);
    struct notifier_settings *own = &notifier->settings;
    notifier->base = base;
    notifier->fetcher = fetcher;
    *own = *settings;
    own->timeout_ms = own->timeout_ms ? own->timeout_ms : 10000;
    own->first_wait_ms = own->first_wait_ms ? own->first_wait_ms : 1000;
    own->most_wait_ms = own->most_wait_ms ? own->most_wait_ms : 300000;
    own->tries = own->tries ? own->tries : 10;
    own->most_waiting = own->most_waiting ? own->most_waiting : 100;
    must(own->most_waiting >= 2);
    random_seed(&notifier->random);
    list_init(&notifier->channels);
    return notifier;
}

void notifier_free(struct notifier *notifier) {
    if (!notifier)
        return;
    if (notifier->counts.waiting)
        log_warn("notifications are not delivered", "count=%llu",
                 (unsigned long long)notifier->counts.waiting);
    while (!list_empty(&notifier->channels))
        channel_free(list_entry(notifier->channels.next, struct channel, link));
    mem_free(notifier);
}
