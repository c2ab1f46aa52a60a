// etcd_server: a real etcd of one member on loopback, with its data in a directory of its own. It ends with
// the test program, however that ends.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct etcd_server {
    pid_t pid; // 0: it does not run
    unsigned port;
    char url[64]; // "http://127.0.0.1:PORT"
    char folder[256];
    bool encrypted; // https, with a certificate that it signed itself:
    char certificate[300];
};
// Before `open`; when it is not there the test is to be skipped.
bool etcd_server_installed(void);
void etcd_server_open(struct etcd_server *server, bool encrypted);
void etcd_server_run(struct etcd_server *server);  // again, with what it had
void etcd_server_kill(struct etcd_server *server); // as power failing does
void etcd_server_close(struct etcd_server *server);
// What the client has no call for: POST of JSON, which must go well. Waits.
void etcd_server_post(const struct etcd_server *server, const char *path, const char *json);
void etcd_server_compact(const struct etcd_server *server, long long revision);
// A user "root" with this password, and authentication on.
void etcd_server_lock(const struct etcd_server *server, const char *password);
