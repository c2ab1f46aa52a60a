// `sluice demo`: model servers, proxy, traffic and a live table in one process group.
#include "app/demo.h"
#include "../terminal.h"

#include "app/options.h"
#include "base/clock.h"
#include "base/mem.h"
#include "caller.h"
#include "ending.h"
#include "fault.h"
#include "opinion.h"
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

#define PLAIN_SECONDS  5              // between two reports where nothing is redrawn
#define STAY_NS        (3 * NS_PER_S) // after the rollout has ended, to show what came of it
#define FAULT_PART     3              // of the first step, after which --fail begins
#define FINISH_SECONDS 10             // for requests under way when the time is up

struct demo {
    struct settings settings;
    struct stage stage;
    struct event_base *base;
    struct event *term, *interrupt, *second;
    struct screen screen;
    struct witness *witness;
    struct traffic *traffic;
    struct caller *admin, *decisions, *green;
    struct opinion *opinion;
    struct course course;
    struct status status;
    struct news news;
    uint64_t news_told; // of news.count, where lines are printed
    char program[512];
    unsigned seconds;   // since the traffic began
    uint64_t over_ns;   // when the rollout was first seen to have ended; 0: it goes on
    bool stopped;       // by a signal, or because stdout has gone
    uint64_t finish_ns; // since when there are no new requests, because the time is up; 0: it is not
    bool failing;       // --fail has taken effect
    bool broken;        // the proxy has ended by itself
};

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

static bool is_canary(const struct witness_visit *visit) {
    return visit->variant && strcmp(visit->variant, "canary") == 0;
}

static bool is_expected(const struct witness_visit *visit, void *context) {
    const struct demo *demo = context;
    return demo->failing && demo->settings.fault->errors && visit->status == 500 && is_canary(visit);
}

static void on_answer(const struct witness_visit *visit, void *context) {
    struct demo *demo = context;
    bool worse = demo->failing && is_canary(visit);
    if (visit->good && visit->variant)
        opinion_give(demo->opinion, visit, worse ? demo->settings.fault->score : OPINION_USUAL);
}

static void check_end(struct demo *demo) {
    bool over = course_end(&demo->course) >= 0;
    if (over && !demo->over_ns) {
        demo->over_ns = clock_monotonic_ns();
        if (!demo->settings.once)
            news_add(&demo->news, "the rollout has ended; the demo goes on");
    }
    if (!over) // another one has begun
        demo->over_ns = 0;
}

// Asked for after the state, so that what led to it is among them.
static void on_decisions(const json_t *json, void *context) {
    struct demo *demo = context;
    course_decisions(&demo->course, json, &demo->news);
    check_end(demo);
}

static void on_status(const json_t *json, void *context) {
    struct demo *demo = context;
    struct status now;
    if (!json || !status_read(&now, json))
        return;
    status_compare(&demo->status, &now, &demo->news);
    demo->status = now;
    course_status(&demo->course, json_object_get(status_route(json), "rollout"));
    caller_ask(demo->decisions, "/api/v1/routes/chat/decisions?last=20", NULL, on_decisions, demo);
}

static void on_failing(const json_t *json, void *context) {
    struct demo *demo = context;
    demo->failing = json != NULL; // a model server that did not answer is asked again
    if (demo->failing)
        news_add(&demo->news, "--fail %s: the canary %s", demo->settings.fault->name,
                 demo->settings.fault->words);
}

static void check_fault(struct demo *demo) {
    const struct fault *fault = demo->settings.fault;
    uint64_t elapsed_us = (clock_monotonic_ns() - demo->witness->begun_ns) / 1000;
    if (!fault || demo->failing || elapsed_us < demo->settings.step_us / FAULT_PART)
        return;
    demo->failing = true; // before the answer: what fails may be there first
    caller_ask(demo->green, "/simulate", fault->change, on_failing,
               demo); // no change: what it is like is read
}

static struct table make_table(const struct demo *demo) {
    return (struct table){.program = demo->program,
                          .settings = &demo->settings,
                          .stage = &demo->stage,
                          .witness = demo->witness,
                          .status = &demo->status,
                          .news = &demo->news,
                          .course = &demo->course,
                          .now_ns = clock_monotonic_ns(),
                          .columns = screen_columns(&demo->screen),
                          .unicode = terminal_unicode(),
                          .wrap = demo->screen.live};
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
            course_write(&demo->course, &text);
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

static bool is_time(const struct demo *demo, uint64_t now_ns) {
    uint64_t duration_us = demo->settings.duration_us;
    if (duration_us && now_ns - demo->witness->begun_ns >= duration_us * 1000)
        return true;
    return demo->settings.once && demo->over_ns && now_ns - demo->over_ns >= STAY_NS;
}

// Once the time is up, the loop ends when nothing is under way any more.
static void check_time(struct demo *demo) {
    uint64_t now_ns = clock_monotonic_ns();
    if (!demo->finish_ns && is_time(demo, now_ns)) {
        demo->finish_ns = now_ns;
        traffic_stop(demo->traffic);
    }
    if (demo->finish_ns &&
        (traffic_active(demo->traffic) == 0 || now_ns - demo->finish_ns > FINISH_SECONDS * NS_PER_S))
        event_base_loopbreak(demo->base);
}

static void on_second(evutil_socket_t fd, short what, void *context) {
    struct demo *demo = context;
    (void)fd, (void)what;
    demo->seconds++;
    witness_advance(demo->witness, clock_monotonic_ns());
    check_children(demo);
    caller_ask(demo->admin, "/api/v1/status", NULL, on_status, demo);
    check_fault(demo);
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
    demo->witness = witness_new(demo->settings.users, clock_monotonic_ns());
    demo->traffic = traffic_new(demo->base, &demo->settings, demo->witness, is_expected, on_answer, demo);
    demo->admin = caller_new(demo->base, demo->settings.admin_port);
    demo->decisions = caller_new(demo->base, demo->settings.admin_port);
    demo->green = caller_new(demo->base, demo->stage.model_ports[STAGE_GREEN]);
    demo->opinion = opinion_new(demo->base, demo->settings.admin_port);
    screen_open(&demo->screen, demo->settings.plain);
    if (!demo->screen.live && !demo->settings.duration_us)
        demo->settings.once = true; // nobody is there to press Ctrl-C
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
    ending_write(&table, &text);
    if (traffic_put_off(demo->traffic))
        strbuf_format(&text, " %llu more were not sent: too many were under way.\n",
                      (unsigned long long)traffic_put_off(demo->traffic));
    if (demo->finish_ns && traffic_active(demo->traffic)) {
        demo->broken = true;
        strbuf_format(&text, " %u were never answered.\n", traffic_active(demo->traffic));
    }
    screen_print(strbuf_as_slice(&text));
    strbuf_free(&text);
    if (!demo->stage.proxy.pid) {
        stage_log(&demo->stage, log, sizeof log);
        fprintf(stderr, "sluice: the proxy has ended by itself. Its log:\n%s", log);
    }
    if (demo->broken || demo->witness->failures)
        return EXIT_REFUSED;
    int end = course_end(&demo->course);
    return end < 0 ? EXIT_DONE : end;
}

// False when one of the processes did not end in order.
static bool close_all(struct demo *demo) {
    traffic_free(demo->traffic);
    caller_free(demo->admin);
    caller_free(demo->decisions);
    caller_free(demo->green);
    opinion_free(demo->opinion);
    course_free(&demo->course);
    bool ended = stage_close(&demo->stage);
    witness_free(demo->witness);
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
    struct demo demo = {0};
    struct error error = {0};
    int exit_code = EXIT_DONE;
    if (!settings_read(&demo.settings, argc, argv, &exit_code))
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
