#include "predecessor.h"

#include "base/log.h"
#include "channel.h"
#include "launch.h"
#include "reload.h"
#include "rollouts.h"
#include "service.h"
#include "task_journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000 // the other one ends us long before

struct told { // before we could use it
    struct link link;
    json_t *root;
    size_t route; // of weights that hold
    bool holds;
};
struct predecessor {
    struct control *control;
    struct channel *channel;
    char *config_path, *version;
    uint64_t upgrades, failures;
    struct link endpoints, weights; // told
    struct error wrong;             // with what was passed on
    bool greeted, ours, gone, serving;
};

// ---- what it says

static void hear_hello(struct predecessor *predecessor, const json_t *root) {
    struct bequest_hello hello;
    if (!bequest_read_hello(root, &hello, &predecessor->wrong))
        return;
    predecessor->config_path = mem_copy_string(hello.config_path);
    predecessor->version = mem_copy_string(hello.version);
    predecessor->upgrades = hello.upgrades + 1;
    predecessor->failures = hello.failures;
    if (!tls_tickets_import(predecessor->control->tickets, hello.tickets, sizeof hello.tickets))
        log_warn("TLS sessions will not be resumed: their keys cannot be used", "");
    explicit_bzero(&hello, sizeof hello);
}

static void hear_sockets(struct predecessor *predecessor, const json_t *root,
                         const struct channel_mail *mail) {
    struct lent_listener listener;
    struct socket_file file;
    struct error why;
    bequest_read_listener(root, &listener, &file);
    if (!inherited_add(predecessor->control->inherited, listener.configured, mail->fds, mail->fd_count, &file,
                       listener.lent, &why))
        error_set(&predecessor->wrong, "the socket of %s cannot be taken over: %s",
                  listener.configured ? listener.configured : "an address", why.text);
}

static void keep(struct link *list, json_t *root) {
    struct told *told = mem_zero(1, sizeof *told);
    told->root = json_incref(root);
    list_push(list, &told->link);
}

static void hear_main(struct predecessor *predecessor) {
    struct control *control = predecessor->control;
    struct strbuf status = {0};
    strbuf_format(&status, "serving since an upgrade from version %s",
                  predecessor->version ? predecessor->version : "unknown");
    service_ready(strbuf_text(&status));
    strbuf_free(&status);
    log_info("this binary serves now", "pid=%d version=%s before=%s", (int)getpid(),
             control->options->version, predecessor->version);
}

static void hear_tasks(struct predecessor *predecessor, const json_t *root) {
    const char *lines = bequest_text(root, "lines");
    if (lines && predecessor->ours)
        task_journal_learn(predecessor->control->tasks, slice_of(lines));
}

static void close_fds(const struct channel_mail *mail) {
    for (size_t i = 0; i < mail->fd_count; i++)
        close(mail->fds[i]);
}

static void heard(const struct channel_mail *mail, void *context) {
    struct predecessor *predecessor = context;
    enum bequest_kind kind;
    json_t *root = bequest_parse(mail->text, &kind);
    if (kind == BEQUEST_LISTENER || kind == BEQUEST_ADMIN)
        hear_sockets(predecessor, root, mail);
    else
        close_fds(mail);
    if (kind == BEQUEST_HELLO)
        hear_hello(predecessor, root);
    else if (kind == BEQUEST_END)
        predecessor->greeted = true;
    else if (kind == BEQUEST_ENDPOINT)
        keep(&predecessor->endpoints, root);
    else if (kind == BEQUEST_WEIGHTS)
        keep(&predecessor->weights, root);
    else if (kind == BEQUEST_YOURS)
        predecessor->ours = true;
    else if (kind == BEQUEST_MAIN)
        hear_main(predecessor);
    else if (kind == BEQUEST_TASKS)
        hear_tasks(predecessor, root);
    else if (kind == BEQUEST_RELOAD)
        reloader_request(predecessor->control->reloader, NULL, NULL);
    json_decref(root);
}

static void ended(void *context) {
    struct predecessor *predecessor = context;
    predecessor->gone = true;
    if (!predecessor->serving)
        return; // whoever waits for it sees that
    log_info("the binary before this one has ended", "version=%s", predecessor->version);
    channel_free(predecessor->channel);
    predecessor->channel = NULL;
}

// ---- life

static bool find_channel(int *fd) {
    const char *text = getenv(LAUNCH_VARIABLE);
    uint64_t number;
    bool found = text && slice_to_u64(slice_of(text), &number) && number == LAUNCH_FD &&
                 fcntl(LAUNCH_FD, F_SETFD, FD_CLOEXEC) == 0;
    unsetenv(LAUNCH_VARIABLE);
    *fd = LAUNCH_FD;
    return found;
}

struct predecessor *predecessor_open(struct control *control, struct error *error) {
    int fd;
    *error = (struct error){{0}};
    if (!find_channel(&fd))
        return NULL;
    struct predecessor *predecessor = mem_zero(1, sizeof *predecessor);
    predecessor->control = control;
    list_init(&predecessor->endpoints);
    list_init(&predecessor->weights);
    predecessor->channel = channel_new(control->base, fd, heard, ended, predecessor);
    while (!predecessor->greeted && !predecessor->gone && !predecessor->wrong.text[0] &&
           channel_wait(predecessor->channel, PATIENCE_MS))
        ;
    if (predecessor->greeted && predecessor->config_path && !predecessor->wrong.text[0])
        return predecessor;
    *error = predecessor->wrong;
    if (!error->text[0])
        error_set(error, "the binary that is to be replaced has said nothing");
    predecessor_free(predecessor);
    return NULL;
}

static void forget(struct link *list) {
    for (struct link *link; (link = list_pop(list)) != NULL;) {
        struct told *told = list_entry(link, struct told, link);
        json_decref(told->root);
        mem_free(told);
    }
}

void predecessor_free(struct predecessor *predecessor) {
    if (!predecessor)
        return;
    channel_free(predecessor->channel);
    forget(&predecessor->endpoints);
    forget(&predecessor->weights);
    mem_free(predecessor->config_path);
    mem_free(predecessor->version);
    mem_free(predecessor);
}

const char *predecessor_config_path(const struct predecessor *predecessor) {
    return predecessor->config_path;
}

uint64_t predecessor_upgrades(const struct predecessor *predecessor, bool success) {
    if (!predecessor)
        return 0;
    return success ? predecessor->upgrades : predecessor->failures;
}

// ---- taking over

static void tell_endpoint(const struct config *config, const struct directory_change *endpoints,
                          const json_t *root) {
    size_t index;
    const char *pool = bequest_text(root, "pool"), *url = bequest_text(root, "url");
    if (!pool || !url || !config_pool(config, pool, &index))
        return;
    const struct prepared_pool *prepared = directory_prepared(endpoints, index);
    for (size_t i = 0; i < prepared->endpoint_count; i++)
        if (strcmp(prepared->endpoints[i]->url, url) == 0)
            bequest_read_endpoint(root, prepared->endpoints[i]);
}

bool predecessor_take(struct predecessor *predecessor, const struct config *config,
                      const struct directory_change *endpoints, struct error *error) {
    if (predecessor->ours)
        return true;
    struct strbuf text = {0};
    bequest_write(BEQUEST_TAKE, &text);
    channel_send(predecessor->channel, strbuf_as_slice(&text), NULL, 0);
    strbuf_free(&text);
    while (!predecessor->ours && !predecessor->gone)
        if (!channel_wait(predecessor->channel, PATIENCE_MS))
            return error_set(error, "the running binary does not let go");
    if (predecessor->gone) // it has ended by itself: its sockets are here, and nobody else's
        log_warn("the binary before this one has ended before its time", "");
    predecessor->ours = true;
    for (struct link *at = predecessor->endpoints.next; at != &predecessor->endpoints; at = at->next)
        tell_endpoint(config, endpoints, list_entry(at, struct told, link)->root);
    forget(&predecessor->endpoints);
    return true;
}

void predecessor_weigh(struct predecessor *predecessor, struct plan **plan) {
    const struct config *config = (*plan)->config;
    uint16_t weights[SPLIT_ARMS];
    for (struct link *at = predecessor->weights.next; at != &predecessor->weights; at = at->next) {
        struct told *told = list_entry(at, struct told, link);
        const char *name = bequest_text(told->root, "route");
        const struct route_config *route = name ? config_route(config, name, &told->route) : NULL;
        told->holds = route && !route->rollout && bequest_read_weights(told->root, route, weights);
        if (!told->holds) {
            log_info("weights set by hand were replaced by the file's", "route=%s", name);
            continue;
        }
        struct plan *before = *plan;
        *plan = plan_with_weights(before, told->route, weights);
        plan_unref(before);
    }
}

void predecessor_settle(struct predecessor *predecessor) {
    for (struct link *at = predecessor->weights.next; at != &predecessor->weights; at = at->next) {
        const struct told *told = list_entry(at, struct told, link);
        if (told->holds)
            publisher_set_by_command(predecessor->control->publisher, told->route);
    }
    forget(&predecessor->weights);
}

void predecessor_ready(struct predecessor *predecessor) {
    predecessor->serving = true;
    if (predecessor->gone) {
        hear_main(predecessor);
        ended(predecessor);
        return;
    }
    struct strbuf text = {0};
    bequest_write_ready(predecessor->control->inherited, &text);
    channel_send(predecessor->channel, strbuf_as_slice(&text), NULL, 0);
    strbuf_free(&text);
}

void predecessor_failed(struct predecessor *predecessor, const struct outcome *outcome) {
    struct strbuf text = {0};
    bequest_write_failed(outcome, &text);
    channel_send(predecessor->channel, strbuf_as_slice(&text), NULL, 0);
    strbuf_free(&text);
}
