// `sluice demo`: model servers, proxy, traffic and a live table in one process group.
#include "app/demo.h"

#include "app/options.h"
#include "arguments.h"
#include "base/clock.h"
#include "base/mem.h"
#include "caller.h"
#include "port.h"
#include "screen.h"
#include "table.h"
#include "traffic.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PLAIN_SECONDS  5  // between two reports where nothing is redrawn
#define FAIL_SECONDS   10 // until the canary begins to fail
#define FAIL_BODY      "{\"error_rate\":25}"
#define FINISH_SECONDS 10 // for requests under way when the time is up

struct demo {
    struct settings settings;
    struct stage stage;
    struct event_base *base;
    struct event *term, *interrupt, *second;
    struct screen screen;
    struct tally *tally;
    struct traffic *traffic;
    struct caller *admin, *green;
    struct status status;
    struct news news;
    uint64_t news_told; // of news.count, where lines are printed
    char program[512];
    unsigned seconds; // since the traffic began
    bool stopped;     // by a signal, or because stdout has gone
    bool finishing;   // the time is up: no new requests
    bool failing;     // --fail has taken effect
    bool broken;      // the proxy has ended by itself
};

static bool read_arguments(struct settings *settings, int argc, char **argv, int *exit_code) {
    const struct argument items[] = {
        {"--port", ARGUMENT_PORT, &settings->port, "N", "of the proxy; default 8080, 0: any free one"},
        {"--admin-port", ARGUMENT_PORT, &settings->admin_port, "N", "of the admin API; default 9901, 0: any"},
        {"--bind", ARGUMENT_TEXT, &settings->bind, "ADDRESS", "the proxy listens on; default 127.0.0.1"},
        {"--duration", ARGUMENT_DURATION, &settings->duration_us, "TIME",
         "after which it ends; default: never"},
        {"--rate", ARGUMENT_COUNT, &settings->rate, "N", "requests per second; default 200"},
        {"--users", ARGUMENT_COUNT, &settings->users, "N", "who send them; default 2000"},
        {"--fail", ARGUMENT_FLAG, &settings->fail, NULL,
         "the canary fails 25 % of its answers after 10 seconds"},
        {"--plain", ARGUMENT_FLAG, &settings->plain, NULL, "lines instead of a table that redraws itself"},
    };
    const struct argument_list list = {
        "demo",
        "Simulated model servers, sluice in front of them, traffic from many users, and a live table of\n"
        "what each variant gets. Ctrl-C ends all of it. Exit code 1: a request failed that was not meant to.",
        items, sizeof items / sizeof *items};
    if (!arguments_read(&list, argc, argv, exit_code))
        return false;
    settings->users = settings->users ? settings->users : 1;
    settings->host = strcmp(settings->bind, "0.0.0.0") == 0 ? "127.0.0.1" : settings->bind;
    return true;
}

// How to call this program from here: by name when it is in PATH, else by a path that is as short as it can
// be.
static void find_program(char *program, size_t size) {
    char self[512], here[512], found[600], target[600];
    const char *rest = getenv("PATH");
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    snprintf(program, size, "%s", len > 0 ? self : "sluice");
    if (getcwd(here, sizeof here) && strncmp(self, here, strlen(here)) == 0 && self[strlen(here)] == '/')
        snprintf(program, size, "%s", self + strlen(here) + 1);
    for (struct slice path = slice_of(rest); path.at;) {
        struct slice part = slice_cut(&path, ':');
        snprintf(found, sizeof found, "%.*s/sluice", (int)(part.len < 500 ? part.len : 500), part.at);
        if (access(found, X_OK) != 0)
            continue;
        char *real = realpath(found, NULL);
        snprintf(target, sizeof target, "%s", real ? real : "");
        free(real);
        if (strcmp(target, self) == 0)
            snprintf(program, size, "sluice");
        return; // the shell takes the first, whatever it is
    }
}

static void on_signal(evutil_socket_t number, short what, void *context) {
    struct demo *demo = context;
    (void)number, (void)what;
    demo->stopped = true;
    event_base_loopbreak(demo->base);
}

// While things start: signals are looked at, nothing else.
static bool on_waiting(void *context) {
    struct demo *demo = context;
    event_base_loop(demo->base, EVLOOP_NONBLOCK);
    return !demo->stopped;
}

static bool is_expected(const struct tally_visit *visit, void *context) {
    const struct demo *demo = context;
    return demo->failing && visit->status == 500 && visit->variant && strcmp(visit->variant, "canary") == 0;
}

static void on_status(const json_t *json, void *context) {
    struct demo *demo = context;
    struct status now;
    if (!json || !status_read(&now, json))
        return;
    status_compare(&demo->status, &now, &demo->news);
    demo->status = now;
}

static void on_failing(const json_t *json, void *context) {
    struct demo *demo = context;
    news_add(&demo->news, "--fail: the canary's model server %s",
             json ? "now answers 25 % of its requests with 500" : "does not answer");
    news_add(&demo->news,
             "nothing takes it back by itself yet (a later release does); by hand: %s weight chat "
             "stable=100 canary=0",
             demo->program);
}

static struct table make_table(const struct demo *demo) {
    return (struct table){.program = demo->program,
                          .settings = &demo->settings,
                          .stage = &demo->stage,
                          .tally = demo->tally,
                          .status = &demo->status,
                          .news = &demo->news,
                          .now_ns = clock_monotonic_ns(),
                          .columns = screen_columns(&demo->screen),
                          .unicode = screen_unicode()};
}

static void tell_news(struct demo *demo, const struct table *table, struct strbuf *out) {
    if (demo->news.count - demo->news_told > NEWS_KEPT)
        demo->news_told = demo->news.count - NEWS_KEPT;
    for (; demo->news_told < demo->news.count; demo->news_told++)
        table_news_line(table, &demo->news.items[demo->news_told % NEWS_KEPT], out);
}

static void show(struct demo *demo) {
    struct table table = make_table(demo);
    struct strbuf text = {0};
    char elapsed[16];
    if (demo->screen.live) {
        table_screen(&table, &text);
    } else {
        tell_news(demo, &table, &text);
        if (demo->seconds && demo->seconds % PLAIN_SECONDS == 0) {
            table_elapsed(&table, table.now_ns, elapsed);
            strbuf_format(&text, "\n %s\n", elapsed);
            table_variants(&table, false, "", &text);
        }
    }
    if (!screen_show(&demo->screen, strbuf_as_slice(&text))) {
        demo->stopped = true;
        event_base_loopbreak(demo->base);
    }
    strbuf_free(&text);
}

static void check_children(struct demo *demo) {
    for (int i = 0; i < STAGE_MODELS; i++)
        if (demo->stage.models[i].pid && !child_runs(&demo->stage.models[i]))
            news_add(&demo->news, "model server %s has ended", demo->stage.models[i].name);
    if (!child_runs(&demo->stage.proxy)) {
        demo->broken = true;
        event_base_loopbreak(demo->base);
    }
}

// Once the time is up, the loop ends when nothing is under way any more.
static void check_time(struct demo *demo) {
    uint64_t elapsed_us = (clock_monotonic_ns() - demo->tally->begun_ns) / 1000;
    if (!demo->settings.duration_us || elapsed_us < demo->settings.duration_us)
        return;
    if (!demo->finishing)
        traffic_stop(demo->traffic);
    demo->finishing = true;
    if (traffic_active(demo->traffic) == 0 ||
        elapsed_us > demo->settings.duration_us + FINISH_SECONDS * 1000000ull)
        event_base_loopbreak(demo->base);
}

static void on_second(evutil_socket_t fd, short what, void *context) {
    struct demo *demo = context;
    (void)fd, (void)what;
    demo->seconds++;
    tally_advance(demo->tally, clock_monotonic_ns());
    check_children(demo);
    caller_ask(demo->admin, "/api/v1/status", NULL, on_status, demo);
    if (demo->settings.fail && !demo->failing && demo->seconds >= FAIL_SECONDS) {
        demo->failing = true;
        caller_ask(demo->green, "/simulate", FAIL_BODY, on_failing, demo);
    }
    show(demo);
    check_time(demo);
}

// A connection each for thousands of clients; the proxy inherits it.
static void raise_limits(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void watch_signals(struct demo *demo) {
    demo->base = event_base_new();
    must(demo->base != NULL);
    demo->term = evsignal_new(demo->base, SIGTERM, on_signal, demo);
    demo->interrupt = evsignal_new(demo->base, SIGINT, on_signal, demo);
    demo->second = event_new(demo->base, -1, EV_PERSIST, on_second, demo);
    must(demo->term && demo->interrupt && demo->second);
    evsignal_add(demo->term, NULL);
    evsignal_add(demo->interrupt, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void run(struct demo *demo) {
    const struct timeval second = {.tv_sec = 1};
    demo->tally = tally_new(demo->settings.users, clock_monotonic_ns());
    demo->traffic = traffic_new(demo->base, &demo->settings, demo->tally, is_expected, demo);
    demo->admin = caller_new(demo->base, demo->settings.admin_port);
    demo->green = caller_new(demo->base, demo->stage.model_ports[STAGE_GREEN]);
    screen_open(&demo->screen, demo->settings.plain);
    if (!demo->screen.live) {
        struct table table = make_table(demo);
        struct strbuf text = {0};
        table_hints(&table, &text);
        screen_print(strbuf_as_slice(&text));
        strbuf_free(&text);
    }
    caller_ask(demo->admin, "/api/v1/status", NULL, on_status, demo);
    event_add(demo->second, &second);
    traffic_start(demo->traffic);
    event_base_dispatch(demo->base);
    screen_close(&demo->screen);
}

// What stays on the terminal. The exit code.
static int conclude(struct demo *demo) {
    struct table table = make_table(demo);
    struct strbuf text = {0};
    char log[2048];
    tell_news(demo, &table, &text);
    strbuf_literal(&text, "\n From beginning to end:\n");
    table_variants(&table, true, "", &text);
    table_summary(&table, &text);
    if (traffic_put_off(demo->traffic))
        strbuf_format(&text, " %llu more were not sent: too many were under way.\n",
                      (unsigned long long)traffic_put_off(demo->traffic));
    if (demo->finishing && traffic_active(demo->traffic)) {
        demo->broken = true;
        strbuf_format(&text, " %u were never answered.\n", traffic_active(demo->traffic));
    }
    screen_print(strbuf_as_slice(&text));
    strbuf_free(&text);
    if (!demo->stage.proxy.pid) {
        stage_log(&demo->stage, log, sizeof log);
        fprintf(stderr, "sluice: the proxy has ended by itself. Its log:\n%s", log);
    }
    return demo->broken || demo->tally->failures ? EXIT_REFUSED : EXIT_DONE;
}

// False when one of the processes did not end in order.
static bool close_all(struct demo *demo) {
    traffic_free(demo->traffic);
    caller_free(demo->admin);
    caller_free(demo->green);
    bool ended = stage_close(&demo->stage);
    tally_free(demo->tally);
    event_free(demo->term);
    event_free(demo->interrupt);
    event_free(demo->second);
    event_base_free(demo->base);
    return ended;
}

static int explain(const struct demo *demo, const struct error *error) {
    char log[2048];
    if (!error->text[0]) // a signal
        return EXIT_DONE;
    fprintf(stderr, "sluice: %s\n", error->text);
    stage_log(&demo->stage, log, sizeof log);
    if (log[0])
        fprintf(stderr, "its log:\n%s", log);
    return EXIT_REFUSED;
}

int demo_main(int argc, char **argv) {
    struct demo demo = {
        .settings = {.bind = "127.0.0.1", .port = 8080, .admin_port = 9901, .rate = 200, .users = 2000}};
    struct error error = {0};
    int exit_code = EXIT_DONE;
    if (!read_arguments(&demo.settings, argc, argv, &exit_code))
        return exit_code;
    if (!port_settle(demo.settings.bind, &demo.settings.port, "--port", &error) ||
        !port_settle("127.0.0.1", &demo.settings.admin_port, "--admin-port", &error)) {
        fprintf(stderr, "sluice: %s\n", error.text);
        return EXIT_REFUSED;
    }
    find_program(demo.program, sizeof demo.program);
    raise_limits();
    watch_signals(&demo);
    if (stage_open(&demo.stage, &demo.settings, on_waiting, &demo, &error)) {
        run(&demo);
        exit_code = conclude(&demo);
    } else {
        exit_code = explain(&demo, &error);
    }
    return close_all(&demo) ? exit_code : EXIT_REFUSED;
}
