#include "resolver.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "io/address_list.h"

#include <ares.h>

#define TRIES 3

struct lookup {
    struct link link; // in resolver->asked or ->answered; in neither when it was cancelled
    struct resolver *resolver;
    struct event *timer;
    bool owed;                 // c-ares has not called back yet: it still has the pointer
    struct address *addresses; // NULL before the answer
    size_t count;
    int64_t ttl_s;
    const char *error;
    void (*done)(const struct resolver_answer *answer, void *context);
    void *context;
};
struct resolver {
    struct event_base *base;
    ares_channel channel;
    struct link asked, answered, sockets;
    struct event *timer;   // for c-ares to look at its time-outs
    struct event *deliver; // answers come from here, never from inside c-ares
    struct timeval timeout;
    bool closing;
};
struct watched { // one socket of c-ares
    struct link link;
    struct resolver *resolver;
    int fd;
    struct event *event;
};

// ---- c-ares on the event base

static void set_timer(struct resolver *resolver) {
    struct timeval after;
    if (ares_timeout(resolver->channel, NULL, &after))
        event_add(resolver->timer, &after);
    else
        event_del(resolver->timer);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct resolver *resolver = context;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(resolver);
}

static void on_socket(evutil_socket_t fd, short what, void *context) {
    struct resolver *resolver = ((struct watched *)context)->resolver;
    ares_process_fd(resolver->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
                    what & EV_WRITE ? fd : ARES_SOCKET_BAD);
    set_timer(resolver);
}

static struct watched *watched_of(struct resolver *resolver, int fd) {
    for (struct link *at = resolver->sockets.next; at != &resolver->sockets; at = at->next)
        if (list_entry(at, struct watched, link)->fd == fd)
            return list_entry(at, struct watched, link);
    return NULL;
}

static void watch(void *context, ares_socket_t fd, int readable, int writable) {
    struct resolver *resolver = context;
    struct watched *watched = watched_of(resolver, fd);
    if (watched)
        event_free(watched->event);
    if (!readable && !writable) { // it is about to be closed
        if (watched)
            list_remove(&watched->link);
        mem_free(watched);
        return;
    }
    if (!watched) {
        watched = mem_zero(1, sizeof *watched);
        watched->resolver = resolver;
        watched->fd = fd;
        list_push(&resolver->sockets, &watched->link);
    }
    short bits = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0) | EV_PERSIST);
    watched->event = event_new(resolver->base, fd, bits, on_socket, watched);
    must(watched->event && event_add(watched->event, NULL) == 0);
}

// ---- lookups

static void lookup_free(struct lookup *lookup) {
    event_free(lookup->timer);
    mem_free(lookup->addresses);
    mem_free(lookup);
}

static void answered(struct lookup *lookup) {
    event_del(lookup->timer);
    list_remove(&lookup->link);
    list_push(&lookup->resolver->answered, &lookup->link);
    event_active(lookup->resolver->deliver, 0, 0);
}

static void on_deliver(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct resolver *resolver = context;
    struct link *link = list_pop(&resolver->answered);
    if (!link)
        return;
    if (!list_empty(&resolver->answered)) // one at a time: `done` may cancel others, or free the resolver
        event_active(resolver->deliver, 0, 0);
    struct lookup *lookup = list_entry(link, struct lookup, link);
    struct resolver_answer answer = {lookup->addresses, lookup->count, lookup->ttl_s, lookup->error};
    struct address *addresses = lookup->addresses;
    void (*done)(const struct resolver_answer *, void *) = lookup->done;
    void *given = lookup->context;
    lookup->addresses = NULL;
    lookup->done = NULL;
    if (!lookup->owed)
        lookup_free(lookup);
    done(&answer, given);
    mem_free(addresses);
}

static void on_silence(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct lookup *lookup = context;
    lookup->error = "no answer in time";
    answered(lookup);
}

static void take_address(struct lookup *lookup, const struct ares_addrinfo_node *node) {
    struct address address = {0};
    if (lookup->count == ADDRESS_LIST_MOST)
        return;
    if (node->ai_family == AF_INET) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_addr = ((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr;
        address.len = sizeof address.v4;
    } else if (node->ai_family == AF_INET6) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_addr = ((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr;
        address.len = sizeof address.v6;
    } else {
        return;
    }
    if (lookup->ttl_s < 0 || node->ai_ttl < lookup->ttl_s)
        lookup->ttl_s = node->ai_ttl;
    lookup->addresses[lookup->count++] = address;
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *found) {
    (void)timeouts;
    struct lookup *lookup = context;
    lookup->owed = false;
    if (!lookup->done || lookup->error) { // given up, cancelled or told already
        if (!list_linked(&lookup->link))
            lookup_free(lookup);
    } else {
        lookup->ttl_s = -1;
        lookup->addresses = mem_alloc(ADDRESS_LIST_MOST * sizeof *lookup->addresses);
        for (const struct ares_addrinfo_node *at = found ? found->nodes : NULL; at; at = at->ai_next)
            take_address(lookup, at);
        // The way through aliases is as short-lived as its shortest-lived step.
        for (const struct ares_addrinfo_cname *at = found ? found->cnames : NULL; at; at = at->next)
            if (at->ttl < lookup->ttl_s)
                lookup->ttl_s = at->ttl;
        if (lookup->ttl_s < 0)
            lookup->ttl_s = 0;
        if (lookup->count == 0)
            lookup->error = ares_strerror(status == ARES_SUCCESS ? ARES_ENODATA : status);
        answered(lookup);
    }
    if (found)
        ares_freeaddrinfo(found);
}

struct lookup *resolver_ask(struct resolver *resolver, const char *name,
                            void (*done)(const struct resolver_answer *answer, void *context),
                            void *context) {
    struct lookup *lookup = mem_zero(1, sizeof *lookup);
    lookup->resolver = resolver;
    lookup->done = done;
    lookup->context = context;
    lookup->owed = true;
    lookup->timer = evtimer_new(resolver->base, on_silence, lookup);
    must(lookup->timer && event_add(lookup->timer, &resolver->timeout) == 0);
    list_push(&resolver->asked, &lookup->link);
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
    ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, lookup); // may answer at once
    set_timer(resolver);
    return lookup;
}

void lookup_cancel(struct lookup *lookup) {
    list_remove(&lookup->link);
    lookup->done = NULL;
    event_del(lookup->timer);
    if (!lookup->owed)
        lookup_free(lookup);
}

// ---- life

static bool set_servers(struct resolver *resolver, const struct string_list *servers, struct error *error) {
    struct strbuf list = {0};
    for (size_t i = 0; i < servers->count; i++) {
        const char *server = servers->items[i];
        bool bare = strchr(server, ':') && *server != '[' && strchr(server, ':') != strrchr(server, ':');
        strbuf_format(&list, bare ? "%s[%s]" : "%s%s", i ? "," : "", server);
    }
    int code =
        servers->count ? ares_set_servers_ports_csv(resolver->channel, strbuf_text(&list)) : ARES_SUCCESS;
    strbuf_free(&list);
    return code == ARES_SUCCESS || error_set(error, "cannot use these DNS servers: %s", ares_strerror(code));
}

struct resolver *resolver_new(struct event_base *base, const struct resolver_config *config,
                              struct error *error) {
    struct resolver *resolver = mem_zero(1, sizeof *resolver);
    resolver->base = base;
    resolver->timeout.tv_sec = (time_t)(config->timeout / 1000);
    resolver->timeout.tv_usec = (suseconds_t)(config->timeout % 1000 * 1000);
    list_init(&resolver->asked);
    list_init(&resolver->answered);
    list_init(&resolver->sockets);
    must(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
    // A question is put again after a part of the time, then after two, so that one lost packet is no
    // failure.
    struct ares_options options = {
        .timeout = (int)(config->timeout / 5 > 0 ? config->timeout / 5 : 1),
        .tries = TRIES,
        .lookups = (char *)"fb",
        .sock_state_cb = watch,
        .sock_state_cb_data = resolver,
    };
    int code =
        ares_init_options(&resolver->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (code != ARES_SUCCESS) {
        error_set(error, "cannot set up the resolver: %s", ares_strerror(code));
        ares_library_cleanup();
        mem_free(resolver);
        return NULL;
    }
    resolver->timer = evtimer_new(base, on_timer, resolver);
    resolver->deliver = event_new(base, -1, 0, on_deliver, resolver);
    must(resolver->timer && resolver->deliver);
    if (set_servers(resolver, &config->servers, error))
        return resolver;
    resolver_free(resolver);
    return NULL;
}

void resolver_free(struct resolver *resolver) {
    if (!resolver)
        return;
    for (struct link *at; (at = list_pop(&resolver->asked)) || (at = list_pop(&resolver->answered));)
        lookup_cancel(list_entry(at, struct lookup, link));
    ares_destroy(resolver->channel); // calls back for what it owes, and closes its sockets
    must(list_empty(&resolver->sockets));
    event_free(resolver->timer);
    event_free(resolver->deliver);
    ares_library_cleanup();
    mem_free(resolver);
}
