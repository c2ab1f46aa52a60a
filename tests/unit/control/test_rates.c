#include "../../../src/control/rates.h"
#include "base/clock.h"
#include "unit.h"

#include <math.h>
#include <string.h>

// A plan of one route with two variants: as much of it as rates looks at.
struct scene {
    struct registry *registry;
    struct variant_series *series[2];
    struct route_config route;
    struct config config;
    struct plan_variant variants[2];
    struct plan_route routes[1];
    struct plan plan;
    struct scores *scores;
    struct rates *rates;
};

static uint64_t at(unsigned seconds) {
    return 1000 * NS_PER_S + seconds * NS_PER_S;
}

static void scene_open(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    scene->registry = registry_new(2);
    scene->route.variant_count = 2;
    scene->config.routes = &scene->route;
    scene->config.route_count = 1;
    for (int i = 0; i < 2; i++) {
        scene->series[i] = registry_variant(scene->registry, "chat", i ? "canary" : "stable");
        scene->variants[i].series = scene->series[i];
    }
    scene->routes[0].variants = scene->variants;
    scene->plan = (struct plan){.config = &scene->config, .routes = scene->routes};
    scene->scores = scores_new(4);
    scene->rates = rates_new(scene->scores);
    rates_adopt(scene->rates, &scene->plan, at(0));
}

static void scene_close(struct scene *scene) {
    rates_free(scene->rates);
    scores_free(scene->scores);
    for (int i = 0; i < 2; i++)
        variant_unref(scene->series[i]);
    registry_free(scene->registry);
}

static void tick(struct scene *scene, unsigned seconds) {
    rates_tick(scene->rates, at(seconds), (UINT64_C(1790000000) + seconds) * 1000);
}

static void serve(struct scene *scene, int variant, unsigned requests, uint64_t us) {
    for (unsigned i = 0; i < requests; i++) {
        struct variant_lane *lane = scene->series[variant]->lanes[i % 2];
        counter_add(&lane->requests[CODE_2XX], 1);
        latency_add(&lane->duration, us);
        latency_add(&lane->first_token, us / 2);
    }
}

static void assert_about(double value, double expected) {
    if (value < expected * 0.97 || value > expected * 1.03)
        fail_msg("%g is not about %g", value, expected);
}

static void what_came_since_the_last_tick_counts(void **state) {
    (void)state;
    struct scene scene;
    struct rates_view view;
    scene_open(&scene);
    rates_read(scene.rates, scene.series[0], at(2), &view);
    assert_true(view.per_second == 0 && view.duration_p95 == 0);
    serve(&scene, 0, 100, 40000);
    rates_read(scene.rates, scene.series[0], at(2), &view);
    assert_about(view.per_second, 50);
    assert_about(view.duration_p50, 40);
    assert_about(view.first_token_p50, 20);
    rates_read(scene.rates, scene.series[1], at(2), &view);
    assert_true(view.per_second == 0);
    scene_close(&scene);
}

static void a_minute_is_remembered_and_no_more(void **state) {
    (void)state;
    struct scene scene;
    struct rates_view view;
    unsigned now = 0;
    scene_open(&scene);
    serve(&scene, 0, 600, 900000); // slow ones, long ago
    tick(&scene, now += RATES_SLOT_SECONDS);
    for (int i = 0; i < RATES_SLOTS - 1; i++) {
        serve(&scene, 0, 10, 10000);
        tick(&scene, now += RATES_SLOT_SECONDS);
    }
    rates_read(scene.rates, scene.series[0], at(now), &view);
    assert_about(view.per_second, (600 + 10.0 * (RATES_SLOTS - 1)) / (RATES_SLOTS * RATES_SLOT_SECONDS));
    assert_about(view.duration_p50, 900);
    serve(&scene, 0, 10, 10000);
    tick(&scene, now += RATES_SLOT_SECONDS); // the slow ones leave the window
    rates_read(scene.rates, scene.series[0], at(now), &view);
    assert_about(view.per_second, 2);
    assert_about(view.duration_p99, 10);
    for (int i = 0; i < RATES_SLOTS; i++)
        tick(&scene, now += RATES_SLOT_SECONDS);
    rates_read(scene.rates, scene.series[0], at(now), &view);
    assert_true(view.per_second == 0 && view.duration_p50 == 0);
    scene_close(&scene);
}

static void a_new_plan_keeps_what_it_keeps(void **state) {
    (void)state;
    struct scene scene;
    struct rates_view view;
    scene_open(&scene);
    serve(&scene, 0, 50, 10000);
    serve(&scene, 1, 50, 10000);
    tick(&scene, 5);
    scene.route.variant_count = 1;
    rates_adopt(scene.rates, &scene.plan, at(6));
    rates_read(scene.rates, scene.series[0], at(10), &view);
    assert_about(view.per_second, 5);
    rates_read(scene.rates, scene.series[1], at(10), &view);
    assert_true(view.per_second == 0);
    // The second comes back: what it did while nobody followed it is not told as fresh.
    scene.route.variant_count = 2;
    rates_adopt(scene.rates, &scene.plan, at(12));
    rates_read(scene.rates, scene.series[1], at(14), &view);
    assert_true(view.per_second == 0);
    serve(&scene, 1, 20, 10000);
    rates_read(scene.rates, scene.series[1], at(14), &view);
    assert_about(view.per_second, 10); // of the two seconds since then
    scene_close(&scene);
}

static void a_slot_becomes_a_point_of_the_history(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene);
    assert_null(rates_history(scene.rates, scene.series[0]));
    serve(&scene, 0, 50, 20000);
    counter_add(&scene.series[0]->lanes[1]->errors[ERROR_REASON_5XX], 5);
    counter_add(&scene.series[0]->lanes[1]->errors[ERROR_REASON_OVERLOADED], 7); // not its own
    variant_tokens(scene.series[0]->lanes[0], 100, 400, 0.5);
    scores_add(scene.scores, "chat", "stable", "quality", 0.5);
    scores_add(scene.scores, "chat", "stable", "quality", 1.0);
    tick(&scene, 5);
    tick(&scene, 10);
    const struct history *history = rates_history(scene.rates, scene.series[0]);
    assert_non_null(history);
    assert_null(rates_history(scene.rates, scene.series[1])); // had no request
    assert_int_equal(history->count, 2);
    const struct history_point *point = history_get(history, 1), *quiet = history_get(history, 0);
    assert_int_equal(point->at, 1790000005);
    assert_about((double)point->per_second, 10);
    assert_about((double)point->errors_per_second, 1);
    assert_about((double)point->tokens_per_second, 100);
    assert_about((double)point->dollars_per_second, 0.1);
    assert_about((double)point->duration_p50, 20);
    assert_about((double)point->first_token_p95, 10);
    assert_about((double)point->quality, 0.75);
    assert_true(quiet->per_second == 0 && quiet->errors_per_second == 0 && quiet->tokens_per_second == 0);
    assert_true(isnan(quiet->duration_p99) && isnan(quiet->first_token_p50) && isnan(quiet->quality));
    scene_close(&scene);
}

static void the_history_is_bounded_and_told_in_columns(void **state) {
    (void)state;
    struct scene scene;
    scene_open(&scene);
    serve(&scene, 0, 1, 1000);
    for (unsigned i = 1; i <= HISTORY_POINTS + 10; i++) {
        if (i == HISTORY_POINTS + 9)
            serve(&scene, 1, 10, 2000);
        tick(&scene, i * RATES_SLOT_SECONDS);
    }
    const struct history *both[] = {rates_history(scene.rates, scene.series[0]),
                                    rates_history(scene.rates, scene.series[1])};
    assert_int_equal(both[0]->count, HISTORY_POINTS);
    assert_int_equal(history_get(both[0], HISTORY_POINTS - 1)->at, 1790000000 + 11 * RATES_SLOT_SECONDS);
    assert_null(history_get(both[0], HISTORY_POINTS));
    assert_int_equal(both[1]->count, 2);
    static const char *const names[] = {"stable", "canary"};
    struct strbuf out = {0};
    struct emit emit = {.out = &out};
    emit_object(&emit);
    history_emit(both, names, 2, 1790000000 + (HISTORY_POINTS + 7) * RATES_SLOT_SECONDS, &emit);
    emit_end(&emit, '}');
    strbuf_char(&out, 0);
    assert_non_null(strstr(out.at, "\"at\":[1790003640,1790003645,1790003650]"));
    assert_non_null(strstr(out.at, "\"name\":\"canary\",\"per_second\":[null,2.00,0.00]"));
    strbuf_free(&out);
    scene_close(&scene);
}

int test_rates(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_since_the_last_tick_counts),
        cmocka_unit_test(a_minute_is_remembered_and_no_more),
        cmocka_unit_test(a_new_plan_keeps_what_it_keeps),
        cmocka_unit_test(a_slot_becomes_a_point_of_the_history),
        cmocka_unit_test(the_history_is_bounded_and_told_in_columns),
    };
    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
