#include "weights.h"

#include "base/mem.h"
#include "control/percent.h"

#include <jansson.h>

static bool variant_index(const struct route_config *route, const char *name, size_t *index) {
    for (size_t i = 0; i < route->variant_count; i++) {
        if (strcmp(route->variants[i].name, name) != 0)
            continue;
        *index = i;
        return true;
    }
    return false;
}

static void list_variants(const struct route_config *route, struct strbuf *out) {
    for (size_t i = 0; i < route->variant_count; i++)
        strbuf_format(out, "%s%s", i ? ", " : "", route->variants[i].name);
}

// Every name that is no variant, in one message.
static bool names_known(json_t *object, const struct route_config *route, struct error *error) {
    struct strbuf unknown = {0};
    const char *name;
    json_t *value;
    size_t index;
    json_object_foreach(object, name, value) {
        if (!variant_index(route, name, &index))
            strbuf_format(&unknown, "%s%s", unknown.len ? ", " : "", name);
    }
    bool known = unknown.len == 0;
    if (!known) {
        struct strbuf there = {0};
        list_variants(route, &there);
        error_set(error, "route %s has no variant %s (it has %s)", route->name, strbuf_text(&unknown),
                  strbuf_text(&there));
        strbuf_free(&there);
    }
    strbuf_free(&unknown);
    return known;
}

static bool read_object(json_t *object, const struct route_config *route, uint16_t *weights,
                        struct error *error) {
    const char *name;
    json_t *value;
    unsigned sum = 0;
    if (!json_is_object(object) || json_object_size(object) == 0)
        return error_set(error, "give {\"weights\": {\"VARIANT\": PERCENT, …}}");
    if (!names_known(object, route, error))
        return false;
    memset(weights, 0, route->variant_count * sizeof *weights);
    json_object_foreach(object, name, value) {
        size_t index = 0;
        must(variant_index(route, name, &index));
        if (!json_is_number(value) || !percent_of(json_number_value(value), &weights[index]))
            return error_set(
                error, "the weight of %s must be a percentage from 0 to 100 with at most two decimals", name);
        sum += weights[index];
    }
    if (sum != SHARE_WHOLE)
        return error_set(error, "the weights of route %s sum to %u.%02u, not to 100", route->name, sum / 100,
                         sum % 100);
    return true;
}

bool weights_read(struct slice body, const struct route_config *route, uint16_t *weights,
                  struct error *error) {
    json_error_t why;
    json_t *root = json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return error_set(error, "the body is not JSON: %s", why.text);
    bool read = read_object(json_object_get(root, "weights"), route, weights, error);
    json_decref(root);
    return read;
}
