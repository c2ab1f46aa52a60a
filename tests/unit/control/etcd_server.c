#include "etcd_server.h"

#include "control/fetch.h"
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

bool etcd_server_installed(void) {
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : ""), *at = copy, *folder, file[512];
    bool found = false;
    while (!found && (folder = strsep(&at, ":")) != NULL) {
        snprintf(file, sizeof file, "%s/etcd", folder);
        found = access(file, X_OK) == 0;
    }
    free(copy);
    if (!found)
        print_message("etcd is not installed: nothing is tried against it\n");
    return found;
}

// etcd must be told its own address, so that it cannot choose the port itself.
static unsigned free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

// Short elections, since the shortest lease is one and a half of them; the peers' port is nobody's.
static void become(const struct etcd_server *server) {
    char *arguments[] = {"etcd",
                         "--name=unit",
                         "--data-dir=data",
                         "--listen-client-urls",
                         (char *)server->url,
                         "--advertise-client-urls",
                         (char *)server->url,
                         "--listen-peer-urls=http://127.0.0.1:0",
                         "--initial-advertise-peer-urls=http://127.0.0.1:0",
                         "--initial-cluster=unit=http://127.0.0.1:0",
                         "--heartbeat-interval=20",
                         "--election-timeout=200",
                         "--auth-token-ttl=1",
                         server->encrypted ? "--auto-tls" : NULL,
                         NULL};
    int log;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(server->folder) != 0 || (log = open("log", O_CREAT | O_APPEND | O_WRONLY, 0600)) < 0)
        _exit(126);
    dup2(log, 1);
    dup2(log, 2);
    execvp("etcd", arguments);
    _exit(127);
}

void etcd_server_run(struct etcd_server *server) {
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        become(server);
}

// Where memory serves as a disk, since etcd waits for each write to be on it.
void etcd_server_open(struct etcd_server *server, bool encrypted) {
    const char *temporary = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    memset(server, 0, sizeof *server);
    snprintf(server->folder, sizeof server->folder, "%s/unit-etcd-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(server->folder));
    server->port = free_port();
    server->encrypted = encrypted;
    snprintf(server->url, sizeof server->url, "%s://127.0.0.1:%u", encrypted ? "https" : "http",
             server->port);
    snprintf(server->certificate, sizeof server->certificate, "%s/data/fixtures/client/cert.pem",
             server->folder);
    etcd_server_run(server);
}

void etcd_server_kill(struct etcd_server *server) {
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status, (void)kind, (void)at;
    return remove(path);
}

void etcd_server_close(struct etcd_server *server) {
    etcd_server_kill(server);
    if (server->folder[0])
        nftw(server->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    server->folder[0] = '\0';
}

void etcd_server_post(const struct etcd_server *server, const char *path, const char *json) {
    char url[128];
    struct fetch_answer answer = {0};
    snprintf(url, sizeof url, "%s%s", server->url, path);
    struct fetch_request request = {.method = "POST",
                                    .url = url,
                                    .body = slice_of(json),
                                    .user_agent = "unit",
                                    .timeout_ms = 60000,
                                    .most_body = 1000};
    fetch_wait(&request, &answer);
    if (answer.status != 200)
        fail_msg("%s: %ld %s %.*s", path, answer.status, answer.error, (int)answer.body.len,
                 answer.body.at ? answer.body.at : "");
    fetch_answer_free(&answer);
}

void etcd_server_compact(const struct etcd_server *server, long long revision) {
    char json[64];
    snprintf(json, sizeof json, "{\"revision\":\"%lld\",\"physical\":true}", revision);
    etcd_server_post(server, "/v3/kv/compaction", json);
}

void etcd_server_lock(const struct etcd_server *server, const char *password) {
    char json[128];
    snprintf(json, sizeof json, "{\"name\":\"root\",\"password\":\"%s\"}", password);
    etcd_server_post(server, "/v3/auth/user/add", json);
    etcd_server_post(server, "/v3/auth/role/add", "{\"name\":\"root\"}");
    etcd_server_post(server, "/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}");
    etcd_server_post(server, "/v3/auth/enable", "{}");
}
