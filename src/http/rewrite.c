#include "http/rewrite.h"

#include "base/mem.h"
#include "scan.h"

const char *rewrite_result_name(enum rewrite_result result) {
    static const char *const names[] = {"done", "invalid", "too_deep", "no_place"};
    must((unsigned)result < sizeof names / sizeof *names);
    return names[result];
}

// One edit on its way through the text; what was passed is written to `out` as soon as something changes
// behind it. Without `out` the value is only looked for.
struct editor {
    struct scan scan;
    const char *copied; // up to here `out` has the text
    struct strbuf *out;
    const struct rewrite *edit;
    bool no_place;      // told once the whole text has turned out to be JSON
    struct slice found; // the value where the pointer leads
};

static void replace(struct editor *editor, const char *from, const char *to) {
    if (!editor->out)
        return;
    if (from > editor->copied)
        strbuf_slice(editor->out, slice_make(editor->copied, (size_t)(from - editor->copied)));
    if (to > editor->copied)
        editor->copied = to;
}

static const char *place(const struct editor *editor) {
    return editor->scan.at;
}

// Whether a value is to be made where there is none yet.
static bool sets(const struct editor *editor) {
    return editor->edit->value && !editor->edit->in_front;
}

static bool removes(const struct editor *editor) {
    return editor->out && !editor->edit->value;
}

static bool read_value(struct editor *editor, const char *pointer);

// ---- writing

static void write_key(struct strbuf *out, struct slice name) {
    static const char digit[] = "0123456789abcdef";
    strbuf_char(out, '"');
    for (; name.len; name = slice_from(name, 1)) {
        unsigned char byte = (unsigned char)name.at[0];
        if (byte == '~' && name.len > 1) {
            name = slice_from(name, 1);
            byte = name.at[0] == '1' ? '/' : '~';
        }
        if (byte == '"' || byte == '\\')
            strbuf_char(out, '\\');
        if (byte >= 0x20) {
            strbuf_char(out, (char)byte);
        } else {
            strbuf_literal(out, "\\u00");
            strbuf_char(out, digit[byte >> 4]);
            strbuf_char(out, digit[byte & 15]);
        }
    }
    strbuf_char(out, '"');
}

// "name":value; or, where the pointer goes on, "name":{"next":value}.
static void write_member(struct editor *editor, const char *pointer) {
    unsigned open = 0;
    for (const char *rest; pointer; pointer = rest) {
        write_key(editor->out, scan_name(pointer, &rest));
        strbuf_char(editor->out, ':');
        if (rest) {
            strbuf_char(editor->out, '{');
            open++;
        }
    }
    strbuf_string(editor->out, editor->edit->value);
    while (open--)
        strbuf_char(editor->out, '}');
}

// ---- objects and arrays

struct members {         // of the object or array that is open
    const char *kept;    // the end of the last one that stays; NULL: none yet
    const char *removed; // the first that stays begins where this one began; NULL: nothing like that
    bool any, found;
};

// One member from `begin` to the reader's place.
static void end_member(struct editor *editor, struct members *members, const char *begin, bool remove) {
    if (!remove) {
        if (members->removed)
            replace(editor, members->removed, begin);
        members->removed = NULL;
        members->kept = place(editor);
    } else if (members->kept) {
        replace(editor, members->kept, place(editor));
    } else if (!members->removed) {
        members->removed = begin;
    }
}

static void put_in_front(struct editor *editor) {
    struct scan *scan = &editor->scan;
    if (scan->at == scan->end || *scan->at != '[') {
        editor->no_place = true;
        return;
    }
    struct scan behind = *scan;
    behind.at++;
    replace(editor, behind.at, behind.at);
    strbuf_string(editor->out, editor->edit->value);
    scan_blanks(&behind);
    if (!scan_take(&behind, ']'))
        strbuf_char(editor->out, ',');
}

// The value of a member that the pointer names. False: a mistake.
static bool edit_value(struct editor *editor, const char *rest) {
    const char *begin = place(editor);
    if (rest)
        return read_value(editor, rest);
    if (editor->out && editor->edit->in_front)
        put_in_front(editor);
    if (!scan_value(&editor->scan))
        return false;
    editor->found = slice_make(begin, (size_t)(place(editor) - begin));
    if (editor->out && sets(editor)) {
        replace(editor, begin, place(editor));
        strbuf_string(editor->out, editor->edit->value);
    }
    return true;
}

static bool read_member(struct editor *editor, const char *pointer, struct members *members) {
    struct scan *scan = &editor->scan;
    const char *begin = scan->at, *rest = NULL;
    struct slice key;
    if (!scan_string(scan, &key))
        return false;
    bool mine = scan_key_is(key, scan_name(pointer, &rest));
    scan_blanks(scan);
    if (!scan_take(scan, ':'))
        return scan_wrong(scan);
    scan_blanks(scan);
    if (!(mine ? edit_value(editor, rest) : scan_value(scan)))
        return false;
    members->any = true;
    members->found = members->found || mine;
    end_member(editor, members, begin, mine && !rest && removes(editor));
    return true;
}

// Behind the last member; the reader stands behind the closing bracket.
static void close_members(struct editor *editor, const struct members *members) {
    if (members->removed) // all of them
        replace(editor, members->removed, place(editor) - 1);
}

static bool read_object(struct editor *editor, const char *pointer) {
    struct scan *scan = &editor->scan;
    struct members members = {0};
    const char *last = scan->at;
    scan_blanks(scan);
    if (!scan_take(scan, '}')) {
        do {
            scan_blanks(scan);
            if (!read_member(editor, pointer, &members))
                return false;
            last = scan->at;
            scan_blanks(scan);
        } while (scan_take(scan, ','));
        if (!scan_take(scan, '}'))
            return scan_wrong(scan);
    }
    if (!members.found && editor->edit->in_front)
        editor->no_place = true;
    if (!members.found && sets(editor) && editor->out) {
        replace(editor, last, last);
        strbuf_string(editor->out, members.any ? "," : "");
        write_member(editor, pointer);
    }
    close_members(editor, &members);
    return true;
}

// Behind the last of `count` elements, of which none is the one at `wanted`.
static void append(struct editor *editor, const char *last, int64_t wanted, int64_t count, bool goes_on) {
    if (goes_on || (wanted != INT64_MAX && wanted != count)) {
        editor->no_place = true;
        return;
    }
    replace(editor, last, last);
    strbuf_string(editor->out, count ? "," : "");
    strbuf_string(editor->out, editor->edit->value);
}

static bool read_array(struct editor *editor, const char *pointer) {
    struct scan *scan = &editor->scan;
    struct members members = {0};
    const char *rest = NULL, *last = scan->at;
    int64_t wanted = scan_index(scan_name(pointer, &rest)), count = 0;
    scan_blanks(scan);
    if (!scan_take(scan, ']')) {
        do {
            scan_blanks(scan);
            const char *begin = scan->at;
            bool mine = count++ == wanted;
            if (!(mine ? edit_value(editor, rest) : scan_value(scan)))
                return false;
            members.found = members.found || mine;
            end_member(editor, &members, begin, mine && !rest && removes(editor));
            last = scan->at;
            scan_blanks(scan);
        } while (scan_take(scan, ','));
        if (!scan_take(scan, ']'))
            return scan_wrong(scan);
    }
    if (!members.found && editor->edit->in_front)
        editor->no_place = true;
    if (!members.found && sets(editor) && editor->out)
        append(editor, last, wanted, count, rest != NULL);
    close_members(editor, &members);
    return true;
}

// A value from which `pointer` leads on.
static bool read_value(struct editor *editor, const char *pointer) {
    struct scan *scan = &editor->scan;
    bool object = scan_take(scan, '{');
    if (!object && !scan_take(scan, '[')) {
        editor->no_place = editor->no_place || editor->edit->value;
        return scan_scalar(scan);
    }
    if (!scan_enter(scan) || !(object ? read_object(editor, pointer) : read_array(editor, pointer)))
        return false;
    scan_leave(scan);
    return true;
}

static enum rewrite_result run(struct editor *editor) {
    struct scan *scan = &editor->scan;
    scan_blanks(scan);
    if (!(editor->edit ? read_value(editor, editor->edit->pointer) : scan_value(scan)))
        return scan->too_deep ? REWRITE_TOO_DEEP : REWRITE_INVALID;
    scan_blanks(scan);
    if (scan->at != scan->end)
        return REWRITE_INVALID;
    replace(editor, scan->end, scan->end);
    return editor->no_place ? REWRITE_NO_PLACE : REWRITE_DONE;
}

static struct editor start(struct slice text, const struct rewrite *edit, struct strbuf *out) {
    return (struct editor){
        .scan = {.at = text.at, .end = text.at + text.len}, .copied = text.at, .out = out, .edit = edit};
}

enum rewrite_result rewrite(struct slice text, const struct rewrite *edits, size_t count,
                            struct strbuf *out) {
    struct strbuf texts[2] = {{0}, {0}};
    enum rewrite_result result = REWRITE_DONE;
    size_t steps = count ? count : 1; // without edits it is read nevertheless
    for (size_t i = 0; i < steps && result == REWRITE_DONE; i++) {
        struct strbuf *to = &texts[i % 2];
        strbuf_clear(to);
        struct editor editor = start(text, count ? &edits[i] : NULL, to);
        result = run(&editor);
        text = strbuf_as_slice(to);
    }
    if (result == REWRITE_DONE)
        strbuf_slice(out, text);
    strbuf_free(&texts[0]);
    strbuf_free(&texts[1]);
    return result;
}

struct slice rewrite_find(struct slice text, const char *pointer) {
    const struct rewrite edit = {.pointer = pointer};
    struct editor editor = start(text, &edit, NULL);
    return run(&editor) == REWRITE_DONE ? editor.found : SLICE_NONE;
}
