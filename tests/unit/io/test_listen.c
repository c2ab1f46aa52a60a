#include "io/listen.h"
#include "unit.h"
#include <unistd.h>

static struct address bound(int fd) {
    struct address address = {.len = sizeof address - offsetof(struct address, any)};
    assert_int_equal(getsockname(fd, &address.any, &address.len), 0);
    return address;
}

static void several_workers_share_a_port(void **state) {
    (void)state;
    struct address any;
    struct error error = {0};
    assert_true(address_parse(&any, "127.0.0.1:0", &error));
    int first = listen_open(&any, true, &error);
    assert_true(first >= 0);
    struct address real = bound(first);
    int second = listen_open(&real, true, &error);
    assert_true(second >= 0);
    close(first);
    close(second);
}

static void a_port_in_use_is_noticed_and_named(void **state) {
    (void)state;
    struct address any;
    struct error error = {0};
    char text[ADDRESS_TEXT];
    assert_true(address_parse(&any, "127.0.0.1:0", &error));
    int holder = listen_open(&any, true, &error);
    struct address real = bound(holder);
    assert_true(listen_taken(&real)); // SO_REUSEPORT alone would join it silently
    assert_int_equal(listen_open(&real, false, &error), -1);
    address_text(&real, text);
    assert_non_null(strstr(error.text, text));
    close(holder);
    assert_false(listen_taken(&real));
}

int test_listen(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_workers_share_a_port),
        cmocka_unit_test(a_port_in_use_is_noticed_and_named),
    };
    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
