#include "stage.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "setup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS 30
#define STOP_MS       8000
#define CONFIG        "sluice.yaml"
#define LOG           "sluice.log"

static const struct {
    const char *name, *output, *latency, *jitter;
} cast[STAGE_MODELS] = {
    [STAGE_BLUE_1] = {"blue-1", "blue-1.out", "90ms", "30ms"},
    [STAGE_BLUE_2] = {"blue-2", "blue-2.out", "90ms", "30ms"},
    [STAGE_GREEN] = {"green-1", "green-1.out", "70ms", "25ms"}, // the new version is a little faster
};

// What a step of starting waits for. False: give up; the error says why, unless it was asked for.
struct pending {
    struct stage *stage;
    const struct settings *settings;
    bool (*waiting)(void *context);
    void *context;
    struct error *error;
};

static bool wait_for(const struct pending *pending, bool (*ready)(const struct pending *pending, int index),
                     int index, struct child *child) {
    const struct timespec step = {.tv_nsec = 10000000};
    uint64_t end = clock_monotonic_ns() + START_SECONDS * NS_PER_S;
    while (!ready(pending, index)) {
        if (!pending->waiting(pending->context))
            return false;
        if (!child_runs(child))
            return error_set(pending->error, "%s has ended instead of starting", child->name);
        if (clock_monotonic_ns() > end)
            return error_set(pending->error, "%s has not started within %d seconds", child->name,
                             START_SECONDS);
        nanosleep(&step, NULL);
    }
    return true;
}

static bool model_listens(const struct pending *pending, int index) {
    char text[256];
    scratch_tail(&pending->stage->scratch, cast[index].output, text, sizeof text);
    const char *port = strrchr(text, ':');
    if (!port || !strchr(port, '\n'))
        return false;
    pending->stage->model_ports[index] = (unsigned)strtoul(port + 1, NULL, 10);
    return true;
}

static bool start_model(struct stage *stage, int index, struct error *error) {
    char output[SCRATCH_PATH];
    const char *argv[] = {"simulate",          "--name",   cast[index].name,   "--latency",
                          cast[index].latency, "--jitter", cast[index].jitter, NULL};
    scratch_path(&stage->scratch, cast[index].output, output);
    return child_start(&stage->models[index], cast[index].name, (char *const *)(uintptr_t)argv, output,
                       error);
}

static bool answers(const char *host, unsigned port) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &where.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&where, sizeof where) == 0;
    if (fd >= 0)
        close(fd);
    return connected;
}

static bool proxy_listens(const struct pending *pending, int index) {
    (void)index;
    return answers(pending->settings->host, pending->settings->port) &&
           answers("127.0.0.1", pending->settings->admin_port);
}

static bool start_proxy(struct stage *stage, const struct settings *settings, struct error *error) {
    char output[SCRATCH_PATH];
    struct strbuf yaml = {0};
    const char *argv[] = {"run", "-c", stage->config_path, NULL};
    setup_write(&yaml, settings, &stage->scratch, stage->model_ports);
    bool written = scratch_write(&stage->scratch, CONFIG, strbuf_as_slice(&yaml), error);
    strbuf_free(&yaml);
    scratch_path(&stage->scratch, LOG, output);
    return written && child_start(&stage->proxy, "the proxy", (char *const *)(uintptr_t)argv, output, error);
}

bool stage_open(struct stage *stage, const struct settings *settings, bool (*waiting)(void *context),
                void *context, struct error *error) {
    const struct pending pending = {stage, settings, waiting, context, error};
    if (!scratch_make(&stage->scratch, error))
        return false;
    scratch_path(&stage->scratch, CONFIG, stage->config_path);
    for (int i = 0; i < STAGE_MODELS; i++)
        if (!start_model(stage, i, error))
            return false;
    for (int i = 0; i < STAGE_MODELS; i++)
        if (!wait_for(&pending, model_listens, i, &stage->models[i]))
            return false;
    return start_proxy(stage, settings, error) && wait_for(&pending, proxy_listens, 0, &stage->proxy);
}

static void complain(const struct stage *stage, const struct child *bad) {
    char text[4096];
    const char *output = LOG;
    for (int i = 0; i < STAGE_MODELS; i++)
        if (bad == &stage->models[i])
            output = cast[i].output;
    scratch_tail(&stage->scratch, output, text, sizeof text);
    fprintf(stderr, "sluice: %s did not end in order (wait status 0x%04x); its output ends with:\n%s",
            bad->name, (unsigned)bad->status, text);
}

bool stage_close(struct stage *stage) {
    struct child *proxy[] = {&stage->proxy}, *models[STAGE_MODELS];
    for (int i = 0; i < STAGE_MODELS; i++)
        models[i] = &stage->models[i];
    const struct child *bad = child_stop_all(proxy, 1, STOP_MS); // first, while there is something behind it
    const struct child *worse = child_stop_all(models, STAGE_MODELS, STOP_MS);
    if (bad || worse)
        complain(stage, bad ? bad : worse);
    scratch_remove(&stage->scratch);
    return !bad && !worse;
}

void stage_log(const struct stage *stage, char *text, size_t size) {
    scratch_tail(&stage->scratch, LOG, text, size);
}
