#include "traffic/pointer.h"
#include "config/config.h"

#include "base/mem.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH 64 // deeper texts are refused before the parser sees them

struct document {
    json_t *root;
    bool wide; // an integer did not fit 64 bits, so every integer was read as a double
};

static bool too_deep(struct slice text) {
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

// Of duplicate keys the last counts, as in most readers of JSON.
struct document *document_parse(struct slice text) {
    if (text.len == 0 || too_deep(text))
        return NULL;
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t why;
    bool wide = false;
    json_t *root = json_loadb(text.at, text.len, flags, &why);
    if (!root && json_error_code(&why) == json_error_numeric_overflow) {
        wide = true;
        root = json_loadb(text.at, text.len, flags | JSON_DECODE_INT_AS_REAL, &why);
    }
    if (!root)
        return NULL;
    struct document *document = mem_alloc(sizeof *document);
    *document = (struct document){.root = root, .wide = wide};
    return document;
}

void document_free(struct document *document) {
    if (!document)
        return;
    json_decref(document->root);
    mem_free(document);
}

// Undoes ~1 and ~0 in place.
static void unescape(char *token) {
    char *to = token;
    for (const char *from = token; *from; from++, to++) {
        if (*from == '~' && (from[1] == '0' || from[1] == '1'))
            *to = *++from == '0' ? '~' : '/';
        else
            *to = *from;
    }
    *to = '\0';
}

static json_t *element(json_t *array, const char *token) {
    struct slice digits = slice_of(token);
    uint64_t index;
    if ((digits.len > 1 && token[0] == '0') || !slice_to_u64(digits, &index))
        return NULL;
    return json_array_get(array, index);
}

static json_t *look_up(const struct document *document, const char *pointer) {
    if (!pointer_valid(pointer))
        return NULL;
    if (*pointer == '\0')
        return document->root;
    json_t *value = document->root;
    char *tokens = mem_copy_string(pointer);
    for (char *token = tokens + 1; value && token;) {
        char *next = strchr(token, '/');
        if (next)
            *next++ = '\0';
        unescape(token);
        value = json_is_array(value) ? element(value, token) : json_object_get(value, token);
        token = next;
    }
    mem_free(tokens);
    return value;
}

static struct slice number_text(const struct document *document, const json_t *value, struct arena *arena) {
    if (json_is_integer(value))
        return slice_of(arena_format(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value)));
    double number = json_real_value(value);
    if (document->wide && fabs(number) < 9007199254740992.0 && number == floor(number))
        return slice_of(arena_format(arena, "%.0f", number)); // it was most likely written as an integer
    char text[40] = "";
    for (int digits = 15; digits <= 17; digits++) { // the shortest that reads back the same
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return arena_copy(arena, slice_of(text));
}

struct slice document_scalar(const struct document *document, const char *pointer, struct arena *arena) {
    const json_t *value = look_up(document, pointer);
    if (json_is_string(value))
        return arena_copy(arena, slice_make(json_string_value(value), json_string_length(value)));
    if (json_is_number(value))
        return number_text(document, value, arena);
    return slice_make(NULL, 0);
}

struct slice document_text(const struct document *document, const char *pointer, struct arena *arena) {
    struct slice scalar = document_scalar(document, pointer, arena);
    const json_t *value = scalar.at ? NULL : look_up(document, pointer);
    if (!value)
        return scalar;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return slice_make(NULL, 0);
    struct slice copy = arena_copy(arena, slice_of(text));
    free(text);
    return copy;
}

bool document_number(const struct document *document, const char *pointer, double *value) {
    const json_t *found = look_up(document, pointer);
    *value = json_number_value(found);
    return json_is_number(found);
}

static bool equal(const json_t *a, const json_t *b);

static bool arrays_equal(const json_t *a, const json_t *b) {
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!equal(json_array_get(a, i), json_array_get(b, i)))
            return false;
    return true;
}

static bool objects_equal(const json_t *a, const json_t *b) {
    if (json_object_size(a) != json_object_size(b))
        return false;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (!other || !equal(value, other))
            return false;
    }
    return true;
}

// As json_equal, but 1 and 1.0 are the same number. Not deeper than both texts, so at most DEPTH calls.
static bool equal(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b)) {
        if (json_is_integer(a) && json_is_integer(b))
            return json_integer_value(a) == json_integer_value(b);
        return json_number_value(a) == json_number_value(b);
    }
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a))
        return arrays_equal(a, b);
    if (json_is_object(a))
        return objects_equal(a, b);
    return json_equal(a, b);
}

bool document_equals(const struct document *document, const char *pointer, const char *expected) {
    const json_t *value = look_up(document, pointer);
    if (!value)
        return false;
    struct document *wanted = document_parse(slice_of(expected));
    bool same = wanted && equal(value, wanted->root);
    document_free(wanted);
    return same;
}
