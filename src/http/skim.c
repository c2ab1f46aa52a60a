#include "http/skim.h"

#include "find.h"

enum state {
    ROOT,       // before the object
    FIRST_KEY,  // behind {
    NEXT_KEY,   // behind a comma
    KEY,        // inside a key's quotes
    KEY_ESCAPE, // behind a backslash there
    COLON,
    VALUE,
    STRING, // a string value
    STRING_ESCAPE,
    NUMBER,         // that may be a count
    LITERAL,        // true, false, null, other numbers
    BEHIND,         // a value: a comma or } comes
    STEPPED,        // inside an object or array that is of no interest
    STEPPED_STRING, // a string there
    STEPPED_ESCAPE,
    ELEMENT,        // of an array whose objects are looked at, or its end
    BEHIND_ELEMENT, // a comma or ] comes
    OVER,           // the object has ended
    BROKEN,
};

#define TOO_LONG UINT16_MAX

struct reader {
    struct skim *skim;
    void (*tell)(void *context, const struct skim_value *value);
    void *context;
};

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool in_literal(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == 'E' || c == '+' || c == '-' || c == '.';
}

static void tell(const struct reader *reader, const struct skim_value *value) {
    reader->tell(reader->context, value);
}

static const struct skim_key *look_up(const struct skim *skim) {
    if (skim->text_len > SKIM_TEXT)
        return NULL;
    for (const struct skim_key *key = skim->levels[skim->level]; key->name; key++)
        if ((!skim->text_len || key->name[0] == skim->text[0]) &&
            slice_equal(slice_of(key->name), slice_make(skim->text, skim->text_len)))
            return key;
    return NULL;
}

// Where the text that is read is kept, and how much of it.
static char *text_room(struct skim *skim, size_t *most) {
    bool wide = skim->wide && skim->state != KEY && skim->state != KEY_ESCAPE;
    *most = wide ? skim->wide_size : SKIM_TEXT;
    return wide ? skim->wide : skim->text;
}

static void keep_text(struct skim *skim, const char *at, size_t len) {
    size_t most;
    char *room = text_room(skim, &most);
    if (skim->text_len + len > most) {
        skim->text_len = TOO_LONG;
        return;
    }
    memcpy(room + skim->text_len, at, len);
    skim->text_len = (uint16_t)(skim->text_len + len);
}

static void tell_string(const struct reader *reader) {
    struct skim *skim = reader->skim;
    struct skim_value value = {.id = skim->found->id, .kind = SKIM_STRING};
    size_t most;
    const char *room = text_room(skim, &most);
    if (skim->text_len <= most)
        value.text = slice_make(room, skim->text_len);
    tell(reader, &value);
}

// Inside a key or a string value, up to its closing quote.
static const char *read_text(const struct reader *reader, const char *at, const char *end) {
    struct skim *skim = reader->skim;
    bool key = skim->state == KEY;
    const char *stop = find_either(at, end, '"', '\\');
    if (key || skim->found)
        keep_text(skim, at, (size_t)(stop - at));
    if (stop == end)
        return end;
    if (*stop == '\\') {
        skim->text_len = TOO_LONG;
        skim->state = key ? KEY_ESCAPE : STRING_ESCAPE;
    } else if (key) {
        skim->found = look_up(skim);
        skim->state = COLON;
    } else {
        if (skim->found)
            tell_string(reader);
        skim->state = BEHIND;
    }
    return stop + 1;
}

static void step_into(struct skim *skim, unsigned nesting) {
    skim->nesting = nesting;
    skim->stepped = 1;
    skim->state = STEPPED;
}

static void open_object(const struct reader *reader) {
    struct skim *skim = reader->skim;
    const struct skim_key *found = skim->found;
    if (found)
        tell(reader, &(struct skim_value){.id = found->id, .kind = SKIM_OBJECT});
    if (found && found->inside && skim->level + 1 < SKIM_LEVELS) {
        skim->level++;
        skim->levels[skim->level] = found->inside;
        skim->ids[skim->level] = found->id;
        skim->state = FIRST_KEY;
    } else {
        step_into(skim, 1);
    }
}

static void close_object(const struct reader *reader) {
    struct skim *skim = reader->skim;
    if (skim->level == 0) {
        skim->state = OVER;
        return;
    }
    tell(reader, &(struct skim_value){.id = skim->ids[skim->level], .kind = SKIM_OBJECT_END});
    if (skim->arrays >> skim->level & 1) {
        skim->state = BEHIND_ELEMENT;
        return;
    }
    skim->level--;
    skim->state = BEHIND;
}

static void open_array(const struct reader *reader) {
    struct skim *skim = reader->skim;
    const struct skim_key *found = skim->found;
    if (found)
        tell(reader, &(struct skim_value){.id = found->id, .kind = SKIM_ARRAY});
    if (found && found->elements && skim->level + 1 < SKIM_LEVELS) {
        skim->level++;
        skim->levels[skim->level] = found->elements;
        skim->ids[skim->level] = found->id;
        skim->arrays |= (uint8_t)(1u << skim->level);
        skim->state = ELEMENT;
    } else {
        step_into(skim, 0);
    }
}

static void leave_array(struct skim *skim) {
    skim->arrays &= (uint8_t) ~(1u << skim->level);
    skim->level--;
    skim->state = BEHIND;
}

// One byte before an element, or behind one.
static const char *at_element(const struct reader *reader, const char *at) {
    struct skim *skim = reader->skim;
    if (is_space(*at))
        return at + 1;
    if (*at == ']') {
        leave_array(skim);
    } else if (skim->state == BEHIND_ELEMENT) {
        skim->state = *at == ',' ? ELEMENT : BROKEN;
    } else if (*at == '{') {
        tell(reader, &(struct skim_value){.id = skim->ids[skim->level], .kind = SKIM_OBJECT});
        skim->state = FIRST_KEY;
    } else { // no array of objects: the rest of it is of no interest
        leave_array(skim);
        step_into(skim, 0);
        return at;
    }
    return at + 1;
}

static const char *begin_value(const struct reader *reader, const char *at) {
    struct skim *skim = reader->skim;
    if (*at == '{') {
        open_object(reader);
    } else if (*at == '[') {
        open_array(reader);
    } else if (*at == '"') {
        skim->text_len = 0;
        skim->state = STRING;
    } else if (is_digit(*at) && skim->found) {
        skim->count = 0;
        skim->state = NUMBER;
        return at;
    } else {
        skim->state = in_literal(*at) ? LITERAL : BROKEN;
    }
    return at + 1;
}

static const char *read_number(const struct reader *reader, const char *at, const char *end) {
    struct skim *skim = reader->skim;
    for (; at < end && is_digit(*at); at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (skim->count > (INT64_MAX - digit) / 10) { // more than can be counted
            skim->state = LITERAL;
            return at;
        }
        skim->count = skim->count * 10 + digit;
    }
    if (at == end)
        return at;
    skim->state = LITERAL; // of which nothing may be left
    if (!in_literal(*at))
        tell(reader, &(struct skim_value){.id = skim->found->id, .kind = SKIM_COUNT, .count = skim->count});
    return at;
}

static const char *read_literal(struct skim *skim, const char *at, const char *end) {
    while (at < end && in_literal(*at))
        at++;
    if (at < end)
        skim->state = BEHIND;
    return at;
}

// Up to the end of what is of no interest.
static const char *step_over(struct skim *skim, const char *at, const char *end) {
    while (at < end) {
        at = find_structure(at, end);
        if (at == end)
            break;
        char c = *at++;
        bool object = c == '{' || c == '}';
        if (c == '"') {
            skim->state = STEPPED_STRING;
            break;
        }
        if (c == '{' || c == '[') {
            if (skim->stepped + skim->level + 1 >= SKIM_DEPTH) {
                skim->state = BROKEN;
                break;
            }
            skim->nesting = skim->nesting << 1 | object;
            skim->stepped++;
            continue;
        }
        skim->state = (skim->nesting & 1) == object ? STEPPED : BROKEN;
        skim->nesting >>= 1;
        if (skim->state == STEPPED && --skim->stepped == 0)
            skim->state = BEHIND;
        if (skim->state != STEPPED)
            break;
    }
    return at;
}

static const char *step_over_string(struct skim *skim, const char *at, const char *end) {
    at = find_either(at, end, '"', '\\');
    if (at == end)
        return end;
    skim->state = *at == '"' ? STEPPED : STEPPED_ESCAPE;
    return at + 1;
}

// One byte between keys and values.
static const char *between(const struct reader *reader, const char *at) {
    struct skim *skim = reader->skim;
    if (is_space(*at))
        return at + 1;
    bool key = skim->state == FIRST_KEY || skim->state == NEXT_KEY;
    if (skim->state == VALUE)
        return begin_value(reader, at);
    if (skim->state == ROOT && *at == '{') {
        skim->state = FIRST_KEY;
    } else if (key && *at == '"') {
        skim->text_len = 0;
        skim->state = KEY;
    } else if (skim->state == COLON && *at == ':') {
        skim->state = VALUE;
    } else if (skim->state == BEHIND && *at == ',') {
        skim->state = NEXT_KEY;
    } else if ((skim->state == BEHIND || skim->state == FIRST_KEY) && *at == '}') {
        close_object(reader);
    } else {
        skim->state = BROKEN;
    }
    return at + 1;
}

static const char *escaped(struct skim *skim, const char *at) {
    skim->state = skim->state == KEY_ESCAPE ? KEY : skim->state == STRING_ESCAPE ? STRING : STEPPED_STRING;
    return at + 1;
}

void skim_start(struct skim *skim, const struct skim_key *keys) {
    *skim = (struct skim){.state = ROOT, .levels = {keys}};
}

bool skim_feed(struct skim *skim, struct slice bytes,
               void (*tell_value)(void *context, const struct skim_value *value), void *context) {
    const struct reader reader = {skim, tell_value, context};
    const char *at = bytes.at, *end = bytes.at + bytes.len;
    while (at < end) {
        switch ((enum state)skim->state) {
        case KEY:
        case STRING:
            at = read_text(&reader, at, end);
            break;
        case KEY_ESCAPE:
        case STRING_ESCAPE:
        case STEPPED_ESCAPE:
            at = escaped(skim, at);
            break;
        case NUMBER:
            at = read_number(&reader, at, end);
            break;
        case LITERAL:
            at = read_literal(skim, at, end);
            break;
        case STEPPED:
            at = step_over(skim, at, end);
            break;
        case STEPPED_STRING:
            at = step_over_string(skim, at, end);
            break;
        case ELEMENT:
        case BEHIND_ELEMENT:
            at = at_element(&reader, at);
            break;
        case OVER:
        case BROKEN:
            return false;
        default:
            at = between(&reader, at);
            break;
        }
    }
    return skim->state != OVER && skim->state != BROKEN;
}
