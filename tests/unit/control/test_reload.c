// The parts of the control thread around a real data plane of one worker: reload, weights, status.
#include "../../../src/control/admin.h"
#include "../../../src/control/denials.h"
#include "../../../src/control/metrics_page.h"
#include "../../../src/control/reload.h"
#include "../../../src/control/rollouts.h"
#include "../../../src/control/scores.h"
#include "../../../src/control/span_exporter.h"
#include "../../../src/control/status_json.h"
#include "../../../src/control/task_journal.h"
#include "base/clock.h"
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scene {
    struct control control;
    struct daemon_options options;
    struct outcome outcome;
    char directory[64], path[96];
    unsigned answers;
    bool last_success;
};

static void on_failing(struct endpoint *endpoint, void *context) {
    ejector_failing(((struct scene *)context)->control.ejector, endpoint);
}
static void on_adopted(uint64_t number, uint64_t at_ns, void *context) {
    (void)at_ns;
    adoption_note(&((struct scene *)context)->control.adoption, number);
}
static void on_learned(void *context) {
    (void)context;
}

static void on_spans(struct strbuf take_spans, unsigned count, void *context) {
    (void)count, (void)context;
    strbuf_free(&take_spans);
}

static void on_released(size_t bytes, void *context) {
    (void)bytes, (void)context;
}

static void on_drained(void *context) {
    (void)context;
}

static const char good[] = "listeners: [{address: \"127.0.0.1:0\"}]\n"
                           "admin: {address: \"unix:%s/admin.sock\"}\n"
                           "workers: 1\n"
                           "state_dir: %s\n"
                           "pools:\n"
                           "  blue: {endpoints: [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"]}\n"
                           "  green: {endpoints: [\"http://127.0.0.1:3\"]}\n"
                           "routes:\n"
                           "  - name: chat\n"
                           "    variants:\n"
                           "      stable: {pool: blue, weight: 95, version: v1}\n"
                           "      canary: {pool: green, weight: 5}\n"
                           "%s";

static void write_file(const struct scene *scene, const char *more) {
    FILE *file = fopen(scene->path, "we");
    assert_non_null(file);
    fprintf(file, good, scene->directory, scene->directory, more);
    fclose(file);
}

static void on_applied(void *context) {
    *(bool *)context = true;
}

static bool apply(struct scene *scene) {
    bool over = false;
    outcome_begin(&scene->outcome, scene->path);
    struct loaded loaded;
    if (!loaded_read(&loaded, scene->path, scene->control.tickets, &scene->outcome))
        return false;
    reload_apply(scene->control.reloader, &loaded, &scene->outcome, on_applied, &over);
    assert_false(over);
    while (!over)
        event_base_loop(scene->control.base, EVLOOP_ONCE);
    return scene->outcome.success;
}

static void run_until_adopted(struct scene *scene, uint64_t plan) {
    while (scene->control.adoption.reached < plan)
        event_base_loop(scene->control.base, EVLOOP_ONCE);
}

static int open_scene(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    struct control *control = &scene->control;
    struct error error;
    *state = scene;
    strcpy(scene->directory, "/tmp/sluice-unit-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    snprintf(scene->path, sizeof scene->path, "%s/c.yaml", scene->directory);
    scene->options = (struct daemon_options){scene->path, "1.2.3", "abc"};
    fetch_setup();
    control->options = &scene->options;
    control->base = event_base_new();
    control->workers = 1;
    control->state_dir = scene->directory;
    control->started_ms = clock_wall_ms();
    control->started_ns = clock_monotonic_ns();
    adoption_init(&control->adoption);
    struct data_plane_events events = {on_failing, on_adopted, on_learned, on_spans, on_drained, scene};
    control->plane = data_plane_start(1, control->base, &events, &error);
    assert_non_null(control->plane);
    control->tickets = tls_tickets_new();
    control->spans = span_exporter_new(
        control->base, &(struct span_exporter_settings){.version = "1.2.3", .released = on_released});
    control->registry = registry_new(1);
    control->directory = directory_new(1);
    control->publisher = publisher_new(control->base, control->plane);
    control->hosts = hosts_new(control->base, control->plane);
    control->health = health_new(control->base, control->publisher, "1.2.3");
    control->ejector = ejector_new(control->base, control->publisher, control->directory);
    control->scores = scores_new(10);
    control->denials = denials_new();
    control->rates = rates_new(control->scores);
    control->tasks = task_journal_new(control->state_dir ? control->state_dir : "/nonexistent");
    control->rollouts = rollouts_new(control);
    control->reloader = reloader_new(control);
    control->admin = admin_new(control);
    write_file(scene, "");
    assert_true(apply(scene));
    run_until_adopted(scene, scene->outcome.plan);
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    struct control *control = &scene->control;
    admin_free(control->admin);
    reloader_free(control->reloader);
    rollouts_free(control->rollouts);
    span_exporter_free(control->spans);
    task_journal_free(control->tasks);
    adoption_free(&control->adoption);
    ejector_free(control->ejector);
    health_free(control->health);
    hosts_free(control->hosts);
    rates_free(control->rates);
    scores_free(control->scores);
    denials_free(control->denials);
    publisher_free(control->publisher);
    data_plane_stop(control->plane);
    directory_free(control->directory);
    config_unref(control->config);
    registry_free(control->registry);
    certificates_free(&control->certificates);
    tls_tickets_unref(control->tickets);
    event_base_free(control->base);
    outcome_clear(&scene->outcome);
    unlink(scene->path);
    assert_int_equal(rmdir(scene->directory), 0); // also: the admin socket is gone
    free(scene);
    return 0;
}

static json_t *status_of(const struct scene *scene) {
    struct strbuf text = {0};
    status_write(&scene->control, &text);
    json_t *root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
    strbuf_free(&text);
    assert_non_null(root);
    return root;
}

// A value of the status by keys and indices: "routes", "0", "name".
static json_t *at(json_t *value, const char *first, const char *second, const char *third, const char *fourth,
                  const char *fifth) {
    const char *keys[] = {first, second, third, fourth, fifth};
    for (int i = 0; i < 5 && keys[i]; i++)
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(keys[i]))
                                     : json_object_get(value, keys[i]);
    assert_non_null(value);
    return value;
}

static void the_status_tells_what_runs(void **state) {
    struct scene *scene = *state;
    json_t *root = status_of(scene);
    assert_string_equal(json_string_value(at(root, "version", NULL, NULL, NULL, NULL)), "1.2.3");
    assert_true(json_is_null(at(root, "config", "last_reload", NULL, NULL, NULL)));
    assert_int_equal(json_integer_value(at(root, "workers", NULL, NULL, NULL, NULL)), 1);
    const char *address = json_string_value(at(root, "listeners", "0", "address", NULL, NULL));
    assert_true(strncmp(address, "127.0.0.1:", 10) == 0 && strcmp(address, "127.0.0.1:0") != 0);
    json_t *canary = at(root, "routes", "0", "variants", "1", NULL);
    assert_string_equal(json_string_value(json_object_get(canary, "name")), "canary");
    assert_int_equal(json_integer_value(json_object_get(canary, "weight")), 5);
    assert_int_equal(json_integer_value(at(canary, "range", "0", "1", NULL, NULL)), 500);
    assert_true(json_is_null(json_object_get(canary, "version")));
    assert_true(json_is_false(json_object_get(canary, "baseline")));
    assert_string_equal(json_string_value(at(root, "routes", "0", "weights_from", NULL, NULL)), "file");
    assert_string_equal(json_string_value(at(root, "pools", "0", "endpoints", "1", "url")),
                        "http://127.0.0.1:2");
    assert_string_equal(json_string_value(at(root, "pools", "0", "endpoints", "1", "state")), "ready");
    json_decref(root);
    assert_int_equal(control_readiness(&scene->control), READY);
}

static void a_refused_file_changes_nothing_and_names_the_place(void **state) {
    struct scene *scene = *state;
    uint64_t before = publisher_plan(scene->control.publisher)->number;
    const struct config *config = scene->control.config;
    static const struct {
        const char *more;
        unsigned line;
    } cases[] = {
        {"bogus: 1\n", 13},                                      // found by the check
        {"access_log: {path: /nonexistent/x/access.log}\n", 13}, // found while preparing the data plane
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(scene, cases[i].more);
        assert_false(apply(scene));
        assert_int_equal(scene->outcome.mistake_count, 1);
        assert_int_equal(scene->outcome.mistakes[0].place.line, cases[i].line);
        assert_int_equal(publisher_plan(scene->control.publisher)->number, before);
        assert_ptr_equal(scene->control.config, config);
    }
}

static void weights_set_by_hand_last_until_the_file_is_read_again(void **state) {
    struct scene *scene = *state;
    const uint16_t weights[] = {6000, 4000};
    uint64_t plan = publisher_set_weights(scene->control.publisher, 0, weights, true);
    run_until_adopted(scene, plan);
    json_t *root = status_of(scene);
    assert_string_equal(json_string_value(at(root, "routes", "0", "weights_from", NULL, NULL)), "command");
    assert_int_equal(json_integer_value(at(root, "routes", "0", "variants", "1", "weight")), 40);
    json_decref(root);
    assert_true(apply(scene));
    assert_false(publisher_by_command(scene->control.publisher, 0));
    assert_int_equal(publisher_plan(scene->control.publisher)->routes[0].live.split.weight[1], 500);
}

static void a_touched_pool_is_seen_anew_and_states_survive_a_reload(void **state) {
    struct scene *scene = *state;
    struct publisher *publisher = scene->control.publisher;
    struct pool *pool = directory_pool(scene->control.directory, 0);
    uint64_t before = publisher_plan(publisher)->number;
    assert_int_equal(publisher_flush(publisher), before); // nothing to do, no new plan
    atomic_fetch_or(&pool->endpoints[0]->states, (unsigned)ENDPOINT_DRAINED);
    publisher_touch(publisher, 0);
    publisher_touch(publisher, 0);
    assert_int_equal(publisher_flush(publisher), before + 1);
    assert_int_equal(publisher_plan(publisher)->pools[0]->ready_count, 1);
    assert_true(apply(scene));
    assert_int_equal(publisher_plan(publisher)->pools[0]->ready_count, 1);
    pool = directory_pool(scene->control.directory, 1);
    atomic_fetch_or(&directory_pool(scene->control.directory, 0)->endpoints[1]->states,
                    (unsigned)ENDPOINT_DRAINED);
    atomic_fetch_or(&pool->endpoints[0]->states, (unsigned)ENDPOINT_DRAINED);
    assert_int_equal(control_readiness(&scene->control), READY_NOT_ENDPOINTS);
}

static void failing_endpoints_are_ejected_up_to_the_share_and_come_back(void **state) {
    struct scene *scene = *state;
    struct pool *pool = directory_pool(scene->control.directory, 0);
    write_file(scene, ""); // default ejection: half of the pool
    ejector_failing(scene->control.ejector, pool->endpoints[0]);
    assert_true(atomic_load(&pool->endpoints[0]->states) & ENDPOINT_EJECTED);
    ejector_failing(scene->control.ejector, pool->endpoints[1]);
    assert_int_equal(atomic_load(&pool->endpoints[1]->states), 0); // half of two is one
    uint64_t plan = publisher_flush(scene->control.publisher);
    assert_int_equal(publisher_plan(scene->control.publisher)->pools[0]->ready_count, 1);
    run_until_adopted(scene, plan);
    pool->endpoints[0]->ejected_until_ns = clock_monotonic_ns(); // its time is over
    ejector_adopt(scene->control.ejector);
    assert_int_equal(atomic_load(&pool->endpoints[0]->states), 0);
    publisher_flush(scene->control.publisher);
    assert_int_equal(publisher_plan(scene->control.publisher)->pools[0]->ready_count, 2);
    ejector_failing(scene->control.ejector, pool->endpoints[0]);
    assert_int_equal(pool->endpoints[0]->ejections, 2); // again at once: in a row
}

static void on_reloaded(const struct outcome *outcome, void *context) {
    struct scene *scene = context;
    scene->answers++;
    scene->last_success = outcome->success;
}

static void reloads_wait_for_each_other_and_each_reads_the_file_anew(void **state) {
    struct scene *scene = *state;
    struct reloader *reloader = scene->control.reloader;
    reloader_request(reloader, on_reloaded, scene);
    write_file(scene, "bogus: 1\n");
    reloader_request(reloader, on_reloaded, scene);
    reloader_request(reloader, NULL, NULL); // a signal: the one that waits will do
    assert_int_equal(scene->answers, 0);
    while (scene->answers < 2)
        event_base_loop(scene->control.base, EVLOOP_ONCE);
    assert_false(scene->last_success);
    assert_int_equal(reloader_count(reloader, true), 1);
    assert_int_equal(reloader_count(reloader, false), 1);
    json_t *root = status_of(scene);
    assert_string_equal(json_string_value(at(root, "config", "last_reload", "result", NULL, NULL)),
                        "failure");
    assert_int_equal(json_integer_value(at(root, "config", "last_reload", "diagnostics", "0", "line")), 13);
    json_decref(root);
    struct exposition page = {0};
    metrics_page_write(&scene->control, &page);
    assert_non_null(strstr(strbuf_text(&page.text), "sluice_config_reload_total{result=\"failure\"} 1\n"));
    assert_non_null(strstr(strbuf_text(&page.text), "\nsluice_config_last_reload_successful 0\n"));
    assert_non_null(
        strstr(strbuf_text(&page.text), "sluice_variant_weight{route=\"chat\",variant=\"canary\"} 5\n"));
    strbuf_free(&page.text);
}

int test_reload(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(the_status_tells_what_runs),
        SCENE(a_refused_file_changes_nothing_and_names_the_place),
        SCENE(weights_set_by_hand_last_until_the_file_is_read_again),
        SCENE(a_touched_pool_is_seen_anew_and_states_survive_a_reload),
        SCENE(failing_endpoints_are_ejected_up_to_the_share_and_come_back),
        SCENE(reloads_wait_for_each_other_and_each_reads_the_file_anew),
    };
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
