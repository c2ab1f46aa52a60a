#include "status_live.h"

#include "app/client.h"
#include "app/paint.h"
#include "fleet_text.h"
#include "foot.h"
#include "keys.h"
#include "member.h"
#include "panel.h"
#include "past.h"
#include "status_fleet.h"
#include "status_text.h"

#define INTERVAL_MS 1000
#define PAST_EVERY  5 // looks: a point of the past is as many seconds

struct live {
    const struct invocation *invocation;
    bool one; // route, not all of it
    struct strbuf path;
    struct foot foot;
    json_t *pasts; // by route, of those in sight
    unsigned looks;
};

static const char hint[] = "q ends it";
static const char parting[] = "\033[1A\r\033[J"; // what was only true before: the hint

static size_t lines_of(const struct strbuf *text) {
    size_t lines = 0;
    for (size_t i = 0; i < text->len; i++)
        lines += text->at[i] == '\n';
    return lines;
}

// Borrowed; NULL: it is not known.
static const json_t *past_of(struct live *live, const char *route) {
    const json_t *known = json_object_get(live->pasts, route);
    json_t *past = known ? NULL : past_ask(live->invocation, route, PANEL_POINTS);
    if (past)
        json_object_set_new(live->pasts, route, past);
    return known ? known : past;
}

static void write_route(struct live *live, struct strbuf *out, const json_t *route) {
    struct terminal_size size = foot_size();
    bool seen = lines_of(out) < size.rows; // of others nothing more is asked
    struct panel_look how = {.fine = live->foot.fine, .columns = size.columns};
    panel_write(out, route, seen ? past_of(live, member_text(route, "name")) : NULL, &how);
}

static void write_all(struct live *live, struct strbuf *out, const json_t *root) {
    const json_t *item;
    size_t i;
    status_text_daemon(out, root);
    json_array_foreach(json_object_get(root, "routes"), i, item) {
        strbuf_char(out, '\n');
        write_route(live, out, item);
    }
    json_array_foreach(json_object_get(root, "pools"), i, item) status_text_pool(out, item);
}

static void draw(struct live *live, const struct strbuf *answer) {
    json_t *root = json_loadb(answer->at, answer->len, 0, NULL);
    struct strbuf whole = {0}, fitting = {0};
    struct terminal_size size = foot_size();
    if (live->looks++ % PAST_EVERY == 0)
        json_object_clear(live->pasts);
    if (live->one)
        write_route(live, &whole, root);
    else if (live->invocation->fleet)
        fleet_text_write(&whole, json_object_get(root, "fleet"));
    else
        write_all(live, &whole, root);
    foot_fit(&fitting, strbuf_as_slice(&whole), size.columns, size.rows > 3 ? size.rows - 2 : 1);
    strbuf_format(&fitting, "%s%s%s\n", paint(PAINT_DIM), hint, paint(PAINT_PLAIN));
    foot_draw(&live->foot, strbuf_as_slice(&fitting));
    strbuf_free(&whole);
    strbuf_free(&fitting);
    json_decref(root);
}

// Why the last look failed, below what was seen before.
static void tell(const struct invocation *invocation, int result, const struct strbuf *answer) {
    if (result == EXIT_UNREACHABLE)
        fprintf(stderr, "sluice status: the daemon at %s does not answer any more\n", invocation->admin);
    else
        client_tell(invocation, result, answer);
}

// Until it is ended, by somebody or because no answer came. The exit code.
static int follow(struct live *live, struct strbuf *answer) {
    int result = EXIT_DONE;
    draw(live, answer);
    keys_begin(parting);
    while (!keys_quit(INTERVAL_MS)) {
        strbuf_free(answer);
        result = client_ask(live->invocation, strbuf_text(&live->path), answer, true);
        if (result != EXIT_DONE)
            break;
        if (keys_resumed())
            strbuf_clear(&live->foot.drawn);
        draw(live, answer);
    }
    keys_end();
    return result;
}

static bool lacks_fleet(const struct invocation *invocation, const struct strbuf *answer) {
    json_t *fleet = invocation->fleet ? status_fleet_find(answer) : NULL;
    json_decref(fleet);
    return invocation->fleet && !fleet;
}

// Asks once a second as `sluice watch` does: a stream would be one of the few that the daemon has.
int status_live(const struct invocation *invocation) {
    struct live live = {.invocation = invocation, .one = invocation->argument_count == 1};
    struct strbuf answer = {0};
    if (live.one)
        client_route_path(&live.path, invocation, "");
    else
        strbuf_literal(&live.path, "/api/v1/status");
    int result = client_call(invocation, strbuf_text(&live.path), NULL, &answer);
    if (result == EXIT_DONE && lacks_fleet(invocation, &answer))
        result = EXIT_REFUSED;
    if (result == EXIT_DONE) {
        live.pasts = json_object();
        foot_begin(&live.foot, true);
        result = follow(&live, &answer);
        if (result != EXIT_DONE)
            tell(invocation, result, &answer);
        foot_free(&live.foot);
        json_decref(live.pasts);
    }
    strbuf_free(&answer);
    strbuf_free(&live.path);
    return result;
}
