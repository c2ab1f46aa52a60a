#include "fingerprint.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/rollout.h"
#include "names.h"
#include "schema.h"
#include <math.h>

#define FORM 1 // of the text below: the hash's seed, so that another form of it is equal to none of before

// Every value has its length or a line end behind it: no two rollouts have one text.
struct printer {
    const struct config *config;
    struct strbuf text;
};

static const void *field_of(const void *object, size_t offset) {
    return (const char *)object + offset;
}

// ---- values

static void put_text(struct printer *printer, const char *text) {
    if (text)
        strbuf_format(&printer->text, "%zu:%s\n", strlen(text), text);
    else
        strbuf_literal(&printer->text, "-\n");
}

static void put_integer(struct printer *printer, int64_t value) {
    strbuf_format(&printer->text, "%lld\n", (long long)value);
}

static void put_number(struct printer *printer, double value) {
    if (isnan(value))
        strbuf_literal(&printer->text, "-\n");
    else
        strbuf_format(&printer->text, "%.17g\n", value + 0.0); // -0 is 0
}

// As the file has it: where it lies is another folder on another machine.
static void put_path(struct printer *printer, const char *path) {
    const struct config *config = printer->config;
    for (size_t i = 0; i < config->path_count; i++) {
        if (config->paths[i].path != path)
            continue;
        put_text(printer, config->paths[i].written);
        return;
    }
    put_text(printer, path);
}

static void put_strings(struct printer *printer, const struct string_list *list) {
    put_integer(printer, (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        put_text(printer, list->items[i]);
}

static void put_integers(struct printer *printer, const int64_t *items, size_t count) {
    put_integer(printer, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        put_integer(printer, items[i]);
}

// Headers and JSON pointers have no order.
static void put_pairs(struct printer *printer, struct named *names, size_t count,
                      const char *(*value)(const void *list, size_t index), const void *list) {
    names_sort(names, count);
    put_integer(printer, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        put_text(printer, names[i].name);
        put_text(printer, value(list, names[i].index));
    }
    mem_free(names);
}

static const char *header_value(const void *list, size_t index) {
    return ((const struct header_list *)list)->items[index].value;
}

static void put_headers(struct printer *printer, const struct header_list *list) {
    struct named *names = mem_zero(list->count + 1, sizeof *names);
    for (size_t i = 0; i < list->count; i++)
        names[i] = (struct named){.name = list->items[i].name, .index = i};
    put_pairs(printer, names, list->count, header_value, list);
}

static const char *pointer_value(const void *list, size_t index) {
    return ((const struct pointer_list *)list)->items[index].json;
}

static void put_pointers(struct printer *printer, const struct pointer_list *list) {
    struct named *names = mem_zero(list->count + 1, sizeof *names);
    for (size_t i = 0; i < list->count; i++)
        names[i] = (struct named){.name = list->items[i].pointer, .index = i};
    put_pairs(printer, names, list->count, pointer_value, list);
}

// ---- special forms

static void put_limits(struct printer *printer, const struct rollout_config *rollout) {
    put_integer(printer, (int64_t)rollout->limit_count);
    for (size_t i = 0; i < rollout->limit_count; i++) {
        put_text(printer, rollout->limits[i].name);
        put_number(printer, rollout->limits[i].amount);
    }
}

static void put_custom(struct printer *printer, const struct key *key, const void *object) {
    const void *field = field_of(object, key->offset);
    must(key->read == read_limits || key->read == read_dry_run || key->read == read_rollback ||
         key->read == read_step); // another one needs its form here
    if (key->read == read_limits)
        put_limits(printer, object);
    else if (key->read == read_dry_run)
        put_strings(printer, field);
    else if (key->read == read_rollback)
        put_integer(printer, *(const int64_t *)field);
    else
        put_integer(printer, *(const bool *)field);
}

// ---- sections

static void put_section(struct printer *printer, const struct section *section, const void *object);

static void put_items(struct printer *printer, const struct key *key, const void *object) {
    const struct section *section = key->child;
    const char *items = *(const char *const *)field_of(object, key->offset);
    size_t count = *(const size_t *)field_of(object, key->count_offset);
    put_integer(printer, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const char *item = items + i * section->size;
        if (key->type == TYPE_NAMED)
            put_text(printer, *(const char *const *)field_of(item, section->name_offset - 1));
        put_section(printer, section, item);
    }
}

static void put_optional(struct printer *printer, const struct section *section, const void *object) {
    put_integer(printer, object != NULL);
    if (object)
        put_section(printer, section, object);
}

static void put_value(struct printer *printer, const struct key *key, const void *object) {
    const void *field = field_of(object, key->offset);
    switch (key->type) {
    case TYPE_STRING:
    case TYPE_NAME:
        put_text(printer, *(const char *const *)field);
        break;
    case TYPE_PATH:
        put_path(printer, *(const char *const *)field);
        break;
    case TYPE_BOOL:
        put_integer(printer, *(const bool *)field);
        break;
    case TYPE_INTEGER:
    case TYPE_DURATION:
    case TYPE_SIZE:
    case TYPE_PERCENT:
        put_integer(printer, *(const int64_t *)field);
        break;
    case TYPE_NUMBER:
        put_number(printer, *(const double *)field);
        break;
    case TYPE_ENUM:
        put_text(printer, key->choices[*(const int *)field]);
        break;
    case TYPE_STRINGS:
        put_strings(printer, field);
        break;
    case TYPE_INTEGERS:
        put_integers(printer, *(const int64_t *const *)field,
                     *(const size_t *)field_of(object, key->count_offset));
        break;
    case TYPE_HEADERS:
        put_headers(printer, field);
        break;
    case TYPE_POINTERS:
        put_pointers(printer, field);
        break;
    case TYPE_STRUCT:
        put_section(printer, key->child, field);
        break;
    case TYPE_OPTIONAL:
        put_optional(printer, key->child, *(const void *const *)field);
        break;
    case TYPE_LIST:
    case TYPE_NAMED:
        put_items(printer, key, object);
        break;
    case TYPE_CUSTOM:
        put_custom(printer, key, object);
        break;
    }
}

static void put_section(struct printer *printer, const struct section *section, const void *object) {
    for (size_t i = 0; i < section->count; i++) {
        put_text(printer, section->keys[i].name);
        put_value(printer, &section->keys[i], object);
    }
}

uint64_t fingerprint_of(const struct config *config, const struct route_config *route) {
    struct printer printer = {.config = config};
    if (!route->rollout)
        return 0;
    put_integer(&printer, (int64_t)route->variant_count);
    for (size_t i = 0; i < route->variant_count; i++) {
        const struct variant_config *variant = &route->variants[i];
        put_text(&printer, variant->name);
        put_text(&printer, variant->version);
        put_integer(&printer, variant->weight);
    }
    put_section(&printer, &schema_rollout, route->rollout);
    uint64_t hash = hash_bytes(FORM, strbuf_as_slice(&printer.text));
    strbuf_free(&printer.text);
    return hash ? hash : 1;
}
