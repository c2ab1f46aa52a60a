// The samples in config/ load, do what they promise, and reference.yaml shows every key of the schema.
#include "../../../src/config/schema.h"
#include "config/fleet.h"
#include "config/rollout.h"
#include "load.h"
#include "unit.h"

#include <stdio.h>

#define SAMPLE(name) SOURCE_ROOT "/config/" name

static void minimal_splits_two_pools(void **state) {
    (void)state;
    struct config *config = load_file(SAMPLE("minimal.yaml"));
    assert_int_equal(config->listener_count, 1);
    assert_string_equal(config->listeners[0].address, "127.0.0.1:8080");
    assert_int_equal(config->pool_count, 2);
    assert_int_equal(config->route_count, 1);
    const struct route_config *route = &config->routes[0];
    assert_int_equal(route->sticky.by_count, 1);
    assert_int_equal(route->sticky.by[0].kind, UNIT_HEADER);
    assert_int_equal(route->variants[0].weight + route->variants[1].weight, SHARE_WHOLE);
    config_unref(config);
}

static void canary_is_guarded(void **state) {
    (void)state;
    struct config *config = load_file(SAMPLE("canary.yaml"));
    const struct route_config *route = &config->routes[0];
    assert_int_equal(route->variants[1].weight, 500);
    assert_string_equal(route->sticky.salt, "chat-v1.1");
    assert_string_equal(route->sticky.cookie, "sluice_unit");
    assert_int_equal(route->fallback_index, 0);
    assert_non_null(route->retry);
    for (size_t i = 0; i < config->pool_count; i++) {
        assert_non_null(config->pools[i].health);
        assert_true(config->pools[i].ejection.consecutive_failures > 0);
    }
    config_unref(config);
}

static void ab_test_halves_the_users(void **state) {
    (void)state;
    struct config *config = load_file(SAMPLE("ab-test.yaml"));
    const struct route_config *route = &config->routes[0];
    assert_int_equal(route->variants[0].weight, 5000);
    assert_int_equal(route->variants[1].weight, 5000);
    assert_string_equal(route->sticky.by[0].name, "X-User-Id");
    assert_string_equal(route->sticky.cookie, "sluice_unit");
    assert_string_equal(route->sticky.salt, "prompt-test-2026-04");
    config_unref(config);
}

static void prompt_ab_tests_two_prompts(void **state) {
    (void)state;
    struct config *config = load_file(SAMPLE("prompt-ab.yaml"));
    const struct route_config *route = &config->routes[0];
    assert_int_equal(route->variant_count, 2);
    assert_true(route->count_stream_tokens);
    assert_int_equal(route->rollout->strategy, ROLLOUT_AB);
    for (size_t i = 0; i < 2; i++) {
        const char *prompt = route->variants[i].request->system_prompt;
        assert_true(strncmp(prompt, "\"You are the assistant of our shop.", 34) == 0);
        assert_non_null(route->variants[i].price);
    }
    assert_string_not_equal(route->variants[0].request->system_prompt,
                            route->variants[1].request->system_prompt);
    config_unref(config);
}

static void reference_is_right_as_it_stands(void **state) {
    (void)state;
    struct config *config = load_file(SAMPLE("reference.yaml"));
    config_unref(config);
}

// ---- reference.yaml with everything that is commented out

// "#" at the start of a line, followed by a key or by two spaces: a part that is commented out. "# Word" is
// prose.
static void uncomment(struct strbuf *text) {
    struct strbuf out = {0};
    struct slice rest = strbuf_as_slice(text);
    while (rest.at) {
        struct slice line = slice_cut(&rest, '\n');
        size_t hash = 0;
        while (hash < line.len && line.at[hash] == ' ')
            hash++;
        bool part = hash + 1 < line.len && line.at[hash] == '#' &&
                    (line.at[hash + 1] != ' ' || (hash + 2 < line.len && line.at[hash + 2] == ' '));
        strbuf_append(&out, line.at, part ? hash : line.len);
        if (part)
            strbuf_append(&out, line.at + hash + 1, line.len - hash - 1);
        if (rest.at)
            strbuf_char(&out, '\n');
    }
    strbuf_free(text);
    *text = out;
}

static const struct node *value_of(const struct node *map, const char *key) {
    for (size_t i = 0; map->kind == NODE_MAP && i < map->count; i++)
        if (strcmp(map->pairs[i].key, key) == 0)
            return map->pairs[i].value;
    return NULL;
}

// Puts what stands under `key` in any of the nodes, item by item, into found; returns how many.
static size_t nodes_below(const struct key *key, const struct node *const *nodes, size_t count,
                          const struct node **found) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct node *value = value_of(nodes[i], key->name);
        bool list = value && key->type == TYPE_LIST, named = value && key->type == TYPE_NAMED;
        for (size_t k = 0; (list || named) && k < value->count; k++)
            found[n++] = list ? value->items[k] : value->pairs[k].value;
        if (value && !list && !named)
            found[n++] = value;
        assert_true(n < 64);
    }
    return n;
}

// How many keys of the section none of the nodes shows.
static size_t missing_keys(const struct section *section, const struct node *const *nodes, size_t count) {
    size_t missing = 0;
    for (size_t i = 0; i < section->count; i++) {
        const struct node *below[128];
        size_t n = nodes_below(&section->keys[i], nodes, count, below);
        if (n == 0)
            print_error("config/reference.yaml does not show `%s` of %s\n", section->keys[i].name,
                        section->what);
        missing += n == 0;
        if (section->keys[i].child && n)
            missing += missing_keys(section->keys[i].child, below, n);
    }
    return missing;
}

static void reference_shows_every_key(void **state) {
    (void)state;
    struct strbuf text = {0};
    struct arena arena;
    struct report report = {0};
    struct diagnostics diagnostics;
    read_text_file(SAMPLE("reference.yaml"), &text);
    uncomment(&text);
    arena_init(&arena, 65536);
    const struct node *root = tree_read(&arena, strbuf_as_slice(&text), &report);
    assert_non_null(root);
    assert_int_equal(missing_keys(&schema_root, &root, 1), 0);
    report_take(&report, &diagnostics);
    assert_int_equal(diagnostics.count, 0);
    diagnostics_free(&diagnostics);
    arena_free(&arena);
    strbuf_free(&text);
}

// The sample with all that it comments out, but for what stands from one line to before another.
static struct config *uncommented_without(const char *from, const char *before) {
    struct strbuf text = {0};
    read_text_file(SAMPLE("reference.yaml"), &text);
    uncomment(&text);
    char *whole = (char *)strbuf_text(&text), *begin = strstr(whole, from);
    assert_non_null(begin);
    char *end = strstr(begin, before);
    assert_non_null(end);
    memmove(begin, end, strlen(end) + 1);
    struct config *config = load_text(whole);
    strbuf_free(&text);
    return config;
}

// A fleet and a rolling update exclude each other.
static void what_reference_comments_out_is_right_too(void **state) {
    (void)state;
    struct config *config = uncommented_without("  - name: one-by-one\n", "  - name: prompts\n");
    assert_non_null(config->routes[0].rollout);
    assert_non_null(config->routes[0].override);
    assert_string_equal(config->routes[0].override->token, "preview-token");
    assert_string_equal(config->fleet->etcd.password, "etcd-password");
    config_unref(config);
    config = uncommented_without("\nfleet:\n", "\n\n");
    assert_null(config->fleet);
    size_t index;
    assert_int_equal(config_route(config, "one-by-one", &index)->rollout->strategy, ROLLOUT_ROLLING);
    config_unref(config);
}

int test_samples(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minimal_splits_two_pools),
        cmocka_unit_test(canary_is_guarded),
        cmocka_unit_test(ab_test_halves_the_users),
        cmocka_unit_test(prompt_ab_tests_two_prompts),
        cmocka_unit_test(reference_is_right_as_it_stands),
        cmocka_unit_test(reference_shows_every_key),
        cmocka_unit_test(what_reference_comments_out_is_right_too),
    };
    return cmocka_run_group_tests_name("samples", tests, NULL, NULL);
}
