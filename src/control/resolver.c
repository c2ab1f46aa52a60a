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
    unsigned owed;             // answers that c-ares has not given yet: it still has the pointer
    bool concluded;            // what comes now is too late
    int status;                // why c-ares had no address, as far as it said
    struct address *addresses; // NULL before the answer
    size_t count;
    int64_t ttl_s;
    const char *error;
    void (*done)(const struct resolver_answer *answer, void *context);
    void *context;
};
struct resolver {
    struct event_base *base;
    ares_channel files;   // looks into /etc/hosts only
    ares_channel channel; // asks servers only
    struct link asked, answered, sockets;
    struct event *timer;   // for c-ares to look at its time-outs
    struct event *deliver; // answers come from here, never from inside c-ares
    struct timeval timeout;
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

static void conclude(struct lookup *lookup, const char *why_none) {
    if (lookup->ttl_s < 0)
        lookup->ttl_s = 0;
    lookup->error = lookup->count ? NULL : why_none;
    lookup->concluded = true;
    event_del(lookup->timer);
    list_remove(&lookup->link);
    list_push(&lookup->resolver->answered, &lookup->link);
    event_active(lookup->resolver->deliver, 0, 0);
}

// There are servers that never answer a question for IPv6 addresses: what came for IPv4 then has to do.
static void on_silence(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    conclude(context, "no answer in time");
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

static void take_addresses(struct lookup *lookup, const struct ares_addrinfo *found) {
    if (!found->nodes)
        return;
    if (!lookup->addresses)
        lookup->addresses = mem_alloc(ADDRESS_LIST_MOST * sizeof *lookup->addresses);
    for (const struct ares_addrinfo_node *at = found->nodes; at; at = at->ai_next)
        take_address(lookup, at);
    // The way through aliases is as short-lived as its shortest-lived step.
    for (const struct ares_addrinfo_cname *at = found->cnames; at; at = at->next)
        if (at->ttl < lookup->ttl_s)
            lookup->ttl_s = at->ttl;
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *found) {
    (void)timeouts;
    struct lookup *lookup = context;
    lookup->owed--;
    if (!lookup->concluded && lookup->done) {
        if (found)
            take_addresses(lookup, found);
        if (status != ARES_SUCCESS && lookup->status != ARES_ENOTFOUND)
            lookup->status = status;
        if (!lookup->owed)
            conclude(lookup, ares_strerror(lookup->status ? lookup->status : ARES_ENODATA));
    } else if (!lookup->owed && !list_linked(&lookup->link)) { // cancelled, or told already
        lookup_free(lookup);
    }
    if (found)
        ares_freeaddrinfo(found);
}

static void on_file_answer(void *context, int status, int timeouts, struct ares_addrinfo *found) {
    (void)timeouts;
    struct lookup *lookup = context;
    lookup->owed--;
    if (status == ARES_SUCCESS)
        take_addresses(lookup, found);
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
    lookup->ttl_s = -1;
    lookup->timer = evtimer_new(resolver->base, on_silence, lookup);
    must(lookup->timer && event_add(lookup->timer, &resolver->timeout) == 0);
    list_push(&resolver->asked, &lookup->link);
    struct ares_addrinfo_hints any = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT}, v4 = any, v6 = any;
    v4.ai_family = AF_INET;
    v6.ai_family = AF_INET6;
    lookup->owed = 1;
    ares_getaddrinfo(resolver->files, name, NULL, &any, on_file_answer, lookup);
    must(lookup->owed == 0); // a file answers at once
    if (lookup->count) {
        conclude(lookup, NULL);
        return lookup;
    }
    lookup->owed = 2; // either may answer at once
    ares_getaddrinfo(resolver->channel, name, NULL, &v4, on_answer, lookup);
    ares_getaddrinfo(resolver->channel, name, NULL, &v6, on_answer, lookup);
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
    struct address address;
    for (size_t i = 0; i < servers->count; i++) {
        const char *server = servers->items[i], *form = "%s%s";
        if (address_numeric(&address, server, 0)) // the port was left out
            form = address.any.sa_family == AF_INET6 ? "%s[%s]:53" : "%s%s:53";
        strbuf_format(&list, form, i ? "," : "", server);
    }
    int code =
        servers->count ? ares_set_servers_ports_csv(resolver->channel, strbuf_text(&list)) : ARES_SUCCESS;
    strbuf_free(&list);
    return code == ARES_SUCCESS || error_set(error, "cannot use these DNS servers: %s", ares_strerror(code));
}

static bool set_up(struct resolver *resolver, const struct resolver_config *config, struct error *error) {
    struct ares_options files = {.lookups = (char *)"f"};
    // A question is put again after a part of the time, then after two, so that one lost packet is no
    // failure.
    struct ares_options servers = {
        .timeout = (int)(config->timeout / 5),
        .tries = TRIES,
        .lookups = (char *)"b",
        .sock_state_cb = watch,
        .sock_state_cb_data = resolver,
    };
    int code = ares_init_options(&resolver->files, &files, ARES_OPT_LOOKUPS);
    if (code == ARES_SUCCESS)
        code = ares_init_options(&resolver->channel, &servers,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                     ARES_OPT_SOCK_STATE_CB);
    return code == ARES_SUCCESS ? set_servers(resolver, &config->servers, error)
                                : error_set(error, "cannot set up the resolver: %s", ares_strerror(code));
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
    resolver->timer = evtimer_new(base, on_timer, resolver);
    resolver->deliver = event_new(base, -1, 0, on_deliver, resolver);
    must(resolver->timer && resolver->deliver);
    must(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
    if (set_up(resolver, config, error))
        return resolver;
    resolver_free(resolver);
    return NULL;
}

void resolver_free(struct resolver *resolver) {
    if (!resolver)
        return;
    for (struct link *at; (at = list_pop(&resolver->asked)) || (at = list_pop(&resolver->answered));)
        lookup_cancel(list_entry(at, struct lookup, link));
    if (resolver->files)
        ares_destroy(resolver->files);
    if (resolver->channel)
        ares_destroy(resolver->channel); // calls back for what it owes, and closes its sockets
    must(list_empty(&resolver->sockets));
    event_free(resolver->timer);
    event_free(resolver->deliver);
    ares_library_cleanup();
    mem_free(resolver);
}
