#include "exposure.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "config/fleet.h"

#include <sys/stat.h>

// The group may read: that is how platforms and packages hand out secrets.
#define SECRET_OPEN (S_IWGRP | S_IRWXO)

struct exposed {
    const struct config *config;
    struct outcome *outcome;
};

// The permissions that `path` has of those it should not have; 0: none, or it cannot be told.
static unsigned open_bits(const char *path, unsigned forbidden, unsigned *mode) {
    struct stat info;
    if (!path || stat(path, &info) != 0)
        return 0;
    *mode = info.st_mode & 07777;
    return info.st_mode & forbidden;
}

static const char *whom(unsigned bits) {
    return bits & S_IWOTH   ? "everybody can change it"
           : bits & S_IROTH ? "everybody can read it"
                            : "its group can change it";
}

static void refuse(const struct exposed *exposed, const char *kind, const char *path, struct place place,
                   unsigned forbidden) {
    struct error error;
    unsigned mode = 0, bits = open_bits(path, forbidden, &mode);
    if (!bits)
        return;
    error_set(&error, "%s %s has mode %04o: %s; run chmod %04o %s", kind, path, mode, whom(bits),
              mode & ~forbidden, path);
    outcome_fail(exposed->outcome, place, error.text);
}

static void refuse_secret(const struct exposed *exposed, const char *kind, const char *path,
                          struct place section) {
    if (path)
        refuse(exposed, kind, path, config_path_place(exposed->config, path, section), SECRET_OPEN);
}

// A mounted key is often like this, and whoever mounts it cannot always help it.
static void warn_key(const struct exposed *exposed, const char *path, struct place section) {
    unsigned mode = 0, bits = open_bits(path, SECRET_OPEN, &mode);
    if (bits)
        outcome_warn(exposed->outcome, config_path_place(exposed->config, path, section),
                     "private key %s has mode %04o: %s", path, mode, whom(bits));
}

static void warn_keys(const struct exposed *exposed, const struct listener_tls_config *tls) {
    if (!tls)
        return;
    warn_key(exposed, tls->main.private_key, tls->main.place);
    for (size_t i = 0; i < tls->certificate_count; i++)
        warn_key(exposed, tls->certificates[i].private_key, tls->certificates[i].place);
}

static void check_state(const struct exposed *exposed) {
    const struct config *config = exposed->config;
    struct place place = config_path_place(config, config->state_dir, (struct place){0, 0});
    struct strbuf key = {0};
    strbuf_format(&key, "%s/request_id.key", config->state_dir);
    refuse(exposed, "state_dir", config->state_dir, place, S_IWOTH);
    refuse(exposed, "the key of request ids", strbuf_text(&key), place, SECRET_OPEN);
    strbuf_free(&key);
}

void exposure_check(const struct config *config, struct outcome *outcome) {
    struct exposed exposed = {config, outcome};
    refuse_secret(&exposed, "token file", config->admin.token_file, config->admin.place);
    for (size_t i = 0; i < config->route_count; i++)
        if (config->routes[i].override)
            refuse_secret(&exposed, "token file", config->routes[i].override->token_file,
                          config->routes[i].override->place);
    if (config->fleet)
        refuse_secret(&exposed, "password file", config->fleet->etcd.password_file,
                      config->fleet->etcd.place);
    warn_keys(&exposed, config->admin.tls);
    for (size_t i = 0; i < config->listener_count; i++)
        warn_keys(&exposed, config->listeners[i].tls);
    for (size_t i = 0; i < config->pool_count; i++)
        if (config->pools[i].tls)
            warn_key(&exposed, config->pools[i].tls->private_key, config->pools[i].tls->place);
    if (config->fleet && config->fleet->etcd.tls)
        warn_key(&exposed, config->fleet->etcd.tls->private_key, config->fleet->etcd.tls->place);
    check_state(&exposed);
}

void exposure_log(const struct config *config) {
    struct outcome outcome = {0};
    exposure_check(config, &outcome);
    for (size_t i = 0; i < outcome.warning_count; i++)
        log_warn("a file is open to others", "warning=\"%s\"", outcome.warnings[i].text);
    outcome_clear(&outcome);
}
