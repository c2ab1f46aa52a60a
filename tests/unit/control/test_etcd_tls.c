// The client of etcd over TLS, against etcd itself with a certificate of its own.
#include "etcd_server.h"
#include "etcd_stage.h"
#include "peer.h"
#include "unit.h"

#include <string.h>

static void who_knows_the_certificate_calls_and_watches(void **state) {
    (void)state;
    struct etcd_server server;
    struct etcd_stage stage;
    const char *url = server.url;
    struct pool_tls_config tls = {.ca = server.certificate, .verify = true};
    if (!etcd_server_installed())
        skip();
    etcd_server_open(&server, true);
    etcd_stage_open(&stage, &url, 1, (struct etcd_settings){.tls = &tls, .ask_ms = 100});
    etcd_stage_ready(&stage);
    etcd_stage_watch(&stage, "tls/", 0);
    peer_run_until(stage.base, &stage.progresses, 1);
    peer_run_for(stage.base, 500); // it is asked for signs of life
    etcd_stage_put(&stage, "tls/a", "1", 0);
    etcd_stage_good(&stage);
    peer_run_until(stage.base, &stage.told, 1);
    assert_string_equal(stage.events, "+tls/a=1 ");
    etcd_stage_close(&stage);
    etcd_stage_open(&stage, &url, 1, (struct etcd_settings){0}); // with the system's authorities
    etcd_stage_put(&stage, "tls/a", "2", 0);
    assert_non_null(strstr(stage.error, url));
    assert_non_null(strstr(stage.error, "certificate"));
    assert_true(stage.answer.no_effect);
    etcd_stage_close(&stage);
    etcd_server_close(&server);
}

int test_etcd_tls(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_knows_the_certificate_calls_and_watches)};
    return cmocka_run_group_tests_name("etcd_tls", tests, NULL, NULL);
}
