#include "watch.h"

#include "app/client.h"
#include "app/commands.h"
#include "base/clock.h"
#include "decision_text.h"
#include "foot.h"
#include "member.h"
#include "panel.h"
#include "past.h"
#include "rollout_text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MISSED_MOST     60 // asked in vain so often in a row, it is given up
#define DECISIONS_ASKED 50

static const struct timespec a_second = {.tv_sec = 1};

void watch_free(struct watch *watch) {
    strbuf_free(&watch->state);
}

int watch_end(const json_t *rollout) {
    const char *state = member_text(rollout, "state");
    if (strcmp(state, "promoted") == 0)
        return EXIT_DONE;
    if (strcmp(state, "rolled_back") == 0)
        return EXIT_ROLLED_BACK;
    if (strcmp(state, "stopped") == 0 && member_given(rollout, "winner")) // on_winner: hold
        return member_is(rollout, "winner", member_text(rollout, "baseline")) ? EXIT_ROLLED_BACK : EXIT_DONE;
    if (strcmp(state, "stopped") == 0 || member_is(rollout, "hold", "inconclusive"))
        return EXIT_TIMED_OUT;
    return -1;
}

static void write_line(struct strbuf *out, bool as_json, const char *time, const char *text,
                       const json_t *value) {
    char *dumped = as_json ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    if (dumped)
        strbuf_format(out, "%s\n", dumped);
    else if (strlen(time) >= 19) // of 2026-11-23T05:35:24.123Z
        strbuf_format(out, "%.8s  %s\n", time + 11, text);
    else
        strbuf_format(out, "%s\n", text);
    free(dumped);
}

void watch_decisions(struct watch *watch, const json_t *answer, struct strbuf *out) {
    const json_t *decisions = json_object_get(answer, "decisions");
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        const json_t *decision = json_array_get(decisions, i);
        long long number = member_integer(decision, "number");
        if (number <= watch->number)
            continue;
        struct strbuf text = {0};
        decision_text_line(&text, decision);
        if (watch->begun) // what was decided before is what `sluice explain` tells
            write_line(out, watch->as_json, member_text(decision, "time"), strbuf_text(&text), decision);
        strbuf_free(&text);
        watch->number = number;
    }
}

void watch_rollout(struct watch *watch, const json_t *rollout, uint64_t wall_ms, struct strbuf *out) {
    struct strbuf text = {0};
    char time[CLOCK_ISO_BYTES];
    rollout_text_state(&text, rollout);
    if (!watch->begun || strcmp(strbuf_text(&text), strbuf_text(&watch->state)) != 0) {
        clock_iso(wall_ms, time);
        write_line(out, watch->as_json, time, strbuf_text(&text), rollout);
    }
    strbuf_free(&watch->state);
    watch->state = text;
    watch->begun = true;
}

static bool starting(const struct strbuf *answer) {
    json_t *root = answer->len ? json_loadb(answer->at, answer->len, 0, NULL) : NULL;
    bool is = member_is(json_object_get(root, "error"), "code", "starting");
    json_decref(root);
    return is;
}

// A daemon that went away in between is waited for, and so is one that starts. -1: look again.
static int missed(struct watch *watch, struct foot *foot, const struct invocation *invocation, int result,
                  const struct strbuf *answer) {
    foot_erase(foot);
    bool away = result == EXIT_UNREACHABLE || starting(answer);
    if (!away || !watch->begun || ++watch->missed >= MISSED_MOST)
        return client_tell(invocation, result, answer);
    if (watch->missed == 1)
        fprintf(stderr, "sluice watch: the daemon does not answer; waiting for it\n");
    return -1;
}

static void draw(const struct invocation *invocation, struct foot *foot, const json_t *route) {
    struct strbuf text = {0};
    struct panel_look how = {.fine = foot->fine, .columns = foot_size().columns};
    if (!foot->on) // without it nothing is drawn of the past
        return;
    json_t *past = past_ask(invocation, invocation->arguments[0], PANEL_POINTS);
    panel_write(&text, route, past, &how);
    foot_draw(foot, strbuf_as_slice(&text));
    json_decref(past);
    strbuf_free(&text);
}

static int seen(struct watch *watch, const struct invocation *invocation, struct foot *foot,
                const struct strbuf *route_answer, const struct strbuf *decided_answer) {
    json_t *route = json_loadb(route_answer->at, route_answer->len, 0, NULL);
    json_t *decided = json_loadb(decided_answer->at, decided_answer->len, 0, NULL);
    const json_t *rollout = json_object_get(route, "rollout");
    struct strbuf out = {0};
    watch_decisions(watch, decided, &out);
    watch_rollout(watch, rollout, clock_wall_ms(), &out);
    if (out.len)
        foot_erase(foot);
    fwrite(out.at ? out.at : "", 1, out.len, stdout);
    fflush(stdout); // whoever reads a pipe follows too
    strbuf_free(&out);
    draw(invocation, foot, route);
    watch->missed = 0;
    int result = watch_end(rollout);
    json_decref(route);
    json_decref(decided);
    return result;
}

struct paths {
    struct strbuf route, decisions;
};

// One look. -1: it goes on; else how the command ends.
static int look(struct watch *watch, struct foot *foot, const struct invocation *invocation,
                struct paths *paths) {
    struct strbuf route = {0}, decided = {0};
    bool quietly = watch->begun && watch->missed + 1 < MISSED_MOST;
    int result = client_ask(invocation, strbuf_text(&paths->route), &route, quietly);
    if (result != EXIT_DONE) {
        result = missed(watch, foot, invocation, result, &route);
    } else { // the decisions after the state, so that what led to it is among them
        result = client_ask(invocation, strbuf_text(&paths->decisions), &decided, quietly);
        result = result == EXIT_DONE ? seen(watch, invocation, foot, &route, &decided)
                                     : missed(watch, foot, invocation, result, &decided);
    }
    strbuf_free(&route);
    strbuf_free(&decided);
    return result;
}

// Asks once a second rather than holding a stream: a daemon that restarts meanwhile is followed too.
int command_watch(const struct invocation *invocation) {
    struct paths paths = {0};
    struct watch watch = {.as_json = invocation->json};
    struct foot foot;
    client_route_path(&paths.route, invocation, "");
    client_route_path(&paths.decisions, invocation, "decisions");
    strbuf_format(&paths.decisions, "?last=%d", DECISIONS_ASKED);
    foot_begin(&foot, !invocation->json);
    int result;
    while ((result = look(&watch, &foot, invocation, &paths)) < 0)
        nanosleep(&a_second, NULL);
    if (!invocation->exit_status && (result == EXIT_ROLLED_BACK || result == EXIT_TIMED_OUT))
        result = EXIT_DONE;
    foot_free(&foot);
    watch_free(&watch);
    strbuf_free(&paths.route);
    strbuf_free(&paths.decisions);
    return result;
}
