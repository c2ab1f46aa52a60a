// Readers of the few forms that are no plain values.
#include "base/redact.h"
#include "config/rollout.h"
#include "schema.h"
#include "value.h"
#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>

static int64_t online_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void read_workers(struct settle *settle, const struct node *node, void *field) {
    int64_t *workers = field;
    if (node->kind == NODE_SCALAR && strcmp(node->text, "auto") == 0)
        *workers = online_cores();
    else if (node->kind != NODE_SCALAR || !value_integer(node->text, workers) || *workers < 1 ||
             *workers > 256)
        settle_wrong(settle, node, "`workers`", "`auto` or a number of threads from 1 to 256");
}

// "header X-User-Id": the kind, and a name for all but client_ip.
static bool read_source(struct settle *settle, const struct node *node, struct sticky_source *source) {
    static const char *const kinds[] = {"header", "cookie", "jwt", "query", "json", "client_ip"};
    if (!settle_kind(settle, node, NODE_SCALAR, "an entry of `by`"))
        return false;
    size_t len = strcspn(node->text, " "), kind = 0;
    const char *word = arena_string(settle->arena, slice_make(node->text, len));
    const char *name = node->text + len + strspn(node->text + len, " ");
    while (kind < 6 && strcmp(kinds[kind], word) != 0)
        kind++;
    if (kind == 6) {
        report_add(settle->report, node->place, suggest(settle->arena, word, kinds, 6),
                   "`by` knows header, cookie, jwt, query, json and client_ip, not \"%.100s\"", word);
        return false;
    }
    *source = (struct sticky_source){(enum unit_source)kind, kind == UNIT_CLIENT_IP ? NULL : name};
    if (kind == UNIT_CLIENT_IP ? *name != 0 : *name == 0) {
        report_add(settle->report, node->place, NULL,
                   kind == UNIT_CLIENT_IP ? "`%s` takes no name" : "`%s` needs a name behind it", word);
        return false;
    }
    if ((kind == UNIT_HEADER || kind == UNIT_COOKIE) && !token_valid(name)) {
        report_add(settle->report, node->place, NULL, "\"%.100s\" is not the name of a %s", name, word);
        return false;
    }
    if (kind == UNIT_JSON && !pointer_valid(name)) {
        report_add(settle->report, node->place, "write json /field", "\"%.100s\" is not a JSON pointer",
                   name);
        return false;
    }
    return true;
}

void read_sticky_by(struct settle *settle, const struct node *node, void *field) {
    struct sticky_config *sticky = field;
    if (!settle_kind(settle, node, NODE_LIST, "`by`"))
        return;
    sticky->by = arena_zero(settle->arena, node->count, sizeof *sticky->by);
    sticky->by_count = 0;
    for (size_t i = 0; i < node->count; i++)
        if (read_source(settle, node->items[i], &sticky->by[sticky->by_count]))
            sticky->by_count++;
}

static void read_condition(struct settle *settle, const struct node *node, struct retry_config *retry) {
    static const char *const words[] = {"connect", "refused_stream", "reset_before_response"};
    int64_t code;
    if (!settle_kind(settle, node, NODE_SCALAR, "an entry of `on`"))
        return;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(node->text, words[i]) == 0) {
            retry->conditions |= 1u << i;
            return;
        }
    }
    if (value_integer(node->text, &code) && (code == 429 || (code >= 500 && code <= 599)))
        retry->codes[retry->code_count++] = (uint16_t)code;
    else
        report_add(
            settle->report, node->place, suggest(settle->arena, node->text, words, 3),
            "`on` knows connect, refused_stream, reset_before_response, 429 and 5xx codes, not \"%.100s\"",
            node->text);
}

void read_retry_on(struct settle *settle, const struct node *node, void *field) {
    struct retry_config *retry = field;
    retry->conditions = 0;
    retry->code_count = 0;
    if (node->kind == NODE_SCALAR && node->place.line == 0) { // the default
        retry->conditions = RETRY_CONNECT;
        return;
    }
    if (!settle_kind(settle, node, NODE_LIST, "`on`"))
        return;
    retry->codes = arena_zero(settle->arena, node->count, sizeof *retry->codes);
    for (size_t i = 0; i < node->count; i++)
        read_condition(settle, node->items[i], retry);
}

void read_dry_run(struct settle *settle, const struct node *node, void *field) {
    struct string_list *list = field;
    if (node->kind == NODE_SCALAR && strcmp(node->text, "all") == 0) {
        list->items = arena_zero(settle->arena, 1, sizeof *list->items);
        list->items[0] = "all";
        list->count = 1;
        return;
    }
    if (node->kind != NODE_LIST) {
        settle_wrong(settle, node, "`dry_run`", "a list of guards or `all`");
        return;
    }
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->items[i];
        if (item->kind == NODE_SCALAR && name_valid(item->text)) {
            report_note(settle->report, &list->items[list->count], item->place, false);
            list->items[list->count++] = item->text;
        } else {
            settle_wrong(settle, item, "an entry of `dry_run`", "the name of a guard or signal");
        }
    }
}

void read_rollback(struct settle *settle, const struct node *node, void *field) {
    int64_t *over = field;
    *over = 0;
    if (node->kind == NODE_SCALAR && strcmp(node->text, "instant") == 0)
        return;
    const struct pair *pair = node->kind == NODE_MAP && node->count == 1 ? node->pairs : NULL;
    if (!pair || strcmp(pair->key, "over") != 0)
        settle_wrong(settle, node, "`rollback`", "`instant` or {over: DURATION}");
    else if (pair->value->kind != NODE_SCALAR || !value_duration(pair->value->text, over))
        settle_wrong(settle, pair->value, "`over`", "a duration such as 30s");
}

// "0660" is octal with or without its leading zero, as for chmod.
void read_mode(struct settle *settle, const struct node *node, void *field) {
    int64_t *mode = field;
    size_t len = node->kind == NODE_SCALAR ? strlen(node->text) : 0;
    if (len < 3 || len > 4 || strspn(node->text, "01234567") != len || (len == 4 && node->text[0] != '0'))
        settle_wrong(settle, node, "`mode`", "permissions in octal such as 0660");
    else
        *mode = strtol(node->text, NULL, 8);
}

static void wrong_network(struct settle *settle, const struct node *node, enum network_fault fault,
                          const struct network *network) {
    static const char *const words[] = {"unix"};
    char text[NETWORK_TEXT];
    switch (fault) {
    case NETWORK_NO_ADDRESS: {
        const char *hint = suggest(settle->arena, node->text, words, 1);
        report_add(settle->report, node->place, hint ? hint : "write 10.0.0.0/8, 2001:db8::/32 or unix",
                   "\"%.100s\" is neither a network nor an address", node->text);
        break;
    }
    case NETWORK_BITS:
        report_add(settle->report, node->place, NULL, "the bits of \"%.100s\" must be a number from 0 to %d",
                   node->text, strchr(node->text, ':') ? 128 : 32);
        break;
    default:
        network_text(network, text);
        report_add(settle->report, node->place,
                   arena_format(settle->arena, "write %s, or the address without bits", text),
                   "\"%.100s\" is an address in the network %s", node->text, text);
    }
}

void read_networks(struct settle *settle, const struct node *node, void *field) {
    struct network_list *list = field;
    if (!settle_kind(settle, node, NODE_LIST, "`trusted_proxies`"))
        return;
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->items[i];
        if (!settle_kind(settle, item, NODE_SCALAR, "an entry of `trusted_proxies`"))
            continue;
        if (strcmp(item->text, "unix") == 0) {
            list->local = true;
            continue;
        }
        enum network_fault fault = network_parse(slice_of(item->text), &list->items[list->count]);
        if (fault == NETWORK_FINE)
            list->count++;
        else
            wrong_network(settle, item, fault, &list->items[list->count]);
    }
}

void read_limits(struct settle *settle, const struct node *node, void *field) {
    struct rollout_config *rollout =
        (struct rollout_config *)((char *)field - offsetof(struct rollout_config, limits));
    if (!settle_kind(settle, node, NODE_MAP, "`limits`"))
        return;
    rollout->limits = arena_zero(settle->arena, node->count, sizeof *rollout->limits);
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        int64_t amount;
        bool time = strstr(pair->key, "latency") || strstr(pair->key, "ttft");
        double number;
        if (pair->value->kind != NODE_SCALAR ||
            !(time ? value_duration(pair->value->text, &amount) : value_number(pair->value->text, &number)))
            settle_wrong(settle, pair->value, arena_format(settle->arena, "`%.100s`", pair->key),
                         time ? "a duration such as 10s" : "a number");
        else
            rollout->limits[rollout->limit_count++] = (struct absolute_config){
                pair->place, pair->key, pair->value->text, time ? (double)amount * 1000 : number / 100};
    }
}

// A host name, an IPv4 address, or an IPv6 address in brackets.
static bool endpoint_host(const char *host) {
    unsigned char address[16];
    size_t len = strlen(host);
    char inner[INET6_ADDRSTRLEN];
    if (*host == '[') {
        if (len < 4 || len - 2 >= sizeof inner || host[len - 1] != ']')
            return false;
        memcpy(inner, host + 1, len - 2);
        inner[len - 2] = 0;
        return inet_pton(AF_INET6, inner, address) == 1;
    }
    if (strspn(host, "0123456789.") == len)
        return inet_pton(AF_INET, host, address) == 1;
    return host_valid(host);
}

// unix:/path
static void read_endpoint_path(struct settle *settle, const struct node *node,
                               struct endpoint_config *endpoint) {
    const char *path = node->text + 5;
    if (*path != '/' || strlen(path) > UNIX_PATH_MOST) {
        report_add(settle->report, node->place, NULL,
                   "endpoint \"%.200s\" is not of the form unix:/path (at most %d bytes)", node->text,
                   UNIX_PATH_MOST);
        return;
    }
    endpoint->url = arena_string(settle->arena, slice_of(node->text));
    endpoint->unix_path = endpoint->url + 5;
    endpoint->host = "localhost";
    endpoint->port = 80;
}

static const char *without_userinfo(struct settle *settle, const char *url) {
    struct strbuf shown = {0};
    if (!redact_target(slice_of(url), &shown))
        return url;
    const char *copy = arena_string(settle->arena, strbuf_as_slice(&shown));
    strbuf_free(&shown);
    return copy;
}

// http://host:port, scheme, host and port only. A slash at the end is what people paste.
void read_endpoint_url(struct settle *settle, const struct node *node, void *object) {
    struct endpoint_config *endpoint = object;
    if (node->kind != NODE_SCALAR || node_is_null(node)) {
        settle_wrong(settle, node, "an endpoint", "a URL");
        return;
    }
    if (strncmp(node->text, "unix:", 5) == 0) {
        read_endpoint_path(settle, node, endpoint);
        return;
    }
    size_t len = strlen(node->text), scheme = strncmp(node->text, "https://", 8) == 0 ? 8 : 7;
    if (len > scheme && node->text[len - 1] == '/')
        len--;
    char *url = arena_string(settle->arena, slice_make(node->text, len));
    if (scheme == 7 && strncmp(url, "http://", 7) != 0) {
        report_add(settle->report, node->place, "write http://host:port",
                   "endpoint \"%.200s\" must start with http://, https:// or unix:/",
                   without_userinfo(settle, node->text));
        return;
    }
    const char *shown = without_userinfo(settle, node->text);
    const char *rest = len > scheme ? url + scheme : "", *close = *rest == '[' ? strchr(rest, ']') : NULL;
    const char *colon = strchr(close ? close : rest, ':');
    int64_t port = scheme == 8 ? 443 : 80;
    size_t host_len = colon ? (size_t)(colon - rest) : strlen(rest);
    const char *host = arena_string(settle->arena, slice_make(rest, host_len));
    if (!endpoint_host(host) || strpbrk(rest, "/?#@") || (close && colon && colon != close + 1)) {
        report_add(settle->report, node->place, "scheme, host and port only",
                   "endpoint \"%.200s\" is not of the form http://host:port", shown);
    } else if (colon && (!value_integer(colon + 1, &port) || port < 1 || port > 65535)) {
        report_add(settle->report, node->place, NULL, "endpoint \"%.200s\" has a wrong port", shown);
    } else {
        endpoint->url = url;
        endpoint->tls = scheme == 8;
        endpoint->host = close ? arena_string(settle->arena, slice_make(host + 1, host_len - 2)) : host;
        endpoint->port = (uint16_t)port;
    }
}

void read_step(struct settle *settle, const struct node *node, void *field) {
    bool *pause = field;
    if (node->kind == NODE_SCALAR && strcmp(node->text, "manual") == 0)
        *pause = true;
    else
        settle_wrong(settle, node, "`pause`", "`manual`");
}
