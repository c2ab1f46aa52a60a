// What holds when the file says nothing: the numbers of docs/configuration.md, one by one.
#include "config/rollout.h"
#include "load.h"
#include "unit.h"

static void of_the_whole(void **state) {
    (void)state;
    struct config *config = load_text(HEAD ROUTES);
    assert_string_equal(config->path, TEST_DATA "/config/test.yaml");
    assert_null(config->listeners[0].tls);
    assert_false(config->listeners[0].proxy_protocol);
    assert_string_equal(config->admin.address, "127.0.0.1:9901");
    assert_null(config->admin.token_file);
    assert_true(config->workers >= 1);
    assert_string_equal(config->state_dir, "/var/lib/sluice");
    assert_int_equal(config->shutdown_grace, 30000);
    assert_int_equal(config->upgrade_timeout, 30000);
    assert_null(config->access_log.path);
    assert_int_equal(config->access_log.format, LOG_FORMAT_JSON);
    assert_int_equal(config->limits.connections, 50000);
    assert_int_equal(config->limits.header_bytes, 32 << 10);
    assert_int_equal(config->limits.body_bytes, 100 << 20);
    assert_int_equal(config->limits.buffered_body_bytes, 1 << 20);
    assert_int_equal(config->timeouts.client_header, 10000);
    assert_int_equal(config->timeouts.client_idle, 75000);
    assert_int_equal(config->timeouts.connect, 2000);
    assert_int_equal(config->timeouts.first_byte, 120000);
    assert_int_equal(config->timeouts.stream_idle, 300000);
    assert_int_equal(config->timeouts.total, DURATION_OFF);
    assert_int_equal(config->resolver.servers.count, 0);
    assert_int_equal(config->resolver.timeout, 5000);
    assert_int_equal(config->resolver.refresh, 30000);
    config_unref(config);
}

static void of_a_pool(void **state) {
    (void)state;
    struct config *config = load_text(HEAD ROUTES);
    const struct pool_config *pool = config_pool(config, "blue", NULL);
    assert_int_equal(pool->endpoints[0].weight, 1);
    assert_int_equal(pool->balance, BALANCE_LEAST_INFLIGHT);
    assert_int_equal(pool->max_inflight, 0);
    assert_int_equal(pool->queue.size, 1024);
    assert_int_equal(pool->queue.timeout, 5000);
    assert_int_equal(pool->keepalive, 128);
    assert_null(pool->health);
    assert_int_equal(pool->ejection.consecutive_failures, 5);
    assert_int_equal(pool->ejection.base_time, 10000);
    assert_int_equal(pool->ejection.max_share, 50);
    assert_null(pool->tls);
    assert_int_equal(pool->timeouts.connect, TIMEOUT_INHERIT);
    assert_int_equal(pool->timeouts.total, TIMEOUT_INHERIT);
    assert_int_equal(pool->back_off, 10000);
    config_unref(config);
}

static void of_a_health_check_and_upstream_tls(void **state) {
    (void)state;
    struct config *config = load_text("listeners: [{address: 127.0.0.1:1}]\n"
                                      "pools: {blue: {endpoints: [http://a], health: {}, tls: {}}}\n" ROUTES);
    const struct health_config *health = config->pools[0].health;
    assert_int_equal(health->interval, 5000);
    assert_int_equal(health->timeout, 2000);
    assert_int_equal(health->healthy_after, 2);
    assert_int_equal(health->unhealthy_after, 3);
    assert_string_equal(health->request.method, "GET");
    assert_string_equal(health->request.path, "/");
    assert_null(health->request.body);
    assert_int_equal(health->request.headers.count, 0);
    assert_int_equal(health->expect.status_count, 1);
    assert_int_equal(health->expect.status[0], 200);
    assert_null(health->expect.body_contains);
    assert_int_equal(health->expect.json.count, 0);
    assert_int_equal(health->expect.latency, DURATION_OFF);
    assert_true(config->pools[0].tls->verify);
    assert_null(config->pools[0].tls->ca);
    config_unref(config);
}

static void of_a_route(void **state) {
    (void)state;
    struct config *config = load_text(HEAD "routes:\n  - name: chat\n    retry: {}\n"
                                           "    override: {token_file: preview.token}\n"
                                           "    variants: {all: {pool: green}}\n");
    const struct route_config *route = config_route(config, "chat", NULL);
    assert_null(route->match.host);
    assert_null(route->match.path);
    assert_null(route->match.path_prefix);
    assert_int_equal(route->match.methods.count + route->match.headers.count + route->match.json.count, 0);
    assert_int_equal(route->sticky.by_count, 0);
    assert_null(route->sticky.cookie);
    assert_int_equal(route->sticky.mode, STICKY_UNIT);
    assert_string_equal(route->sticky.salt, "chat");
    assert_string_equal(route->override->header, "X-Sluice-Variant");
    assert_string_equal(route->override->token, "preview-token");
    assert_int_equal(route->retry->attempts, 1);
    assert_int_equal(route->retry->conditions, RETRY_CONNECT);
    assert_int_equal(route->retry->code_count, 0);
    assert_int_equal(route->retry->budget, 20);
    assert_null(route->fallback);
    assert_null(route->mirror);
    assert_null(route->rollout);
    assert_true(route->expose_variant);
    assert_int_equal(route->baseline, 0);
    assert_int_equal(route->timeouts.first_byte, TIMEOUT_INHERIT);
    assert_int_equal(route->variants[0].weight, SHARE_WHOLE); // one variant needs no weight
    assert_int_equal(route->variants[0].pool_index, 1);
    assert_null(route->variants[0].version);
    assert_null(route->variants[0].request);
    assert_null(route->variants[0].price);
    config_unref(config);
}

static void of_a_mirror(void **state) {
    (void)state;
    struct config *config =
        load_text(HEAD "routes: [{name: a, mirror: {variant: all}, variants: {all: {pool: blue}}}]\n");
    assert_int_equal(config->routes[0].mirror->share, SHARE_WHOLE);
    config_unref(config);
}

static void of_a_rollout(void **state) {
    (void)state;
    struct config *config = load_text(
        HEAD
        "routes:\n  - name: chat\n    variants: {s: {pool: blue, weight: 100}, c: {pool: green, weight: 0}}\n"
        "    rollout: {strategy: canary, steps: [{weight: 5}, {pause: manual}, {weight: 100}],\n"
        "              guards: {error_rate: {}}, notify: [{url: http://n/}]}\n");
    const struct rollout_config *rollout = config->routes[0].rollout;
    assert_int_equal(rollout->strategy, ROLLOUT_CANARY);
    assert_int_equal(rollout->start, ROLLOUT_START_AUTO);
    assert_int_equal(rollout->switch_over, ROLLOUT_START_AUTO);
    assert_int_equal(rollout->steps[0].weight, 500);
    assert_int_equal(rollout->steps[0].duration, 0);
    assert_int_equal(rollout->steps[0].min_requests, 0);
    assert_false(rollout->steps[0].pause);
    assert_int_equal(rollout->steps[1].weight, -1);
    assert_true(rollout->steps[1].pause);
    assert_true(rollout->guards[0].margin == 0);
    assert_int_equal(rollout->dry_run.count, 0);
    assert_false(rollout->control);
    assert_true(rollout->confidence == 95);
    assert_int_equal(rollout->limit_count, 0);
    assert_int_equal(rollout->inconclusive, INCONCLUSIVE_HOLD);
    assert_int_equal(rollout->step_timeout, 7200000);
    assert_int_equal(rollout->rollback_over, 0);
    assert_int_equal(rollout->keep_warm, 600000);
    assert_int_equal(rollout->watch, 600000);
    assert_null(rollout->hooks.before_step);
    assert_int_equal(rollout->notify[0].format, NOTIFY_JSON);
    assert_int_equal(rollout->batch, 1);
    assert_int_equal(rollout->max_duration, DURATION_OFF);
    assert_int_equal(rollout->on_winner, ON_WINNER_HOLD);
    config_unref(config);
}

int test_defaults(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_the_whole),
        cmocka_unit_test(of_a_pool),
        cmocka_unit_test(of_a_health_check_and_upstream_tls),
        cmocka_unit_test(of_a_route),
        cmocka_unit_test(of_a_mirror),
        cmocka_unit_test(of_a_rollout),
    };
    return cmocka_run_group_tests_name("defaults", tests, NULL, NULL);
}
