#include "http/baggage.h"

struct member {
    struct slice key, value, properties; // trimmed; properties.at == NULL: there are none
};

// "key = value ; property ; property": the key ends where the first of '=' and ';' stands.
static struct member read_member(struct slice text) {
    struct member member = {.properties = text};
    struct slice pair = slice_cut(&member.properties, ';');
    member.value = pair;
    member.key = slice_trim(slice_cut(&member.value, '='));
    member.value = slice_trim(member.value);
    return member;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The next octet with its percent-encoding undone; a '%' that begins none stands for itself.
static char take_octet(struct slice *text) {
    char c = text->at[0];
    size_t used = 1;
    if (c == '%' && text->len >= 3 && hex_digit(text->at[1]) >= 0 && hex_digit(text->at[2]) >= 0) {
        c = (char)(hex_digit(text->at[1]) << 4 | hex_digit(text->at[2]));
        used = 3;
    }
    *text = slice_from(*text, used);
    return c;
}

// What is left of `text` behind `beginning`; at == NULL when it begins otherwise.
static struct slice behind(struct slice text, struct slice beginning) {
    for (size_t i = 0; i < beginning.len; i++)
        if (text.len == 0 || take_octet(&text) != beginning.at[i])
            return SLICE_NONE;
    return text;
}

bool baggage_says(struct slice value, struct slice text) {
    struct slice rest = value.len ? behind(value, text) : SLICE_NONE;
    return rest.at && rest.len == 0;
}

static bool is_ours(const struct member *member) {
    return member->key.len && behind(member->key, SLICE(BAGGAGE_OURS)).at;
}

static bool has_property(struct slice properties, struct slice name) {
    while (properties.at) {
        struct slice property = slice_cut(&properties, ';');
        if (slice_equal(slice_trim(slice_cut(&property, '=')), name))
            return true;
    }
    return false;
}

struct baggage_arm baggage_find(const struct head *head, struct slice key) {
    struct baggage_arm arm = {.variant = SLICE_NONE};
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != FIELD_BAGGAGE)
            continue;
        for (struct slice rest = head->fields[i].value; rest.at;) {
            struct member member = read_member(slice_cut(&rest, ','));
            if (!baggage_says(member.key, key))
                continue;
            arm.variant = member.value;
            arm.by_override = has_property(member.properties, SLICE("override"));
        }
    }
    return arm;
}

bool baggage_has_ours(const struct head *head) {
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != FIELD_BAGGAGE || head->fields[i].drop)
            continue;
        for (struct slice rest = head->fields[i].value; rest.at;) {
            struct member member = read_member(slice_cut(&rest, ','));
            if (is_ours(&member))
                return true;
        }
    }
    return false;
}

// ---- writing

struct joining { // the field that is being made
    struct strbuf *out;
    size_t begin; // of its value
    unsigned members;
    bool strip;
    struct slice key; // of ours; at == NULL: none is set
    const struct baggage_arm *arm;
};

static void begin_member(struct joining *joining) {
    if (joining->out->len > joining->begin)
        strbuf_char(joining->out, ',');
    joining->members++;
}

static void add_other(struct joining *joining, struct slice text) {
    bool first = joining->out->len == joining->begin;
    while (first && text.len && (text.at[0] == ' ' || text.at[0] == '\t')) // nobody's: a list begins here
        text = slice_from(text, 1);
    begin_member(joining);
    strbuf_slice(joining->out, text);
}

static void add_ours(struct joining *joining) {
    begin_member(joining);
    strbuf_slice(joining->out, joining->key);
    strbuf_char(joining->out, '=');
    strbuf_slice(joining->out, joining->arm->variant);
    if (joining->arm->by_override)
        strbuf_literal(joining->out, ";override");
}

// One element of the list that came. True when ours now stands in its place, `set` already or by this.
static bool join(struct joining *joining, struct slice text, bool set) {
    struct member member = read_member(text);
    if (slice_trim(text).len == 0) // an empty element says nothing (RFC 9110 5.6.1)
        return set;
    if (joining->key.at && baggage_says(member.key, joining->key)) {
        if (!set && joining->arm)
            add_ours(joining);
        return true;
    }
    if (!(joining->strip && is_ours(&member)))
        add_other(joining, text);
    return set;
}

static void join_all(struct joining *joining, const struct head *head) {
    bool set = false;
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != FIELD_BAGGAGE || head->fields[i].drop)
            continue;
        for (struct slice rest = head->fields[i].value; rest.at;)
            set = join(joining, slice_cut(&rest, ','), set);
    }
    if (!set && joining->key.at && joining->arm)
        add_ours(joining);
}

void baggage_write(struct head *head, bool strip, struct slice key, const struct baggage_arm *arm,
                   struct strbuf *out) {
    size_t before = out->len;
    strbuf_literal(out, "baggage: ");
    struct joining joining = {.out = out, .begin = out->len, .strip = strip, .key = key, .arm = arm};
    join_all(&joining, head);
    if (key.at && (joining.members > BAGGAGE_MEMBERS || out->len - joining.begin > BAGGAGE_BYTES)) {
        out->len = joining.begin;
        joining.members = 0;
        joining.arm = NULL; // what stood there of ours goes all the same: it may be another arm
        join_all(&joining, head);
    }
    if (joining.members)
        strbuf_literal(out, "\r\n");
    else
        out->len = before;
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == FIELD_BAGGAGE)
            head->fields[i].drop = true;
}
