// The service manager's side: what it is told, and what it passes.
#include "../../../src/control/activation.h"
#include "../../../src/control/service.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager;
static char said[512];

static int listen_as(const char *path, size_t len) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, len);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bind(manager, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static const char *heard(void) {
    ssize_t n = recv(manager, said, sizeof said - 1, MSG_DONTWAIT);
    said[n > 0 ? n : 0] = '\0';
    return said;
}

static void it_is_told(void **state) {
    (void)state;
    char name[64];
    int len = snprintf(name, sizeof name, "@sluice-notify-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    assert_int_equal(listen_as(name, (size_t)len), 0);
    service_ready("two\nlines");
    assert_string_equal(heard(), "READY=1\nSTATUS=two lines\n");
    service_ready(NULL);
    assert_string_equal(heard(), "READY=1\n");
    service_reloading();
    assert_non_null(strstr(heard(), "RELOADING=1\nMONOTONIC_USEC="));
    service_stopping();
    assert_non_null(strstr(heard(), "STOPPING=1\n"));
    service_main(4711);
    assert_string_equal(heard(), "MAINPID=4711\n");
    service_alive();
    assert_string_equal(heard(), "WATCHDOG=1\n");
    close(manager);
    service_alive(); // nobody hears it
    unsetenv("NOTIFY_SOCKET");
    service_alive();
}

static void the_watchdog_is_this_process_s(void **state) {
    (void)state;
    char own[16];
    assert_int_equal(service_watchdog(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(service_watchdog(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(service_watchdog(), 0);
    snprintf(own, sizeof own, "%d", (int)getpid());
    setenv("WATCHDOG_PID", own, 1);
    assert_int_equal(service_watchdog(), 30000000);
    setenv("WATCHDOG_USEC", "-1", 1);
    assert_int_equal(service_watchdog(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void sockets_are_for_one_process(void **state) {
    (void)state;
    assert_int_equal(activation_count("7", "3", 7), 3);
    assert_int_equal(activation_count("8", "3", 7), 0);
    assert_int_equal(activation_count(NULL, "3", 7), 0);
    assert_int_equal(activation_count("7", NULL, 7), 0);
    assert_int_equal(activation_count("7", "x", 7), 0);
    assert_int_equal(activation_count("7", "-1", 7), 0);
    assert_int_equal(activation_count("7", "1000000", 7), 0);
    assert_int_equal(activation_count("", "", 7), 0);
}

int test_service(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told),
        cmocka_unit_test(the_watchdog_is_this_process_s),
        cmocka_unit_test(sockets_are_for_one_process),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
