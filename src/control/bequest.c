#include "bequest.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"

#include <string.h>

// What an endpoint is not given requests for, and what another process can know.
#define STATES (ENDPOINT_UNHEALTHY | ENDPOINT_DRAINED | ENDPOINT_EJECTED | ENDPOINT_UPDATING)

static const char *const kinds[] = {
    [BEQUEST_HELLO] = "hello",       [BEQUEST_LISTENER] = "listener", [BEQUEST_ADMIN] = "admin",
    [BEQUEST_END] = "end",           [BEQUEST_TAKE] = "take",         [BEQUEST_FAILED] = "failed",
    [BEQUEST_ENDPOINT] = "endpoint", [BEQUEST_WEIGHTS] = "weights",   [BEQUEST_YOURS] = "yours",
    [BEQUEST_READY] = "ready",       [BEQUEST_MAIN] = "main",         [BEQUEST_TASKS] = "tasks",
    [BEQUEST_RELOAD] = "reload",
};

json_t *bequest_parse(struct slice text, enum bequest_kind *kind) {
    json_t *root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
    const char *name = bequest_text(root, "kind");
    *kind = BEQUEST_UNKNOWN;
    for (unsigned i = 0; name && i < BEQUEST_UNKNOWN; i++)
        if (strcmp(kinds[i], name) == 0)
            *kind = (enum bequest_kind)i;
    return root;
}

const char *bequest_text(const json_t *root, const char *name) {
    return json_string_value(json_object_get(root, name));
}

static uint64_t number(const json_t *root, const char *name) {
    json_int_t value = json_integer_value(json_object_get(root, name));
    return value > 0 ? (uint64_t)value : 0;
}

static struct emit begin(enum bequest_kind kind, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "kind"), kinds[kind]);
    return emit;
}

void bequest_write(enum bequest_kind kind, struct strbuf *out) {
    struct emit emit = begin(kind, out);
    emit_end(&emit, '}');
}

// ---- hello

void bequest_write_hello(const struct bequest_hello *hello, struct strbuf *out) {
    struct emit emit = begin(BEQUEST_HELLO, out);
    char tickets[2 * TLS_TICKETS_BYTES];
    hex_bytes(tickets, hello->tickets, TLS_TICKETS_BYTES / 8);
    emit_u64(emit_name(&emit, "protocol"), BEQUEST_PROTOCOL);
    emit_text(emit_name(&emit, "version"), hello->version);
    emit_text(emit_name(&emit, "config"), hello->config_path);
    emit_u64(emit_name(&emit, "upgrades"), hello->upgrades);
    emit_u64(emit_name(&emit, "failures"), hello->failures);
    emit_slice(emit_name(&emit, "tickets"), slice_make(tickets, sizeof tickets));
    emit_end(&emit, '}');
    explicit_bzero(tickets, sizeof tickets);
}

static int digit(char c) {
    const char *at = c ? strchr("0123456789abcdef", c) : NULL;
    return at ? (int)(at - strchr("0123456789abcdef", '0')) : -1;
}

static bool read_hex(const char *text, unsigned char *bytes, size_t count) {
    if (!text || strlen(text) != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

bool bequest_read_hello(const json_t *root, struct bequest_hello *hello, struct error *error) {
    uint64_t protocol = number(root, "protocol");
    *hello = (struct bequest_hello){
        .version = bequest_text(root, "version"),
        .config_path = bequest_text(root, "config"),
        .upgrades = number(root, "upgrades"),
        .failures = number(root, "failures"),
    };
    if (protocol != BEQUEST_PROTOCOL)
        return error_set(error, "the running binary speaks version %llu of the handover, this one version %d",
                         (unsigned long long)protocol, BEQUEST_PROTOCOL);
    if (!hello->config_path || !read_hex(bequest_text(root, "tickets"), hello->tickets, TLS_TICKETS_BYTES))
        return error_set(error, "the running binary says nothing that can be used");
    return true;
}

// ---- sockets

void bequest_write_listener(enum bequest_kind kind, const struct lent_listener *listener,
                            struct strbuf *out) {
    struct emit emit = begin(kind, out);
    emit_text(emit_name(&emit, "address"), listener->configured);
    emit_bool(emit_name(&emit, "lent"), listener->lent);
    if (listener->file->path) {
        emit_text(emit_name(&emit, "path"), listener->file->path);
        emit_u64(emit_name(&emit, "device"), listener->file->device);
        emit_u64(emit_name(&emit, "inode"), listener->file->inode);
    }
    emit_end(&emit, '}');
}

void bequest_read_listener(const json_t *root, struct lent_listener *listener, struct socket_file *file) {
    *listener = (struct lent_listener){
        .configured = bequest_text(root, "address"),
        .lent = json_is_true(json_object_get(root, "lent")),
    };
    *file = (struct socket_file){
        .path = mem_copy_string(bequest_text(root, "path")),
        .device = (dev_t)number(root, "device"),
        .inode = (ino_t)number(root, "inode"),
    };
}

// ---- endpoints

bool bequest_write_endpoint(const struct endpoint *endpoint, struct strbuf *out) {
    unsigned states = atomic_load(&endpoint->states) & STATES;
    uint64_t spared_until_ns = atomic_load(&endpoint->spared_until_ns);
    if (!states && !endpoint->ejections && spared_until_ns <= clock_monotonic_ns())
        return false;
    struct emit emit = begin(BEQUEST_ENDPOINT, out);
    emit_text(emit_name(&emit, "pool"), endpoint->pool);
    emit_text(emit_name(&emit, "url"), endpoint->url);
    emit_u64(emit_name(&emit, "states"), states);
    emit_u64(emit_name(&emit, "ejections"), endpoint->ejections);
    emit_u64(emit_name(&emit, "ejected_until_ns"), endpoint->ejected_until_ns);
    emit_u64(emit_name(&emit, "spared_until_ns"), spared_until_ns);
    emit_u64(emit_name(&emit, "refusals"), atomic_load(&endpoint->refusals));
    emit_end(&emit, '}');
    return true;
}

void bequest_read_endpoint(const json_t *root, struct endpoint *endpoint) {
    atomic_fetch_or(&endpoint->states, (unsigned)number(root, "states") & STATES);
    endpoint->ejections = (unsigned)number(root, "ejections");
    endpoint->ejected_until_ns = number(root, "ejected_until_ns");
    atomic_store(&endpoint->spared_until_ns, number(root, "spared_until_ns"));
    atomic_store(&endpoint->refusals, (unsigned)number(root, "refusals"));
}

// ---- weights

void bequest_write_weights(const struct route_config *route, const uint16_t *weights, struct strbuf *out) {
    struct emit emit = begin(BEQUEST_WEIGHTS, out);
    emit_text(emit_name(&emit, "route"), route->name);
    emit_object(emit_name(&emit, "weights"));
    for (size_t i = 0; i < route->variant_count; i++)
        emit_u64(emit_name(&emit, route->variants[i].name), weights[i]);
    emit_end(&emit, '}');
    emit_object(emit_name(&emit, "file"));
    for (size_t i = 0; i < route->variant_count; i++)
        emit_u64(emit_name(&emit, route->variants[i].name), (uint64_t)route->variants[i].weight);
    emit_end(&emit, '}');
    emit_end(&emit, '}');
}

bool bequest_read_weights(const json_t *root, const struct route_config *route, uint16_t *weights) {
    const json_t *live = json_object_get(root, "weights"), *file = json_object_get(root, "file");
    uint64_t sum = 0;
    if (json_object_size(live) != route->variant_count || json_object_size(file) != route->variant_count)
        return false;
    for (size_t i = 0; i < route->variant_count; i++) {
        const struct variant_config *variant = &route->variants[i];
        uint64_t weight = number(live, variant->name);
        if (!json_object_get(live, variant->name) || !json_object_get(file, variant->name) ||
            number(file, variant->name) != (uint64_t)variant->weight || weight > SHARE_WHOLE)
            return false;
        weights[i] = (uint16_t)weight;
        sum += weight;
    }
    return sum == SHARE_WHOLE;
}

// ---- ready

static void write_left(const char *name, bool lent, void *context) {
    (void)lent;
    emit_text(context, name);
}

void bequest_write_ready(const struct inherited *inherited, struct strbuf *out) {
    struct emit emit = begin(BEQUEST_READY, out);
    emit_array(emit_name(&emit, "left"));
    inherited_rest(inherited, write_left, &emit);
    emit_end(&emit, ']');
    emit_end(&emit, '}');
}

bool bequest_left(const json_t *ready, const char *address) {
    const json_t *left = json_object_get(ready, "left");
    for (size_t i = 0; i < json_array_size(left); i++) {
        const char *name = json_string_value(json_array_get(left, i));
        if (name && strcmp(name, address) == 0)
            return true;
    }
    return false;
}

// ---- texts

void bequest_write_tasks(struct slice lines, struct strbuf *out) {
    struct emit emit = begin(BEQUEST_TASKS, out);
    emit_slice(emit_name(&emit, "lines"), lines);
    emit_end(&emit, '}');
}

void bequest_write_failed(const struct outcome *outcome, struct strbuf *out) {
    struct emit emit = begin(BEQUEST_FAILED, out);
    struct strbuf line = {0};
    emit_array(emit_name(&emit, "mistakes"));
    for (size_t i = 0; i < outcome->mistake_count && out->len < 32768; i++) {
        strbuf_clear(&line);
        outcome_write(outcome, i, &line);
        emit_slice(&emit, strbuf_as_slice(&line));
    }
    emit_end(&emit, ']');
    emit_end(&emit, '}');
    strbuf_free(&line);
}
