#include "fleet_text.h"

#include "app/paint.h"
#include "member.h"
#include "words.h"

#include <string.h>

#define WIDEST 40

// What another instance says of itself is anybody's words.
static void pad(struct strbuf *out, const char *text, size_t width) {
    size_t before = out->len, columns = 0;
    words_plain(out, text);
    for (size_t i = before; i < out->len; i++)
        columns += ((unsigned char)out->at[i] & 0xc0) != 0x80;
    for (; columns < width; columns++)
        strbuf_char(out, ' ');
    strbuf_literal(out, "  ");
}

static void pad_age(struct strbuf *out, const json_t *member, const char *name, const char *behind) {
    struct strbuf text = {0};
    if (member_given(member, name)) {
        words_duration(&text, (double)(long long)member_number(member, name));
        strbuf_string(&text, behind);
    }
    pad(out, text.len ? strbuf_text(&text) : "-", 12);
    strbuf_free(&text);
}

static size_t widest(const json_t *members, const char *name, size_t least) {
    const json_t *member;
    size_t i;
    json_array_foreach(members, i, member) {
        size_t len = strlen(member_text(member, name));
        least = len > least ? len : least;
    }
    return least < WIDEST ? least : WIDEST;
}

static void write_agreement(struct strbuf *out, const json_t *member) {
    const json_t *agrees = json_object_get(member, "agrees"), *route;
    size_t i;
    if (!json_is_boolean(agrees)) {
        strbuf_literal(out, "-\n");
        return;
    }
    if (json_is_true(agrees)) {
        strbuf_format(out, "%ssame%s\n", paint(PAINT_GREEN), paint(PAINT_PLAIN));
        return;
    }
    strbuf_format(out, "%sdiffers:", paint(PAINT_RED));
    json_array_foreach(json_object_get(member, "differs"), i, route) {
        strbuf_string(out, i ? ", " : " ");
        words_plain(out, json_string_value(route));
    }
    strbuf_format(out, "%s\n", paint(PAINT_PLAIN));
}

static void write_member(struct strbuf *out, const json_t *member, size_t names, size_t admins) {
    bool leads = member_true(member, "leader"), self = member_true(member, "self");
    strbuf_format(out, "%s %s", self ? "*" : " ", self ? paint(PAINT_BOLD) : "");
    pad(out, member_text(member, "name"), names);
    strbuf_string(out, self ? paint(PAINT_PLAIN) : "");
    pad(out, leads ? "leader" : "member", 6);
    pad(out, member_text(member, "version"), 10);
    pad(out, member_text(member, "admin"), admins);
    pad_age(out, member, "started_seconds", "");
    pad_age(out, member, "loaded_seconds", " ago");
    write_agreement(out, member);
}

static void write_apart(struct strbuf *out, const json_t *fleet) {
    strbuf_format(out, "%sapart for ", paint(PAINT_RED));
    words_duration(out, (double)(long long)member_number(fleet, "apart_seconds"));
    strbuf_literal(out, ": ");
    words_plain(out, member_given(fleet, "error") ? member_text(fleet, "error") : "it is joining");
    strbuf_format(out, "; what served last goes on%s\n", paint(PAINT_PLAIN));
}

static void write_head(struct strbuf *out, const json_t *fleet) {
    bool apart = member_is(fleet, "role", "apart");
    strbuf_format(out, "fleet %s%s%s  this is ", paint(PAINT_BOLD), member_text(fleet, "prefix"),
                  paint(PAINT_PLAIN));
    words_plain(out, member_text(fleet, "instance"));
    strbuf_format(out, ", %s%s%s  leader ", apart ? paint(PAINT_RED) : "", member_text(fleet, "role"),
                  apart ? paint(PAINT_PLAIN) : "");
    words_plain(out, member_given(fleet, "leader") ? member_text(fleet, "leader") : "none");
    strbuf_format(out, "  lease %.1f s  watch %.1f s ago", member_number(fleet, "lease_seconds"),
                  member_number(fleet, "watch_age_seconds"));
    if (member_number(fleet, "lag_seconds") > 0)
        strbuf_format(out, "  %sbehind for %.1f s%s", paint(PAINT_YELLOW),
                      member_number(fleet, "lag_seconds"), paint(PAINT_PLAIN));
    strbuf_char(out, '\n');
    if (apart)
        write_apart(out, fleet);
}

// Nothing is wrong with it: nothing is written.
static void write_evidence(struct strbuf *out, const json_t *evidence) {
    if (!member_given(evidence, "error"))
        return;
    strbuf_format(out, "%sno evidence for ", paint(PAINT_RED));
    words_duration(out, (double)(long long)member_number(evidence, "age_seconds"));
    strbuf_literal(out, ": ");
    words_plain(out, member_text(evidence, "error"));
    strbuf_format(out, "; steps wait%s\n", paint(PAINT_PLAIN));
}

void fleet_text_write(struct strbuf *out, const json_t *fleet) {
    const json_t *members = json_object_get(fleet, "members"), *member;
    size_t names = widest(members, "name", 8), admins = widest(members, "admin", 5), i;
    if (!json_is_object(fleet)) {
        strbuf_literal(out, "the daemon belongs to no fleet any more\n");
        return;
    }
    write_head(out, fleet);
    write_evidence(out, json_object_get(fleet, "evidence"));
    if (!json_array_size(members))
        return;
    strbuf_format(out, "\n%s  %-*s  %-6s  %-10s  %-*s  %-12s  %-12s  %s%s\n", paint(PAINT_DIM), (int)names,
                  "instance", "role", "version", (int)admins, "admin", "up", "loaded", "rollouts",
                  paint(PAINT_PLAIN));
    json_array_foreach(members, i, member) write_member(out, member, names, admins);
}
