#include "model.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *load(struct slice text) {
    return text.len ? json_loadb(text.at, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
                                 NULL)
                    : NULL;
}

bool model_has_twins(struct slice text) {
    json_t *root = load(text);
    json_decref(root);
    return !root;
}

bool model_deep(const struct rewrite *edits, size_t count) {
    size_t levels = 0;
    for (size_t i = 0; i < count; i++)
        for (const char *at = edits[i].pointer; *at; at++)
            levels += *at == '/';
    return levels > 40;
}

// The name of a pointer's first step, undone; *rest as what comes behind it, NULL: nothing.
static char *step(const char *pointer, const char **rest) {
    size_t len = strcspn(pointer + 1, "/");
    char *name = mem_alloc(len + 1), *to = name;
    for (const char *at = pointer + 1; at < pointer + 1 + len; at++)
        *to++ = *at != '~' ? *at : *++at == '1' ? '/' : '~';
    *to = '\0';
    *rest = pointer[1 + len] ? pointer + 1 + len : NULL;
    return name;
}

// SIZE_MAX: no index; the length of the array: that behind its last.
static size_t index_of(json_t *array, const char *name) {
    char *end;
    if (strcmp(name, "-") == 0)
        return json_array_size(array);
    if (strspn(name, "0123456789") != strlen(name) || !*name || strlen(name) > 9 || (*name == '0' && name[1]))
        return SIZE_MAX;
    return strtoul(name, &end, 10);
}

static json_t *child(json_t *parent, const char *name) {
    if (json_is_object(parent))
        return json_object_get(parent, name);
    // "-" is no element that is there
    return json_is_array(parent) && strcmp(name, "-") != 0 ? json_array_get(parent, index_of(parent, name))
                                                           : NULL;
}

static enum rewrite_result put_in_front(json_t *array, const struct rewrite *edit) {
    if (!json_is_array(array))
        return REWRITE_NO_PLACE;
    return json_array_insert_new(array, 0, load(slice_of(edit->value))) ? REWRITE_NO_PLACE : REWRITE_DONE;
}

// Sets the child; of an array that is there or right behind the last.
static enum rewrite_result set_child(json_t *parent, const char *name, const char *rest, json_t *value) {
    size_t index = json_is_array(parent) ? index_of(parent, name) : 0;
    if (json_is_object(parent))
        return json_object_set_new(parent, name, value) ? REWRITE_NO_PLACE : REWRITE_DONE;
    bool fits = json_is_array(parent) && index <= json_array_size(parent) &&
                !(rest && index == json_array_size(parent));
    if (!fits) {
        json_decref(value);
        return REWRITE_NO_PLACE;
    }
    return (index == json_array_size(parent) ? json_array_append_new(parent, value)
                                             : json_array_set_new(parent, index, value))
               ? REWRITE_NO_PLACE
               : REWRITE_DONE;
}

static void remove_child(json_t *parent, const char *name) {
    if (json_is_object(parent))
        json_object_del(parent, name);
    else if (child(parent, name))
        json_array_remove(parent, index_of(parent, name));
}

static enum rewrite_result apply(json_t *parent, const char *pointer, const struct rewrite *edit) {
    const char *rest;
    char *name = step(pointer, &rest);
    json_t *found = child(parent, name);
    enum rewrite_result result = REWRITE_DONE;
    if (rest && found) {
        result = apply(found, rest, edit);
    } else if (edit->in_front) {
        result = put_in_front(found, edit);
    } else if (!edit->value) {
        if (!rest)
            remove_child(parent, name);
    } else if (rest) {
        json_t *fresh = json_object();
        result = json_is_object(parent) ? apply(fresh, rest, edit) : REWRITE_NO_PLACE;
        if (result == REWRITE_DONE)
            result = set_child(parent, name, rest, fresh);
        else
            json_decref(fresh);
    } else {
        result = set_child(parent, name, rest, load(slice_of(edit->value)));
    }
    mem_free(name);
    return result;
}

void model_check(struct slice text, const struct rewrite *edits, size_t count, enum rewrite_result result,
                 struct slice after) {
    json_t *root = load(text);
    enum rewrite_result expected = REWRITE_DONE;
    for (size_t i = 0; i < count && expected == REWRITE_DONE; i++)
        expected = apply(root, edits[i].pointer, &edits[i]);
    must(result == expected);
    if (result == REWRITE_DONE) {
        json_t *made = load(after);
        must(made && json_equal(made, root));
        json_decref(made);
    }
    json_decref(root);
}
