// The load generator of the comparison (compare.py): one thread that does as little per request as it can.
//
//   load MODE PORT [-c CONNECTIONS] [-d SECONDS] [-p PATH] [-b BODY_BYTES] [-r RATE] [-t] [-s]
//     closed  each connection sends its next request when the last answer is whole
//     conn    a connection per request
//     rate    RATE requests a second in all, begun when they are due; a latency counts from that moment
//     sse     one stream after another on each connection; a delay is that of an event since the origin sent
//     it idle    one request on each connection, then they are held
//   -t: TLS; -s: its sessions are resumed. Each connection has a user of its own (X-User-Id).
//
// Every connection makes one request to warm up. Then this prints "start", measures, prints "end", and one
// line of JSON.
#define _GNU_SOURCE
#include "answer.h"
#include "times.h"
#include "transport.h"
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES   262144
#define AWAY_BYTES   4194304 // of a large body that the kernel throws away at once
#define BODY_PIECE   1048576 // of what is sent at once
#define WARMING_MOST 64      // connections that warm up at once
#define WARMING_TIME (60 * SECOND)
#define ERRORS_MOST  2000

enum mode { MODE_CLOSED, MODE_CONN, MODE_RATE, MODE_SSE, MODE_IDLE };
static const char *const modes[] = {"closed", "conn", "rate", "sse", "idle"};

struct client {
    struct transport transport;
    char *head; // of its request
    size_t head_length, body;
    size_t sent;
    bool warm, busy;
    uint64_t began;
    struct answer answer;
};

static struct {
    enum mode mode;
    uint16_t port;
    unsigned connections;
    double seconds, rate;
    const char *path;
    size_t body;
    bool tls, resume;
} options = {.connections = 64, .seconds = 2, .rate = 1000, .path = "/b/1024"};

static enum { WARMING, MEASURING, OVER } phase;
static int epoll;
static struct client *clients, **waiting; // waiting: connections without a request, of rate
static unsigned warm, warming, opened, waiting_count, streaming;
static struct times latencies, firsts;
static uint64_t requests, events, bytes, errors, other_status, resumed, issued, start;
static char scratch[AWAY_BYTES], *body;

// ---- a connection's life

static void open_connection(struct client *client);

static void failed(struct client *client) {
    transport_close(&client->transport);
    client->busy = false;
    if (++errors > ERRORS_MOST) {
        fprintf(stderr, "more than %d requests failed\n", ERRORS_MOST);
        exit(1);
    }
    if (phase != OVER)
        open_connection(client);
}

static const char warm_up[] = "GET /b/16 HTTP/1.1\r\nHost: bench.local\r\nX-User-Id: warm\r\n\r\n";

static void push(struct client *client) {
    const char *head = client->warm ? client->head : warm_up;
    size_t head_length = client->warm ? client->head_length : sizeof warm_up - 1;
    size_t all = head_length + (client->warm ? client->body : 0);
    while (client->sent < all) {
        size_t left = all - client->sent;
        ssize_t sent =
            client->sent < head_length
                ? transport_send(&client->transport, head + client->sent, head_length - client->sent)
                : transport_send(&client->transport, body, left < BODY_PIECE ? left : BODY_PIECE);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent <= 0) {
            failed(client);
            return;
        }
        client->sent += (size_t)sent;
    }
}

static void prepare(struct client *client, uint64_t began) {
    client->began = began;
    client->sent = 0;
    answer_clear(&client->answer);
    client->busy = true;
}

static void begin_request(struct client *client, uint64_t began) {
    prepare(client, began);
    push(client);
}

static void open_connection(struct client *client) {
    static unsigned turn;
    uint64_t now = wire_now();
    client->transport.fd = wire_connect(options.port, turn++);
    if (client->transport.fd < 0) {
        failed(client);
        return;
    }
    if (options.tls)
        transport_begin_tls(&client->transport);
    prepare(client, now); // sent when the connection is there
    wire_watch(epoll, client->transport.fd, client);
}

static void warm_more(void) {
    while (opened < options.connections && warming < WARMING_MOST) {
        warming++;
        open_connection(&clients[opened++]);
    }
}

static uint64_t due(void) {
    return start + (uint64_t)((double)issued * (double)SECOND / options.rate);
}

static void issue(struct client *client) {
    uint64_t when = due();
    issued++;
    begin_request(client, when);
}

static void answered(struct client *client, uint64_t now) {
    client->busy = false;
    if (!client->warm) {
        client->warm = true;
        warm++;
        warming--;
        if (options.mode == MODE_CONN)
            transport_close(&client->transport);
        warm_more();
        return;
    }
    if (phase != MEASURING)
        return;
    requests++;
    if (options.mode != MODE_SSE)
        times_keep(&latencies, now - client->began);
    if (options.mode == MODE_CLOSED || options.mode == MODE_SSE) {
        begin_request(client, now);
    } else if (options.mode == MODE_RATE) {
        if (due() <= now)
            issue(client);
        else
            waiting[waiting_count++] = client;
    } else if (options.mode == MODE_CONN) {
        resumed += transport_resumed(&client->transport);
        transport_close(&client->transport);
        open_connection(client);
    }
}

// ---- answers

// The moments at which the origin sent the events of these bytes (an event is not cut, being one write).
static void read_stamps(const char *from, size_t length, uint64_t now) {
    const char *end = from + length;
    while ((from = memmem(from, (size_t)(end - from), "\"t\":", 4)) && end - from >= 23) {
        if (phase == MEASURING) {
            times_keep(&latencies, now - strtoull(from + 4, NULL, 10));
            events++;
        }
        from += 23;
    }
}

// What was read; false when it is no answer.
static bool take(struct client *client, size_t got, uint64_t now) {
    const char *part;
    size_t length;
    bool in_head = !client->answer.in_body;
    enum answer_state state = answer_take(&client->answer, scratch, got, &part, &length);
    if (state == ANSWER_BAD)
        return false;
    if (in_head && client->answer.in_body) {
        other_status += !client->answer.is_200;
        if (options.mode == MODE_SSE && phase == MEASURING && client->warm)
            times_keep(&firsts, now - client->began);
    }
    if (options.mode == MODE_SSE)
        read_stamps(part, length, now);
    if (state == ANSWER_WHOLE)
        answered(client, now);
    return true;
}

static void read_all(struct client *client) {
    while (client->transport.fd >= 0) {
        // The kernel throws a large body's bytes away.
        bool away = !client->transport.ssl && client->answer.in_body && !client->answer.chunked &&
                    client->answer.left > 65536;
        size_t most = away ? AWAY_BYTES : READ_BYTES;
        if (away && (size_t)client->answer.left < most)
            most = (size_t)client->answer.left;
        ssize_t got = transport_receive(&client->transport, scratch, most, away ? MSG_TRUNC : 0);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            failed(client);
            return;
        }
        if (phase == MEASURING)
            bytes += (uint64_t)got;
        int fd = client->transport.fd;
        if (client->busy && !take(client, (size_t)got, wire_now())) {
            failed(client);
            return;
        }
        if (client->transport.fd != fd || options.mode == MODE_CONN ||
            (!client->transport.ssl && (size_t)got < most))
            return;
    }
}

static void handle(struct client *client, uint32_t what) {
    if (client->transport.fd < 0)
        return;
    bool broken;
    if (!transport_handshake(&client->transport, &broken)) {
        if (broken)
            failed(client);
        return;
    }
    if (client->busy)
        push(client);
    if (client->transport.fd >= 0 && (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        read_all(client);
}

// ---- the run

static void set_up_client(struct client *client, unsigned number) {
    char length[64] = "";
    if (options.body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", options.body);
    int all = asprintf(&client->head,
                       "%s %s HTTP/1.1\r\nHost: bench.local\r\nUser-Agent: load/1\r\nAccept: */*\r\n"
                       "X-User-Id: user-%u\r\n%s%s\r\n",
                       options.body ? "POST" : "GET", options.path, number * UINT32_C(2654435761), length,
                       options.mode == MODE_CONN ? "Connection: close\r\n" : "");
    if (all < 0)
        wire_fail("asprintf");
    client->head_length = (size_t)all;
    client->body = options.body;
    client->transport.fd = -1;
}

static void begin_measuring(void) {
    puts("start");
    fflush(stdout);
    phase = MEASURING;
    start = wire_now();
    for (unsigned i = 0; i < options.connections; i++) {
        if (options.mode == MODE_CLOSED)
            begin_request(&clients[i], start);
        else if (options.mode == MODE_CONN)
            open_connection(&clients[i]);
        else if (options.mode == MODE_RATE)
            waiting[waiting_count++] = &clients[i];
    }
}

// What is due by the clock: requests at a rate, and streams, which begin spread over the first second.
static void begin_due(uint64_t now) {
    while (options.mode == MODE_RATE && waiting_count && due() <= now)
        issue(waiting[--waiting_count]);
    while (options.mode == MODE_SSE && streaming < options.connections &&
           now - start >= streaming * SECOND / options.connections)
        begin_request(&clients[streaming++], now);
}

// How long epoll may wait, ns.
static uint64_t patience(void) {
    if (phase == MEASURING && options.mode == MODE_SSE && streaming < options.connections)
        return SECOND / 2000;
    if (phase == MEASURING && options.mode == MODE_RATE && waiting_count) {
        uint64_t now = wire_now(), when = due();
        uint64_t left = when > now ? when - now : 0;
        return left < SECOND / 20 ? left : SECOND / 20;
    }
    return SECOND / 20;
}

static void report(double seconds) {
    times_sort(&latencies);
    times_sort(&firsts);
    printf("{\"seconds\":%.4f,\"requests\":%llu,\"bytes\":%llu,\"events\":%llu,\"errors\":%llu,\"other_"
           "status\":%llu,"
           "\"resumed\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"first_p50_us\":%.1f}\n",
           seconds, (unsigned long long)requests, (unsigned long long)bytes, (unsigned long long)events,
           (unsigned long long)errors, (unsigned long long)other_status, (unsigned long long)resumed,
           times_microseconds(&latencies, .5), times_microseconds(&latencies, .99),
           times_microseconds(&firsts, .5));
}

static void run(void) {
    uint64_t begun = wire_now();
    warm_more();
    for (;;) {
        struct epoll_event ready[512];
        uint64_t most = patience();
        struct timespec wait = {(time_t)(most / SECOND), (long)(most % SECOND)};
        int count = epoll_pwait2(epoll, ready, 512, &wait, NULL);
        for (int i = 0; i < count; i++)
            handle(ready[i].data.ptr, ready[i].events);
        if (phase == WARMING && warm == options.connections)
            begin_measuring();
        uint64_t now = wire_now();
        if (phase == WARMING && now - begun > WARMING_TIME) {
            fprintf(stderr, "only %u of %u connections had an answer in a minute\n", warm,
                    options.connections);
            exit(1);
        }
        if (phase != MEASURING)
            continue;
        begin_due(now);
        if ((double)(now - start) >= options.seconds * (double)SECOND) {
            phase = OVER;
            puts("end");
            fflush(stdout);
            report((double)(now - start) / (double)SECOND);
            return;
        }
    }
}

static int usage(void) {
    fprintf(stderr, "usage: load closed|conn|rate|sse|idle PORT [-c CONNECTIONS] [-d SECONDS] [-p PATH] "
                    "[-b BODY_BYTES] [-r RATE] [-t] [-s]\n");
    return 2;
}

int main(int argc, char **argv) {
    int mode = 0, option;
    while (mode < 5 && (argc < 3 || strcmp(argv[1], modes[mode]) != 0))
        mode++;
    if (mode == 5)
        return usage();
    options.mode = (enum mode)mode;
    options.port = (uint16_t)atoi(argv[2]);
    optind = 3;
    while ((option = getopt(argc, argv, "c:d:p:b:r:ts")) >= 0) {
        if (option == 'c')
            options.connections = (unsigned)atoi(optarg);
        else if (option == 'd')
            options.seconds = atof(optarg);
        else if (option == 'p')
            options.path = optarg;
        else if (option == 'b')
            options.body = (size_t)atol(optarg);
        else if (option == 'r')
            options.rate = atof(optarg);
        else if (option == 't')
            options.tls = true;
        else if (option == 's')
            options.resume = true;
        else
            return usage();
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    wire_many_files();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc(options.connections, sizeof *clients);
    waiting = calloc(options.connections, sizeof(struct client *));
    body = malloc(BODY_PIECE);
    if (epoll < 0 || !clients || !waiting || !body)
        wire_fail("load");
    memset(body, 'y', BODY_PIECE);
    if (options.tls)
        transport_set_up_tls(options.resume);
    for (unsigned i = 0; i < options.connections; i++)
        set_up_client(&clients[i], i);
    run();
    return 0;
}
