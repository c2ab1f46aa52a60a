#include "member.h"

#include <string.h>

const char *member_text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "-";
}

double member_number(const json_t *object, const char *name) {
    return json_number_value(json_object_get(object, name));
}

long long member_integer(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_real(value) ? (long long)json_real_value(value) : (long long)json_integer_value(value);
}

bool member_true(const json_t *object, const char *name) {
    return json_is_true(json_object_get(object, name));
}

bool member_given(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value);
}

bool member_is(const json_t *object, const char *name, const char *text) {
    return strcmp(member_text(object, name), text) == 0;
}
