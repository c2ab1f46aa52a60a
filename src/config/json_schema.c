// config/sluice.schema.json, from the schema: what an editor needs to complete keys and to mark mistakes.
#include "base/mem.h"
#include "forms.h"
#include "json_layout.h"
#include "schema.h"
#include "schema_rules.h"
#include "value.h"

static void write_text(struct strbuf *out, const char *name, const char *text) {
    strbuf_format(out, "'%s':", name);
    strbuf_json(out, slice_of(text));
    strbuf_char(out, ',');
}

// Values that hold a variable are known when it is.
static void write_pattern(struct strbuf *out, const char *pattern, const char *words) {
    struct strbuf text = {0};
    bool own = pattern == form_text.pattern || pattern == form_header_value.pattern;
    strbuf_format(&text, own ? "^%s$" : "^(?:%s)$|\\$\\{[A-Za-z_]", pattern);
    write_text(out, "pattern", strbuf_text(&text));
    strbuf_clear(&text);
    strbuf_format(&text, "must be %s", words);
    write_text(out, "patternErrorMessage", strbuf_text(&text));
    strbuf_free(&text);
}

static void write_form(struct strbuf *out, const struct form *form, bool null) {
    static const char *const types[] = {"'string'", "'string','integer'", "'string','number'",
                                        "'string','number','boolean'"};
    bool several = form->plain != PLAIN_TEXT || null;
    strbuf_format(out, several ? "'type':[%s%s]," : "'type':%s%s,", types[form->plain],
                  null ? ",'null'" : "");
    write_pattern(out, form->pattern, form->words);
}

static void write_range(struct strbuf *out, const struct key *key) {
    if (!key->least && !key->most)
        return;
    strbuf_format(out, "'minimum':%lld,", (long long)key->least);
    if (key->most < INT64_MAX)
        strbuf_format(out, "'maximum':%lld,", (long long)key->most);
}

// ---- amounts: as numbers, and as texts

static const char *range_words(struct arena *arena, const struct key *key, const char *what) {
    const char *off = key->flags & KEY_OFF ? ", or off" : "";
    if ((!key->least && !key->most) || key->most == INT64_MAX)
        return arena_format(arena, "%s%s", what, off);
    if (key->type_text)
        return arena_format(arena, "%s, %s%s", what, key->type_text, off);
    return arena_format(arena, "%s from %lld to %lld%s", what, (long long)key->least, (long long)key->most,
                        off);
}

static void write_amount(struct strbuf *out, struct arena *arena, const struct key *key) {
    struct strbuf pattern = {0};
    const char *what = "a whole number";
    if (key->type == TYPE_DURATION) {
        strbuf_format(out, "'type':['string'%s],", key->least ? "" : ",'integer'");
        if (!key->least) // no other number goes without its unit
            strbuf_string(out, "'minimum':0,'maximum':0,");
        strbuf_string(&pattern, key->flags & KEY_OFF ? "off|" : "");
        strbuf_string(&pattern, key->least ? "(?=[^1-9]*[1-9])(?:" : "(?:"); // not 0s
        form_duration(&pattern, key->least, key->most);
        strbuf_char(&pattern, ')');
        what = "a duration such as 250ms, 5s, 10m or 1h";
    } else {
        strbuf_string(out, "'type':['integer','string'],");
        write_range(out, key);
        (key->type == TYPE_SIZE ? form_size : form_integer)(&pattern, key->least, key->most);
        what = key->type == TYPE_SIZE ? "a size such as 4096, 16KiB or 10MiB" : what;
    }
    write_pattern(out, strbuf_text(&pattern), range_words(arena, key, what));
    strbuf_free(&pattern);
}

static void write_number(struct strbuf *out, const struct key *key) {
    bool percent = key->type == TYPE_PERCENT;
    const struct form *form = percent ? &form_percent : &form_number;
    strbuf_string(out, "'type':['number','string'],");
    if (percent)
        strbuf_format(out, "'minimum':%lld,'maximum':%lld,", (long long)key->least / 100,
                      (long long)key->most / 100);
    else
        write_range(out, key);
    write_pattern(out, form->pattern, form->words);
}

// ---- values

// What looks like a number, or like true or false, is written without quotes as well.
static void write_choices(struct strbuf *out, const struct key *key) {
    strbuf_string(out, "'anyOf':[{'enum':[");
    for (const char *const *choice = key->choices; *choice; choice++)
        strbuf_format(out, value_json_number(*choice) ? "'%s',%s," : "'%s',", *choice, *choice);
    strbuf_string(out, "]},{'type':'string','pattern':'" VARIABLE "'}],");
}

static void write_names(struct strbuf *out, const struct form *form) {
    strbuf_string(out, "'type':'object','propertyNames':{");
    struct strbuf text = {0};
    strbuf_format(&text, "^(?:%s)$", form->pattern);
    write_text(out, "pattern", strbuf_text(&text));
    strbuf_free(&text);
    write_text(out, "patternErrorMessage", form->words);
    strbuf_string(out, "},");
}

static void write_scalar(struct strbuf *out, struct arena *arena, const struct key *key) {
    switch (key->type) {
    case TYPE_STRING:
        write_form(out, key->form ? key->form : &form_text, false);
        break;
    case TYPE_NAME:
        write_form(out, &form_name, false);
        break;
    case TYPE_PATH:
        write_form(out, &form_path, false);
        break;
    case TYPE_BOOL:
        strbuf_string(out, "'type':['boolean','string'],");
        write_pattern(out, form_yes_or_no.pattern, form_yes_or_no.words);
        break;
    case TYPE_NUMBER:
    case TYPE_PERCENT:
        write_number(out, key);
        break;
    case TYPE_ENUM:
        write_choices(out, key);
        break;
    default:
        write_amount(out, arena, key);
        break;
    }
}

static void write_section(struct strbuf *out, struct arena *arena, const struct section *section);

// One of a list, or what a mapping has under any name.
static void write_item(struct strbuf *out, struct arena *arena, const struct section *section) {
    if (!section->short_form) {
        write_section(out, arena, section);
        return;
    }
    strbuf_string(out, "'anyOf':[{");
    write_form(out, section->short_form, false);
    strbuf_string(out, "},{");
    write_section(out, arena, section);
    strbuf_string(out, "}],");
}

static void write_list(struct strbuf *out, struct arena *arena, const struct key *key) {
    strbuf_string(out, "'type':'array','items':{");
    if (key->type == TYPE_LIST) {
        write_item(out, arena, key->child);
    } else if (key->type == TYPE_INTEGERS) {
        write_amount(out, arena, &(struct key){.type = TYPE_INTEGER, .least = key->least, .most = key->most});
    } else {
        const struct form *form = key->form ? key->form : &form_text;
        write_form(out, form, form->plain == PLAIN_ANY && key->type == TYPE_STRINGS);
        write_range(out, key);
    }
    strbuf_string(out, "},");
}

static void write_pairs(struct strbuf *out, struct arena *arena, const struct key *key) {
    bool pointers = key->type == TYPE_POINTERS, headers = key->type == TYPE_HEADERS;
    write_names(out, key->form ? key->form : pointers ? &form_pointer : headers ? &form_token : &form_name);
    strbuf_string(out, "'additionalProperties':{");
    if (key->type == TYPE_NAMED)
        write_item(out, arena, key->child);
    else if (headers)
        write_form(out, &form_header_value, true);
    else if (!(key->flags & KEY_NESTED))
        strbuf_string(out, "'type':['string','number','boolean','null']");
    strbuf_string(out, "},");
}

static void write_custom(struct strbuf *out, struct arena *arena, const struct key *key) {
    if (key->flags & KEY_LISTED)
        write_list(out, arena, key);
    else if (key->form)
        write_form(out, key->form, false);
    if (!(key->flags & KEY_LISTED))
        write_range(out, key);
}

static void write_type(struct strbuf *out, struct arena *arena, const struct key *key) {
    switch (key->type) {
    case TYPE_STRUCT:
    case TYPE_OPTIONAL:
        write_item(out, arena, key->child);
        break;
    case TYPE_LIST:
    case TYPE_STRINGS:
    case TYPE_INTEGERS:
        write_list(out, arena, key);
        break;
    case TYPE_NAMED:
    case TYPE_HEADERS:
    case TYPE_POINTERS:
        write_pairs(out, arena, key);
        break;
    case TYPE_CUSTOM:
        write_custom(out, arena, key);
        break;
    default:
        write_scalar(out, arena, key);
        break;
    }
}

static void write_default(struct strbuf *out, const struct key *key) {
    const char *text = key->standard;
    bool list = text && *text == '[';
    if (!text || key->type == TYPE_STRUCT)
        return;
    size_t len = strlen(text);
    struct slice word = list ? slice_make(text + 1, len - 2) : slice_make(text, len);
    bool bare = key->type == TYPE_BOOL || key->type == TYPE_INTEGERS ||
                (key->type != TYPE_STRING && !list && value_json_number(text));
    strbuf_format(out, "'default':%s", list ? "[" : "");
    if (bare)
        strbuf_slice(out, word);
    else
        strbuf_json(out, word);
    strbuf_string(out, list ? "]," : ",");
}

// ---- sections

static void write_key(struct strbuf *out, struct arena *arena, const struct key *key) {
    strbuf_format(out, "'%s':{", key->name);
    write_text(out, "description", key->help);
    write_type(out, arena, key);
    if (key->rules)
        strbuf_format(out, "%s,", key->rules);
    write_default(out, key);
    strbuf_string(out, "},");
}

static void write_section(struct strbuf *out, struct arena *arena, const struct section *section) {
    strbuf_string(out, "'type':'object','additionalProperties':false,'required':[");
    for (size_t i = 0; i < section->count; i++)
        if (section->keys[i].flags & KEY_REQUIRED)
            strbuf_format(out, "'%s',", section->keys[i].name);
    strbuf_string(out, "],");
    if (section->rules)
        strbuf_format(out, "%s,", section->rules);
    strbuf_string(out, "'properties':{");
    for (size_t i = 0; i < section->count; i++)
        write_key(out, arena, &section->keys[i]);
    strbuf_string(out, "},");
}

void config_json_schema(struct strbuf *out) {
    struct arena arena;
    struct strbuf text = {0};
    arena_init(&arena, 4096);
    strbuf_string(&text, "{'$schema':'http://json-schema.org/draft-07/schema#','title':'sluice.yaml',"
                         "'description':'Configuration of sluice, by sluice reference --json-schema.',");
    write_section(&text, &arena, &schema_root);
    strbuf_char(&text, '}');
    json_layout(strbuf_as_slice(&text), out);
    strbuf_free(&text);
    arena_free(&arena);
}
