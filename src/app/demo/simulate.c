// `sluice simulate`: one simulated OpenAI-compatible model server.
#include "app/demo.h"

#include "app/options.h"
#include "arguments.h"
#include "base/mem.h"
#include "model_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define FINISH_SECONDS 10 // after TERM, for answers under way

struct simulation {
    struct model model;
    struct evhttp *http;
    struct evhttp_bound_socket *bound; // NULL: draining
    struct event *term, *interrupt;
    const char *bind;
    struct in_addr host; // the same
    unsigned port;
    const char *log_path;
};

// The first signal lets answers under way finish, the second ends at once.
static void on_stop(evutil_socket_t number, short what, void *context) {
    static const struct timeval patience = {.tv_sec = FINISH_SECONDS};
    struct simulation *self = context;
    (void)number, (void)what;
    if (!self->bound || self->model.active == 0) {
        event_base_loopbreak(self->model.base);
        return;
    }
    evhttp_del_accept_socket(self->http, self->bound);
    self->bound = NULL;
    self->model.draining = true;
    event_base_loopexit(self->model.base, &patience);
}

static bool read_arguments(struct simulation *self, int argc, char **argv, int *exit_code) {
    const struct argument items[] = {
        {"--port", ARGUMENT_PORT, &self->port, "N", "it listens on; 0, the default: the kernel chooses"},
        {"--bind", ARGUMENT_TEXT, &self->bind, "ADDRESS", "it listens on; default 127.0.0.1"},
        {"--name", ARGUMENT_TEXT, &self->model.name, "NAME", "of the server; default simulated"},
        {"--model", ARGUMENT_TEXT, &self->model.id, "MODEL", "it offers; default demo"},
        {"--latency", ARGUMENT_DURATION, &self->model.latency_us, "TIME", "to the first byte; default 80ms"},
        {"--jitter", ARGUMENT_DURATION, &self->model.jitter_us, "TIME", "spread of it; default 30ms"},
        {"--token-delay", ARGUMENT_DURATION, &self->model.token_delay_us, "TIME",
         "between the tokens of a stream; default 15ms"},
        {"--tokens", ARGUMENT_COUNT, &self->model.tokens, "N", "of an answer; default 24"},
        {"--error-rate", ARGUMENT_PERCENT, &self->model.error_rate, "PERCENT",
         "of the model calls that are answered with 500; default 0"},
        {"--log", ARGUMENT_TEXT, &self->log_path, "FILE", "one JSON line per request, appended"},
    };
    const struct argument_list list = {
        "simulate",
        "One simulated OpenAI-compatible model server: chat completions (streamed too), completions,\n"
        "embeddings, models, and /health, /b/N, /echo, /headers. GET /simulate shows what it did, POST\n"
        "changes latency_ms, jitter_ms, token_delay_ms, tokens and error_rate.",
        items, sizeof items / sizeof *items};
    if (!arguments_read(&list, argc, argv, exit_code))
        return false;
    if (inet_pton(AF_INET, self->bind, &self->host) == 1)
        return true;
    fprintf(stderr, "sluice: --bind: %s is not an IPv4 address\n", self->bind);
    *exit_code = EXIT_USAGE;
    return false;
}

// evhttp's own bind does not say why it failed, so the socket is made here.
static bool open_port(struct simulation *self) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)self->port), .sin_addr = self->host};
    socklen_t len = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        fprintf(stderr, "sluice: cannot listen on %s:%u: %s\n", self->bind, self->port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    self->port = ntohs(address.sin_port);
    self->bound = evhttp_accept_socket_with_handle(self->http, fd);
    must(self->bound != NULL);
    return true;
}

static bool open_log(struct simulation *self) {
    if (!self->log_path)
        return true;
    self->model.log = fopen(self->log_path, "ae");
    if (!self->model.log) {
        fprintf(stderr, "sluice: cannot write %s: %s\n", self->log_path, strerror(errno));
        return false;
    }
    (void)setvbuf(self->model.log, NULL, _IOLBF, 0);
    return true;
}

static void serve(struct simulation *self) {
    // The same fact twice: for people, and as the key the daemon's log has.
    printf("listening on %s:%u address=%s:%u\n", self->bind, self->port, self->bind, self->port);
    fflush(stdout);
    event_base_dispatch(self->model.base);
}

static void set_up(struct simulation *self) {
    self->model.base = event_base_new();
    must(self->model.base && (event_base_get_features(self->model.base) & EV_FEATURE_EARLY_CLOSE));
    self->http = evhttp_new(self->model.base);
    must(self->http != NULL);
    self->term = evsignal_new(self->model.base, SIGTERM, on_stop, self);
    self->interrupt = evsignal_new(self->model.base, SIGINT, on_stop, self);
    must(self->term && self->interrupt);
    evsignal_add(self->term, NULL);
    evsignal_add(self->interrupt, NULL);
    random_seed(&self->model.random);
    model_server_attach(self->http, &self->model);
    signal(SIGPIPE, SIG_IGN);
}

static void tear_down(struct simulation *self) {
    self->model.draining = false; // nothing to end any more
    evhttp_free(self->http);
    event_free(self->term);
    event_free(self->interrupt);
    event_base_free(self->model.base);
    if (self->model.log)
        fclose(self->model.log);
}

int simulate_main(int argc, char **argv) {
    struct simulation self = {.bind = "127.0.0.1",
                              .model = {.name = "simulated",
                                        .id = "demo",
                                        .latency_us = 80000,
                                        .jitter_us = 30000,
                                        .token_delay_us = 15000,
                                        .tokens = 24}};
    int exit_code = EXIT_DONE;
    if (!read_arguments(&self, argc, argv, &exit_code))
        return exit_code;
    set_up(&self);
    exit_code = EXIT_REFUSED;
    if (open_log(&self) && open_port(&self)) {
        serve(&self);
        exit_code = EXIT_DONE;
    }
    tear_down(&self);
    return exit_code;
}
