// config: the YAML of a configuration. Whatever the text: a configuration whose numbers and references hold,
// and the same one when it is read again; or diagnostics, each with a place in the file, and the same ones
// when it is read again.
#include "../../../src/config/schema.h"
#include "../fuzz.h"
#include "base/strbuf.h"
#include "config/config.h"

#define PATH TEST_DATA "/config/fuzz.yaml" // files beside it may be named

static size_t count_lines(struct slice text) { // as YAML breaks them: LF, CR, CRLF, NEL, LS, PS
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++) {
        struct slice here = slice_from(text, i);
        lines += *here.at == '\n' || (*here.at == '\r' && !slice_starts(here, SLICE("\r\n"))) ||
                 slice_starts(here, SLICE("\xc2\x85")) || slice_starts(here, SLICE("\xe2\x80\xa8")) ||
                 slice_starts(here, SLICE("\xe2\x80\xa9"));
    }
    return lines;
}

static struct config *parse(struct slice text, struct strbuf *said) {
    struct diagnostics diagnostics;
    size_t lines = count_lines(text);
    struct config *config = config_parse(PATH, text, &diagnostics);
    must((config != NULL) == (diagnostics.count == 0));
    for (size_t i = 0; i < diagnostics.count; i++) {
        const struct diagnostic *one = &diagnostics.items[i], *before = &diagnostics.items[i ? i - 1 : 0];
        must(one->place.line >= 1 && one->place.line <= lines && one->place.column >= 1);
        must(before->place.line <= one->place.line);
        must(*one->text && !strpbrk(one->text, "\r\n"));
        diagnostic_write(one, PATH, said);
        strbuf_char(said, '\n');
    }
    diagnostics_free(&diagnostics);
    return config;
}

// ---- the same configuration

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const struct string_list *a, const struct string_list *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = same_text(a->items[i], b->items[i]);
    return same;
}

static bool same_section(const struct section *section, const char *a, const char *b);

static bool same_items(const struct key *key, const char *a, const char *b) {
    const char *items = *(char *const *)(a + key->offset), *others = *(char *const *)(b + key->offset);
    size_t count = *(const size_t *)(a + key->count_offset);
    bool same = count == *(const size_t *)(b + key->count_offset);
    for (size_t i = 0; same && i < count; i++)
        same = same_section(key->child, items + i * key->child->size, others + i * key->child->size);
    return same;
}

static bool same_key(const struct key *key, const char *a, const char *b) {
    const char *x = a + key->offset, *y = b + key->offset;
    switch (key->type) {
    case TYPE_STRING:
    case TYPE_NAME:
    case TYPE_PATH:
        return same_text(*(const char *const *)x, *(const char *const *)y);
    case TYPE_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case TYPE_INTEGER:
    case TYPE_DURATION:
    case TYPE_SIZE:
    case TYPE_PERCENT:
        return *(const int64_t *)x == *(const int64_t *)y;
    case TYPE_NUMBER:
        return memcmp(x, y, sizeof(double)) == 0;
    case TYPE_ENUM:
        return *(const int *)x == *(const int *)y;
    case TYPE_STRINGS:
        return same_list((const struct string_list *)x, (const struct string_list *)y);
    case TYPE_STRUCT:
        return same_section(key->child, x, y);
    case TYPE_OPTIONAL:
        x = *(const char *const *)x;
        y = *(const char *const *)y;
        return x && y ? same_section(key->child, x, y) : x == y;
    case TYPE_LIST:
    case TYPE_NAMED:
        return same_items(key, a, b);
    default: // forms of their own
        return true;
    }
}

static bool same_section(const struct section *section, const char *a, const char *b) {
    for (size_t i = 0; i < section->count; i++)
        if (!same_key(&section->keys[i], a, b))
            return false;
    if (section->place_offset &&
        memcmp(a + section->place_offset - 1, b + section->place_offset - 1, sizeof(struct place)) != 0)
        return false;
    return !section->name_offset || same_text(*(const char *const *)(a + section->name_offset - 1),
                                              *(const char *const *)(b + section->name_offset - 1));
}

// ---- what the rest of the daemon relies on

static void check_route(const struct config *config, const struct route_config *route) {
    int64_t weights = 0;
    size_t index;
    must(config_route(config, route->name, &index) == route && &config->routes[index] == route);
    must(route->variant_count > 0 && route->baseline < route->variant_count && route->sticky.salt);
    must(!route->fallback || (route->fallback_index < route->variant_count &&
                              same_text(route->variants[route->fallback_index].name, route->fallback)));
    must(!route->mirror || (route->mirror->index < route->variant_count &&
                            same_text(route->variants[route->mirror->index].name, route->mirror->variant)));
    for (size_t i = 0; i < route->variant_count; i++) {
        const struct variant_config *variant = &route->variants[i];
        must(variant->pool_index < config->pool_count);
        must(same_text(config->pools[variant->pool_index].name, variant->pool));
        must(variant->weight >= 0 && variant->weight <= SHARE_WHOLE);
        weights += variant->weight;
        for (size_t k = 0; variant->request && k < variant->request->json.count; k++)
            must(pointer_valid(variant->request->json.items[k].pointer));
    }
    must(weights == SHARE_WHOLE);
    must(config_linked(route, route));
    for (size_t i = 0; i < config->pool_count; i++) {
        struct timeouts_config times = config_timeouts(config, route, &config->pools[i]);
        must(times.connect != TIMEOUT_INHERIT && times.first_byte != TIMEOUT_INHERIT &&
             times.stream_idle != TIMEOUT_INHERIT && times.total != TIMEOUT_INHERIT);
    }
}

static void check_networks(const struct network_list *list) {
    char text[NETWORK_TEXT];
    for (size_t i = 0; i < list->count; i++) {
        struct network again;
        network_text(&list->items[i], text);
        must(network_parse(slice_of(text), &again) == NETWORK_FINE && again.bits == list->items[i].bits);
        must(network_holds(&again, &list->items[i].first));
        must(network_list_holds(list, &list->items[i].first));
    }
}

static void check_config(const struct config *config) {
    must(config->workers >= 1 && config->pool_count > 0 && config->route_count > 0);
    must(config->listener_count > 0);
    check_networks(&config->trusted_proxies);
    for (size_t i = 0; i < config->path_count; i++) // line 0: of a default
        must(config_path_place(config, config->paths[i].path, (struct place){1, 1}).line ==
             config->paths[i].place.line);
    for (size_t i = 0; i < config->pool_count; i++)
        must(config->pools[i].endpoint_count > 0 && config_pool(config, config->pools[i].name, NULL));
    for (size_t i = 0; i < config->route_count; i++)
        check_route(config, &config->routes[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct strbuf said = {0}, again = {0};
    struct slice text = slice_make((const char *)data, size);
    struct config *config = parse(text, &said);
    struct config *other = fuzz_hash(text) % 4 && !config ? NULL : parse(text, &again);
    if (config) {
        check_config(config);
        must(other && same_section(&schema_root, (const char *)config, (const char *)other));
    } else if (again.len) {
        must(slice_equal(strbuf_as_slice(&said), strbuf_as_slice(&again)));
    }
    config_unref(config);
    config_unref(other);
    strbuf_free(&said);
    strbuf_free(&again);
    return 0;
}
