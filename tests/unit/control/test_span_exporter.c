#include "../../../src/control/span_exporter.h"
#include "base/mem.h"
#include "peer.h"
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct scene {
    struct event_base *base;
    struct span_exporter *exporter;
    struct config *config;
    struct peer peer;
    size_t held; // bytes of spans
};

static void on_released(size_t bytes, void *context) {
    struct scene *scene = context;
    assert_true(bytes <= scene->held);
    scene->held -= bytes;
}

static struct config *configure(const char *url, const char *rest) {
    struct diagnostics diagnostics = {0};
    struct strbuf text = {0};
    strbuf_string(&text,
                  "listeners: [{address: '127.0.0.1:0'}]\npools: {a: {endpoints: [http://127.0.0.1:1]}}\n"
                  "routes: [{name: r, variants: {v: {pool: a}}}]\n");
    if (url)
        strbuf_format(&text, "tracing: {url: '%s'%s}\n", url, rest);
    struct config *config = config_parse("/c.yaml", strbuf_as_slice(&text), &diagnostics);
    assert_non_null(config);
    diagnostics_free(&diagnostics);
    strbuf_free(&text);
    return config;
}

static int open_scene(void **state) {
    struct scene *scene = mem_zero(1, sizeof *scene);
    fetch_setup();
    scene->base = event_base_new();
    peer_open(&scene->peer, scene->base);
    struct span_exporter_settings settings = {
        .version = "1.2.3", .first_wait_ms = 2, .most_wait_ms = 8, .released = on_released, .context = scene};
    scene->exporter = span_exporter_new(scene->base, &settings);
    scene->config = configure(scene->peer.url, ", service_name: canary, headers: {X-Key: k}");
    span_exporter_adopt(scene->exporter, scene->config);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    span_exporter_free(scene->exporter);
    assert_int_equal(scene->held, 0);
    config_unref(scene->config);
    peer_close(&scene->peer);
    event_base_free(scene->base);
    mem_free(scene);
    return 0;
}

static void take(struct scene *scene, const char *spans, unsigned count) {
    struct strbuf text = {0};
    strbuf_string(&text, spans);
    scene->held += text.len;
    span_exporter_take(scene->exporter, text, count);
}

static void run_until_idle(struct scene *scene) {
    while (span_exporter_busy(scene->exporter))
        event_base_loop(scene->base, EVLOOP_ONCE);
}

static void expect_counts(const struct scene *scene, unsigned exported, unsigned failed) {
    struct span_counts counts = span_exporter_counts(scene->exporter);
    assert_int_equal(counts.exported, exported);
    assert_int_equal(counts.failed, failed);
}

static void the_body_names_who_sends(void **state) {
    (void)state;
    struct strbuf out = {0};
    span_exporter_body("my \"service\"", "1.2.3", "id", SLICE("{\"name\":\"a\"},{\"name\":\"b\"}"), &out);
    json_error_t error;
    json_t *root = json_loadb(out.at, out.len, 0, &error);
    if (!root)
        fail_msg("%s in %s", error.text, strbuf_text(&out));
    json_t *resource = json_array_get(json_object_get(root, "resourceSpans"), 0);
    json_t *first = json_array_get(json_object_get(json_object_get(resource, "resource"), "attributes"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "key")), "service.name");
    assert_string_equal(json_string_value(json_object_get(json_object_get(first, "value"), "stringValue")),
                        "my \"service\"");
    json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(scope, "scope"), "name")),
                        "sluice");
    assert_int_equal(json_array_size(json_object_get(scope, "spans")), 2);
    json_decref(root);
    strbuf_free(&out);
}

static void spans_go_where_the_configuration_says(void **state) {
    struct scene *scene = *state;
    take(scene, "{\"n\":1}", 1);
    take(scene, "{\"n\":2},{\"n\":3}", 2); // while the first is under way
    run_until_idle(scene);
    assert_int_equal(scene->peer.count, 2);
    assert_string_equal(scene->peer.calls[0].method, "POST");
    assert_string_equal(scene->peer.calls[0].uri, "/v1/traces");
    assert_string_equal(scene->peer.calls[0].type, "application/json");
    assert_non_null(strstr(scene->peer.calls[1].body, "\"spans\":[{\"n\":2},{\"n\":3}]"));
    expect_counts(scene, 3, 0);
    struct config *other = configure("http://127.0.0.1:1/else", "");
    span_exporter_adopt(scene->exporter, other);
    config_unref(other);
    expect_counts(scene, 3, 0);
}

static void what_is_to_be_tried_again_is(void **state) {
    struct scene *scene = *state;
    const int busy[] = {429, 502, 503, 504};
    for (unsigned i = 0; i < 4; i++)
        scene->peer.statuses[i] = busy[i];
    take(scene, "{\"n\":1}", 1);
    run_until_idle(scene);
    assert_int_equal(scene->peer.count, 5);
    expect_counts(scene, 1, 0);
}

static void what_is_refused_is_forgotten(void **state) {
    struct scene *scene = *state;
    scene->peer.statuses[0] = 400;
    take(scene, "{\"n\":1}", 1);
    run_until_idle(scene);
    expect_counts(scene, 0, 1);
    scene->peer.body = "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"too old\"}}";
    take(scene, "{\"n\":2},{},{}", 3);
    run_until_idle(scene);
    expect_counts(scene, 1, 3);
    scene->peer.body = "{\"partialSuccess\":{\"rejectedSpans\":900}}"; // more than there were
    take(scene, "{\"n\":2}", 1);
    run_until_idle(scene);
    expect_counts(scene, 1, 4);
    assert_int_equal(scene->peer.count, 3);
}

static void at_the_end_there_is_one_more_try(void **state) {
    struct scene *scene = *state;
    scene->peer.status = 503;
    take(scene, "{\"n\":1}", 1);
    peer_run_until(scene->base, &scene->peer.count, 2);
    span_exporter_hurry(scene->exporter);
    run_until_idle(scene);
    expect_counts(scene, 0, 1);
}

static void without_tracing_nothing_is_kept(void **state) {
    struct scene *scene = *state;
    scene->peer.status = PEER_HOLD;
    take(scene, "{\"n\":1}", 1);
    take(scene, "{\"n\":2}", 1);
    peer_run_until(scene->base, &scene->peer.count, 1);
    struct config *off = configure(NULL, "");
    span_exporter_adopt(scene->exporter, off);
    config_unref(off);
    assert_false(span_exporter_busy(scene->exporter));
    take(scene, "{\"n\":3}", 1);
    assert_false(span_exporter_busy(scene->exporter));
    expect_counts(scene, 0, 3);
    peer_release(&scene->peer, 200);
}

static void a_new_collector_gets_what_waits(void **state) {
    struct scene *scene = *state;
    struct config *gone = configure("http://127.0.0.1:1", "");
    span_exporter_adopt(scene->exporter, gone);
    config_unref(gone);
    take(scene, "{\"n\":1}", 1);
    peer_run_for(scene->base, 20);
    span_exporter_adopt(scene->exporter, scene->config);
    run_until_idle(scene);
    expect_counts(scene, 1, 0);
}

int test_span_exporter(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_body_names_who_sends),
        cmocka_unit_test_setup_teardown(spans_go_where_the_configuration_says, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(what_is_to_be_tried_again_is, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(what_is_refused_is_forgotten, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(at_the_end_there_is_one_more_try, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(without_tracing_nothing_is_kept, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_new_collector_gets_what_waits, open_scene, close_scene),
    };
    return cmocka_run_group_tests_name("span_exporter", tests, NULL, NULL);
}
