#include "http/trailer.h"
#include "http/chunk.h"
#include "http/writer.h"

// Fields that mean something only in front of the content: controls, conditions, caching, representation.
static bool belongs_in_the_head(struct slice name) {
    static const struct slice names[] = {
        {"Age", 3},
        {"Cache-Control", 13},
        {"Expires", 7},
        {"Location", 8},
        {"Pragma", 6},
        {"Vary", 4},
        {"Warning", 7},
        {"Range", 5},
        {"Set-Cookie", 10},
        {"Set-Cookie2", 11},
        {"ETag", 4},
        {"Last-Modified", 13},
        {"Origin", 6},
        {"Referer", 7},
        {"Allow", 5},
        {"Server", 6},
        {"Early-Data", 10},
        {"Accept-Ranges", 13},
        {"Refresh", 7},
        {"WWW-Authenticate", 16},
        {"Authentication-Info", 19},
        {"Proxy-Authentication-Info", 25},
        {"Strict-Transport-Security", 25},
        {"Alt-Svc", 7},
        {"TraceState", 10},
    };
    static const struct slice beginnings[] = {{"Content-", 8},         {"If-", 3},  {"Accept-", 7},
                                              {"Access-Control-", 15}, {"Sec-", 4}, {"Proxy-", 6}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal_fold(name, names[i]))
            return true;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (name.len >= beginnings[i].len &&
            slice_equal_fold(slice_make(name.at, beginnings[i].len), beginnings[i]))
            return true;
    return false;
}

bool trailer_allowed(struct slice name) {
    return name.len > 0 && field_identify(name) == FIELD_OTHER && slice_find(name, '_') == name.len &&
           !belongs_in_the_head(name);
}

static bool listed(struct slice name, struct slice list) {
    while (list.at)
        if (slice_equal_fold(slice_trim(slice_cut(&list, ',')), name))
            return true;
    return false;
}

void trailer_ending(const struct head *head, struct strbuf *out) {
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != FIELD_CONNECTION)
            continue;
        strbuf_slice(out, head->fields[i].value);
        strbuf_char(out, ',');
    }
}

void trailer_names(struct slice list, struct slice ending, struct strbuf *out) {
    while (list.at) {
        struct slice name = slice_trim(slice_cut(&list, ','));
        if (!trailer_allowed(name) || listed(name, ending))
            continue;
        if (out->len)
            strbuf_literal(out, ", ");
        strbuf_slice(out, name);
    }
}

bool trailer_write(struct slice section, struct slice announced, struct slice ending, struct strbuf *out) {
    size_t begin = out->len;
    unsigned fields = 0;
    strbuf_literal(out, "0\r\n");
    while (section.len && fields < TRAILER_FIELDS) {
        size_t end = slice_find(section, '\r');
        struct slice value = slice_make(section.at, end);
        struct slice name = slice_cut(&value, ':');
        section = slice_from(section, end + 2);
        if (!trailer_allowed(name) || listed(name, ending) || (announced.at && !listed(name, announced)))
            continue;
        write_field(out, name, slice_trim(value));
        fields++;
    }
    strbuf_literal(out, "\r\n");
    if (!fields)
        out->len = begin;
    return fields > 0;
}
