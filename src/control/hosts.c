#include "hosts.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "resolver.h"

#include <stdlib.h>

#define TTL_LEAST_MS 1000
#define TTL_MOST_MS  3600000

struct host {
    char *text;
    struct hosts *hosts;
    struct hosts_change *change;    // that asked for it first; NULL once it is committed
    struct address_list *addresses; // port 0; NULL before the first answer
    char *error;                    // why the first answer had none
    int64_t wait_ms;                // until it is asked for again
    bool failing;                   // the last answer had none; the log says so
    struct lookup *lookup;          // under way, or NULL
    struct event *timer;
    struct endpoint **users; // with references
    size_t user_count, user_room;
};
struct host_table {
    struct host **items; // sorted
    size_t count;
};
struct hosts {
    struct event_base *base;
    struct data_plane *plane;
    struct resolver *resolver; // NULL before the first commit
    struct config *config;     // whose settings it has; with a reference
    struct host_table table;
};
struct hosts_change {
    struct hosts *hosts;
    struct config *config; // with a reference
    struct resolver *resolver;
    struct host_table fresh;
    size_t pending;
    struct event *finished;
    void (*done)(void *context);
    void *context;
};

static void on_answer(const struct resolver_answer *answer, void *context);

// ---- tables

static int by_text(const void *left, const void *right) {
    return strcmp((*(struct host *const *)left)->text, (*(struct host *const *)right)->text);
}
static int text_against(const void *key, const void *element) {
    return strcmp(key, (*(struct host *const *)element)->text);
}

static struct host *table_find(const struct host_table *table, const char *text) {
    struct host **found =
        table->count ? bsearch(text, table->items, table->count, sizeof *table->items, text_against) : NULL;
    return found ? *found : NULL;
}

static int by_string(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool has_name(const struct endpoint_config *endpoint) {
    struct address numeric;
    return !endpoint->unix_path && !address_numeric(&numeric, endpoint->host, 0);
}

// The names of a configuration, sorted, each once.
static const char **names_of(const struct config *config, size_t *count) {
    size_t most = 0;
    for (size_t i = 0; i < config->pool_count; i++)
        most += config->pools[i].endpoint_count;
    const char **texts = mem_alloc((most + 1) * sizeof *texts);
    size_t found = 0;
    for (size_t i = 0; i < config->pool_count; i++)
        for (size_t k = 0; k < config->pools[i].endpoint_count; k++)
            if (has_name(&config->pools[i].endpoints[k]))
                texts[found++] = config->pools[i].endpoints[k].host;
    qsort(texts, found, sizeof *texts, by_string);
    *count = 0;
    for (size_t i = 0; i < found; i++)
        if (*count == 0 || strcmp(texts[*count - 1], texts[i]) != 0)
            texts[(*count)++] = texts[i];
    return texts;
}

// ---- a name

static void ask(struct host *host, struct resolver *resolver) {
    host->lookup = resolver_ask(resolver, host->text, on_answer, host);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct host *host = context;
    if (!host->lookup)
        ask(host, host->hosts->resolver);
}

static struct host *host_new(struct hosts *hosts, const char *text) {
    struct host *host = mem_zero(1, sizeof *host);
    host->hosts = hosts;
    host->text = mem_copy_string(text);
    host->timer = evtimer_new(hosts->base, on_timer, host);
    must(host->timer != NULL);
    return host;
}

static void drop_users(struct host *host) {
    for (size_t i = 0; i < host->user_count; i++)
        endpoint_unref(host->users[i]);
    host->user_count = 0;
}

static void host_free(struct host *host) {
    if (host->lookup)
        lookup_cancel(host->lookup);
    drop_users(host);
    mem_free(host->users);
    event_free(host->timer);
    address_list_unref(host->addresses);
    mem_free(host->error);
    mem_free(host->text);
    mem_free(host);
}

static void sleep_host(struct host *host, int64_t ms) {
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(host->timer, &after);
}

static struct address_list *with_port(const struct address_list *list, uint16_t port) {
    struct address items[ADDRESS_LIST_MOST];
    memcpy(items, list->items, list->count * sizeof *items);
    for (unsigned i = 0; i < list->count; i++)
        address_set_port(&items[i], port);
    return address_list_new(items, list->count);
}

static void log_addresses(const struct host *host) {
    struct strbuf texts = {0};
    char text[ADDRESS_TEXT];
    for (unsigned i = 0; i < host->addresses->count; i++) {
        address_host(&host->addresses->items[i], text);
        strbuf_format(&texts, "%s%s", i ? " " : "", text);
    }
    log_info("a name has other addresses", "name=%s addresses=\"%s\"", host->text, strbuf_text(&texts));
    strbuf_free(&texts);
}

// The endpoints get the name's addresses, each with its own port.
static void tell_users(struct host *host) {
    for (size_t i = 0; i < host->user_count; i++) {
        struct endpoint *endpoint = host->users[i];
        uint16_t port = address_port(&endpoint->addresses->items[0]);
        address_list_unref(endpoint->addresses);
        endpoint->addresses = with_port(host->addresses, port);
        data_plane_move(host->hosts->plane, endpoint, endpoint->addresses);
    }
}

static void take_addresses(struct host *host, const struct resolver_answer *answer) {
    struct address_list *list = address_list_new(answer->addresses, answer->count);
    bool changed = host->addresses && !address_list_equal(list, host->addresses);
    address_list_unref(host->addresses);
    host->addresses = list;
    if (host->failing)
        log_info("a name resolves again", "name=%s", host->text);
    host->failing = false;
    if (!changed)
        return;
    log_addresses(host);
    tell_users(host);
}

static void note_failure(struct host *host, const char *why) {
    for (size_t i = 0; i < host->user_count; i++)
        host->users[i]->resolve_failures++;
    if (!host->failing)
        log_warn("a name does not resolve, its last addresses stay", "name=%s error=\"%s\"", host->text, why);
    host->failing = true;
}

static int64_t wait_after(const struct resolver_answer *answer, const struct config *config) {
    if (answer->ttl_s == 0)
        return config->resolver.refresh;
    if (answer->ttl_s >= TTL_MOST_MS / 1000)
        return TTL_MOST_MS;
    return answer->ttl_s * 1000 > TTL_LEAST_MS ? answer->ttl_s * 1000 : TTL_LEAST_MS;
}

static void finish_one(struct hosts_change *change) {
    if (--change->pending == 0)
        event_active(change->finished, 0, 0);
}

static void on_answer(const struct resolver_answer *answer, void *context) {
    struct host *host = context;
    struct hosts_change *change = host->change;
    const struct config *config = change ? change->config : host->hosts->config;
    host->lookup = NULL;
    if (answer->count) {
        take_addresses(host, answer);
        host->wait_ms = wait_after(answer, config);
    } else if (change) {
        host->error = mem_copy_string(answer->error);
    } else {
        note_failure(host, answer->error);
        if (host->wait_ms > config->resolver.refresh)
            host->wait_ms = config->resolver.refresh;
    }
    if (change)
        finish_one(change);
    else
        sleep_host(host, host->wait_ms);
}

// ---- all of them

struct hosts *hosts_new(struct event_base *base, struct data_plane *plane) {
    struct hosts *hosts = mem_zero(1, sizeof *hosts);
    hosts->base = base;
    hosts->plane = plane;
    return hosts;
}

void hosts_free(struct hosts *hosts) {
    if (!hosts)
        return;
    for (size_t i = 0; i < hosts->table.count; i++)
        host_free(hosts->table.items[i]);
    mem_free(hosts->table.items);
    resolver_free(hosts->resolver);
    config_unref(hosts->config);
    mem_free(hosts);
}

// ---- a reload

static void on_finished(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct hosts_change *change = context;
    change->done(change->context);
}

struct hosts_change *hosts_prepare(struct hosts *hosts, struct config *config, void (*done)(void *context),
                                   void *context, struct error *error) {
    struct resolver *resolver = resolver_new(hosts->base, &config->resolver, error);
    if (!resolver)
        return NULL;
    struct hosts_change *change = mem_zero(1, sizeof *change);
    *change = (struct hosts_change){hosts, config_ref(config), resolver, .done = done, .context = context};
    change->finished = event_new(hosts->base, -1, 0, on_finished, change);
    must(change->finished != NULL);
    size_t count;
    const char **texts = names_of(config, &count);
    change->fresh.items = mem_zero(count + 1, sizeof(struct host *));
    for (size_t i = 0; i < count; i++)
        if (!table_find(&hosts->table, texts[i]))
            change->fresh.items[change->fresh.count++] = host_new(hosts, texts[i]);
    mem_free(texts);
    change->pending = change->fresh.count + 1; // one for ourselves
    for (size_t i = 0; i < change->fresh.count; i++) {
        change->fresh.items[i]->change = change;
        ask(change->fresh.items[i], resolver);
    }
    finish_one(change);
    return change;
}

struct address_list *hosts_find(const struct endpoint_config *endpoint, void *context, struct error *error) {
    const struct hosts_change *change = context;
    const struct host *host = table_find(&change->fresh, endpoint->host);
    if (!host)
        host = table_find(&change->hosts->table, endpoint->host);
    if (host && host->addresses)
        return with_port(host->addresses, endpoint->port);
    error_set(error, "cannot resolve \"%s\": %s", endpoint->host, host ? host->error : "nobody was asked");
    return NULL;
}

static void change_free(struct hosts_change *change) {
    event_free(change->finished);
    mem_free(change->fresh.items);
    config_unref(change->config);
    mem_free(change);
}

void hosts_abandon(struct hosts_change *change) {
    for (size_t i = 0; i < change->fresh.count; i++)
        host_free(change->fresh.items[i]);
    resolver_free(change->resolver);
    change_free(change);
}

static void add_user(struct host *host, struct endpoint *endpoint) {
    must(host); // every name of the directory was asked for
    if (host->user_count == host->user_room) {
        host->user_room = host->user_room ? host->user_room * 2 : 4;
        host->users = mem_resize(host->users, host->user_room * sizeof(struct endpoint *));
    }
    host->users[host->user_count++] = endpoint_ref(endpoint);
}

static void find_users(const struct hosts *hosts, const struct directory *directory) {
    for (size_t i = 0; i < directory_count(directory); i++) {
        const struct pool *pool = directory_pool(directory, i);
        for (size_t k = 0; k < pool->endpoint_count; k++)
            if (pool->endpoints[k]->host)
                add_user(table_find(&hosts->table, pool->endpoints[k]->host), pool->endpoints[k]);
    }
}

static bool same_settings(const struct resolver_config *a, const struct resolver_config *b) {
    if (a->servers.count != b->servers.count)
        return false;
    for (size_t i = 0; i < a->servers.count; i++)
        if (strcmp(a->servers.items[i], b->servers.items[i]) != 0)
            return false;
    return a->refresh == b->refresh;
}

// A known name goes on under the new resolver. Other servers may say something else: they are asked at once.
static void keep_host(struct host *host, bool same) {
    bool asking = host->lookup != NULL;
    if (asking)
        lookup_cancel(host->lookup);
    host->lookup = NULL;
    drop_users(host);
    if (asking || !same)
        sleep_host(host, 0);
}

static void move_in(struct hosts_change *change, struct host_table *table) {
    for (size_t i = 0; i < change->fresh.count; i++) {
        struct host *host = change->fresh.items[i];
        host->change = NULL;
        sleep_host(host, host->wait_ms);
        table->items[table->count++] = host;
    }
    if (table->count)
        qsort(table->items, table->count, sizeof *table->items, by_text);
}

void hosts_commit(struct hosts_change *change, const struct directory *directory) {
    struct hosts *hosts = change->hosts;
    bool same = hosts->config && same_settings(&hosts->config->resolver, &change->config->resolver);
    size_t count;
    const char **texts = names_of(change->config, &count);
    struct host_table table = {mem_zero(count + 1, sizeof(struct host *)), 0};
    for (size_t i = 0; i < hosts->table.count; i++) {
        struct host *host = hosts->table.items[i];
        if (!bsearch(&host->text, texts, count, sizeof *texts, by_string)) {
            host_free(host);
            continue;
        }
        keep_host(host, same);
        table.items[table.count++] = host;
    }
    mem_free(texts);
    move_in(change, &table);
    mem_free(hosts->table.items);
    hosts->table = table;
    resolver_free(hosts->resolver);
    config_unref(hosts->config);
    hosts->resolver = change->resolver;
    hosts->config = config_ref(change->config);
    find_users(hosts, directory);
    change_free(change);
}
