#include "config/rollout.h"
#include "proxy/plan.h"
#include "unit.h"

static const char yaml[] = "listeners: [{address: '127.0.0.1:0'}]\n"
                           "timeouts: {connect: 3s, first_byte: 60s}\n"
                           "pools:\n"
                           "  blue: {endpoints: [http://127.0.0.1:9000, http://127.0.0.1:9001]}\n"
                           "  green: {endpoints: [http://127.0.0.1:9002], timeouts: {connect: 1s}}\n"
                           "routes:\n"
                           "  - name: chat\n"
                           "    retry: {attempts: 1}\n"
                           "    timeouts: {first_byte: 30s}\n"
                           "    variants:\n"
                           "      stable: {pool: blue, weight: 95}\n"
                           "      canary: {pool: green, weight: 5}\n";

struct fixture {
    struct config *config;
    struct registry *registry;
    struct directory *directory;
    struct plan *plan;
};

static int set_up(void **state) {
    static struct fixture fixture;
    struct diagnostics diagnostics;
    struct error error;
    fixture.config = config_parse("test.yaml", SLICE(yaml), &diagnostics);
    assert_non_null(fixture.config);
    fixture.registry = registry_new(1);
    fixture.directory = directory_new(1);
    struct directory_change *change =
        directory_prepare(fixture.directory, fixture.config, NULL, NULL, &error);
    assert_non_null(change);
    fixture.plan = plan_new(fixture.config, fixture.registry, change);
    directory_commit(fixture.directory, change);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    plan_unref(fixture->plan);
    directory_free(fixture->directory);
    registry_sweep(fixture->registry);
    registry_free(fixture->registry);
    config_unref(fixture->config);
    return 0;
}

// A route with a rollout is counted for evidence; each change of its weights begins a new epoch, and the
// control slice is as large as the candidate, at the far end of the baseline's buckets.
static void a_rollout_is_counted(void **state) {
    (void)state;
    static const char text[] =
        "listeners: [{address: '127.0.0.1:0'}]\n"
        "pools: {blue: {endpoints: [http://127.0.0.1:9000]}}\n"
        "routes:\n"
        "  - name: plain\n    match: {path_prefix: /plain}\n"
        "    variants: {all: {pool: blue}}\n"
        "  - name: chat\n"
        "    variants: {stable: {pool: blue, weight: 95}, canary: {pool: blue, weight: 5}}\n"
        "    rollout: {strategy: canary, steps: [{weight: 5}], control: true}\n";
    struct diagnostics diagnostics;
    struct error error;
    struct config *config = config_parse("test.yaml", SLICE(text), &diagnostics);
    assert_non_null(config);
    assert_int_equal(config->routes[1].rollout->candidate_index, 1);
    assert_string_equal(config->routes[1].rollout->candidate, "canary");
    struct registry *registry = registry_new(1);
    struct directory *directory = directory_new(1);
    struct directory_change *change = directory_prepare(directory, config, NULL, NULL, &error);
    struct plan *plan = plan_new(config, registry, change);
    directory_commit(directory, change);
    assert_null(plan->routes[0].experiment);
    assert_int_equal(experiment_arms(plan->routes[1].experiment), 3);
    assert_int_equal(plan->routes[1].control_from, 9500);
    assert_int_equal(plan->routes[1].control_end, 10000);
    struct plan *next = plan_with_weights(plan, 1, (uint16_t[]){2000, 8000});
    assert_int_equal(next->routes[1].control_end - next->routes[1].control_from, 2000); // all there is
    assert_true(next->routes[1].epoch > plan->routes[1].epoch);
    assert_int_equal(next->routes[0].epoch, plan->routes[0].epoch);
    assert_ptr_equal(next->routes[1].experiment, plan->routes[1].experiment);
    plan_unref(plan);
    plan_unref(next);
    directory_free(directory);
    registry_sweep(registry);
    registry_free(registry);
    config_unref(config);
}

static void the_first_plan_has_the_files_weights_and_times(void **state) {
    const struct plan *plan = ((struct fixture *)*state)->plan;
    const struct plan_route *route = &plan->routes[0];
    assert_int_equal(route->live.split.weight[0], 9500);
    assert_int_equal(route->live.split.weight[1], 500);
    assert_int_equal(plan->pools[0]->ready_count, 2);
    assert_int_equal(route->variants[0].timeouts.connect, 3000);     // global
    assert_int_equal(route->variants[1].timeouts.connect, 1000);     // the pool's
    assert_int_equal(route->variants[1].timeouts.first_byte, 30000); // the route's
    assert_string_equal(route->variants[1].series->variant, "canary");
    assert_non_null(route->retry_budget);
}

static void other_weights_make_another_plan_and_leave_the_old_one(void **state) {
    const struct plan *plan = ((struct fixture *)*state)->plan;
    const uint16_t weights[] = {2500, 7500};
    struct plan *next = plan_with_weights(plan, 0, weights);
    assert_true(next->number > plan->number);
    assert_int_equal(next->routes[0].live.split.weight[1], 7500);
    assert_int_equal(plan->routes[0].live.split.weight[1], 500);
    assert_ptr_equal(next->routes[0].variants[0].series, plan->routes[0].variants[0].series);
    assert_ptr_equal(next->pools[0], plan->pools[0]); // shared, not copied
    plan_unref(next);
}

static void a_health_change_looks_at_one_pool_again(void **state) {
    struct fixture *fixture = *state;
    struct plan *plan = fixture->plan;
    struct endpoint *endpoint = directory_pool(fixture->directory, 0)->endpoints[1];
    atomic_store(&endpoint->states, ENDPOINT_UNHEALTHY);
    assert_int_equal(plan->pools[0]->ready_count, 2); // a plan never changes
    struct plan *next = plan_with_pool(plan, 0);
    assert_int_equal(next->pools[0]->ready_count, 1);
    assert_ptr_equal(next->pools[1], plan->pools[1]);
    plan_unref(next);
}

static void the_last_user_frees_it_after_the_configuration_is_gone(void **state) {
    struct fixture *fixture = *state;
    struct plan *kept = plan_ref(fixture->plan);
    plan_unref(fixture->plan);
    fixture->plan = NULL;
    assert_string_equal(kept->config->routes[0].name, "chat"); // the address sanitizer watches
    plan_unref(kept);
}

// Routes of one experiment have one set of weights, also in the middle of a turn; others keep theirs.
static void weights_move_all_of_an_experiment(void **state) {
    (void)state;
    static const char file[] =
        "listeners: [{address: '127.0.0.1:0'}]\n"
        "pools: {p: {endpoints: [http://127.0.0.1:9000]}}\n"
        "routes:\n"
        "  - {name: a, match: {path: /a}, experiment: x, "
        "variants: {s: {pool: p, weight: 95}, c: {pool: p, weight: 5}}}\n"
        "  - {name: b, match: {path: /b}, experiment: y, "
        "variants: {s: {pool: p, weight: 95}, c: {pool: p, weight: 5}}}\n"
        "  - {name: d, match: {path: /d}, variants: {s: {pool: p, weight: 95}, c: {pool: p, weight: 5}}}\n"
        "  - {name: e, experiment: x, variants: {s: {pool: p, weight: 95}, c: {pool: p, weight: 5}}}\n";
    struct diagnostics diagnostics;
    struct error error;
    struct config *config = config_parse("test.yaml", SLICE(file), &diagnostics);
    assert_non_null(config);
    struct registry *registry = registry_new(1);
    struct directory *directory = directory_new(1);
    struct directory_change *change = directory_prepare(directory, config, NULL, NULL, &error);
    struct plan *plan = plan_new(config, registry, change);
    directory_commit(directory, change);
    assert_int_equal(plan->routes[0].live.seed, plan->routes[3].live.seed);
    assert_int_not_equal(plan->routes[0].live.seed, plan->routes[1].live.seed);

    struct plan *half = plan_with_weights(plan, 3, (uint16_t[]){5000, 5000});
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(half->routes[i].live.split.weight[1], i == 0 || i == 3 ? 5000 : 500);
    struct plan *turned = plan_with_turn(half, 0, (uint16_t[]){0, 10000});
    for (size_t i = 0; i < 4; i++) {
        bool linked = i == 0 || i == 3;
        assert_int_equal(live_split(&turned->routes[i].live)->weight[1], linked ? 5000 : 500);
        assert_int_equal(coming_split(&turned->routes[i].live)->weight[1], linked ? 10000 : 500);
    }
    assert_ptr_equal(turned->routes[0].live.turn, turned->routes[3].live.turn); // one moment for both
    struct plan *back = plan_with_weights(turned, 3, (uint16_t[]){10000, 0});
    assert_null(back->routes[0].live.turn);
    assert_int_equal(live_split(&back->routes[0].live)->weight[1], 0);
    struct plan *all[] = {plan, half, turned, back};
    for (size_t i = 0; i < 4; i++)
        plan_unref(all[i]);
    directory_free(directory);
    registry_sweep(registry);
    registry_free(registry);
    config_unref(config);
}

int test_plan(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollout_is_counted),
        cmocka_unit_test(weights_move_all_of_an_experiment),
        cmocka_unit_test_setup_teardown(the_first_plan_has_the_files_weights_and_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_weights_make_another_plan_and_leave_the_old_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_health_change_looks_at_one_pool_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_user_frees_it_after_the_configuration_is_gone, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
