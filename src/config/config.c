#include "config/config.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/refcount.h"
#include "base/strbuf.h"
#include "check.h"
#include "fingerprint.h"
#include "schema.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (16u << 20)

// The configuration with what keeps it.
struct kept_config {
    struct config config; // first: the two have one address
    struct refcount refs;
    struct arena arena;
};

static struct kept_config *kept(struct config *config) {
    return (struct kept_config *)config;
}

struct config *config_ref(struct config *config) {
    refcount_take(&kept(config)->refs);
    return config;
}

void config_unref(struct config *config) {
    if (!config || !refcount_drop(&kept(config)->refs))
        return;
    arena_free(&kept(config)->arena);
    mem_free(config);
}

static const char *absolute_path(struct arena *arena, const char *path) {
    char folder[PATH_MAX];
    if (*path == '/' || !getcwd(folder, sizeof folder))
        return arena_string(arena, slice_of(path));
    return arena_format(arena, "%s/%s", folder, path);
}

static void read_all(struct kept_config *result, struct slice text, struct report *report) {
    struct arena *arena = &result->arena;
    const char *slash = strrchr(result->config.path, '/');
    struct settle settle = {.arena = arena, .report = report};
    settle.folder = arena_string(
        arena, slice_make(result->config.path, slash ? (size_t)(slash - result->config.path) : 0));
    struct node *root = tree_read(arena, text, report);
    if (!root && report->count)
        return;
    if (!root || root->kind != NODE_MAP) {
        report_add(report, root ? root->place : (struct place){1, 1}, NULL,
                   root && !node_is_null(root)
                       ? "the file must be a mapping with `listeners`, `pools` and `routes`"
                       : "the file is empty");
        return;
    }
    settle_section(&settle, &schema_root, root, &result->config);
    result->config.paths = settle.paths;
    result->config.path_count = settle.path_count;
    struct check check = {.arena = arena, .report = report, .config = &result->config};
    check_file(&check);
}

struct config *config_parse(const char *path, struct slice text, struct diagnostics *diagnostics) {
    struct kept_config *result = mem_zero(1, sizeof *result);
    struct report report = {0};
    refcount_init(&result->refs);
    arena_init(&result->arena, 65536);
    result->config.path = absolute_path(&result->arena, path);
    read_all(result, text, &report);
    report_take(&report, diagnostics);
    if (diagnostics->count == 0) {
        for (size_t i = 0; i < result->config.route_count; i++)
            result->config.routes[i].fingerprint = fingerprint_of(&result->config, &result->config.routes[i]);
        return &result->config;
    }
    config_unref(&result->config);
    return NULL;
}

static bool read_file(const char *path, struct strbuf *text, struct error *error) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, "cannot open the file: %s", strerror(errno));
    bool ok = fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode);
    if (!ok)
        error_set(error, "cannot read the file: it is a folder");
    ssize_t n = 1;
    while (ok && n > 0 && text->len <= FILE_MOST) {
        n = read(fd, strbuf_reserve(text, 65536), 65536);
        if (n > 0)
            text->len += (size_t)n;
    }
    if (ok && n < 0)
        ok = error_set(error, "cannot read the file: %s", strerror(errno));
    if (ok && text->len > FILE_MOST)
        ok = error_set(error, "the file is larger than 16 MiB");
    close(fd);
    return ok;
}

struct config *config_load(const char *path, struct diagnostics *diagnostics) {
    struct strbuf text = {0};
    struct error error;
    struct config *config = NULL;
    if (read_file(path, &text, &error)) {
        config = config_parse(path, strbuf_as_slice(&text), diagnostics);
    } else {
        struct report report = {0};
        report_add(&report, (struct place){1, 1}, NULL, "%s", error.text);
        report_take(&report, diagnostics);
    }
    strbuf_free(&text);
    return config;
}

static int64_t nearest(int64_t pool, int64_t route, int64_t global) {
    return pool != TIMEOUT_INHERIT ? pool : route != TIMEOUT_INHERIT ? route : global;
}

struct timeouts_config config_timeouts(const struct config *config, const struct route_config *route,
                                       const struct pool_config *pool) {
    static const struct timeouts_config inherit = {TIMEOUT_INHERIT, TIMEOUT_INHERIT, TIMEOUT_INHERIT,
                                                   TIMEOUT_INHERIT, TIMEOUT_INHERIT, TIMEOUT_INHERIT,
                                                   TIMEOUT_INHERIT, TIMEOUT_INHERIT};
    const struct timeouts_config *a = pool ? &pool->timeouts : &inherit,
                                 *b = route ? &route->timeouts : &inherit, *c = &config->timeouts;
    return (struct timeouts_config){
        .handshake = c->handshake,
        .client_header = c->client_header,
        .client_idle = nearest(a->client_idle, b->client_idle, c->client_idle),
        .connect = nearest(a->connect, b->connect, c->connect),
        .first_byte = nearest(a->first_byte, b->first_byte, c->first_byte),
        .stream_idle = nearest(a->stream_idle, b->stream_idle, c->stream_idle),
        .total = nearest(a->total, b->total, c->total),
        .tcp_user = c->tcp_user,
    };
}

struct place config_path_place(const struct config *config, const char *path, struct place otherwise) {
    for (size_t i = 0; i < config->path_count; i++)
        if (config->paths[i].path == path)
            return config->paths[i].place;
    return otherwise;
}

const struct route_config *config_route(const struct config *config, const char *name, size_t *index) {
    for (size_t i = 0; i < config->route_count; i++) {
        if (strcmp(config->routes[i].name, name) != 0)
            continue;
        if (index)
            *index = i;
        return &config->routes[i];
    }
    return NULL;
}

const struct pool_config *config_pool(const struct config *config, const char *name, size_t *index) {
    for (size_t i = 0; i < config->pool_count; i++) {
        if (strcmp(config->pools[i].name, name) != 0)
            continue;
        if (index)
            *index = i;
        return &config->pools[i];
    }
    return NULL;
}

bool config_linked(const struct route_config *route, const struct route_config *other) {
    return route == other ||
           (route->experiment && other->experiment && strcmp(route->experiment, other->experiment) == 0);
}
