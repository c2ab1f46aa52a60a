// fleet: the `fleet` section of a configuration: many proxies that share their rollouts through etcd. Part of
// struct config, with its rules of ownership.
#pragma once
#include "config/config.h"

struct fleet_etcd_config {
    struct place place;
    struct string_list endpoints; // URLs: scheme, host and port
    const char *prefix;           // of all keys; without a slash at its end
    int64_t ttl;                  // ms, of the lease of each instance
    struct pool_tls_config *tls;  // without server_name; NULL: the system's authorities
    const char *username, *password_file;
    const char *password; // read at load, without the line end
};
struct fleet_config {
    struct place place;
    const char *instance; // NULL: host name and first port
    struct fleet_etcd_config etcd;
    const char *prometheus; // URL that evidence is read from; NULL: from etcd
};
