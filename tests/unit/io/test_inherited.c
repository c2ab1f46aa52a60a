#include "base/mem.h"
#include "io/inherited.h"
#include "io/listen.h"
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct error error;
static struct socket_file nobodys;

static int open_port(struct address *bound, bool share) {
    if (!bound->len)
        assert_true(address_parse(bound, "127.0.0.1:0", &error));
    int fd = listen_open(bound, share, &error);
    assert_true(fd >= 0);
    bound->len = sizeof *bound - offsetof(struct address, any);
    assert_int_equal(getsockname(fd, &bound->any, &bound->len), 0);
    return fd;
}

static void the_name_decides_then_the_address(void **state) {
    (void)state;
    struct inherited *inherited = inherited_new();
    struct inherited_sockets taken;
    struct address first = {0}, second = {0};
    char text[ADDRESS_TEXT];
    int one = open_port(&first, false), two = open_port(&second, false);
    assert_true(inherited_add(inherited, NULL, &one, 1, &nobodys, true, &error));
    address_text(&first, text);
    assert_true(inherited_add(inherited, text, &two, 1, &nobodys, false, &error));
    assert_false(inherited_take(inherited, "127.0.0.1:0", &taken));
    assert_true(inherited_take(inherited, text, &taken)); // that it is bound elsewhere is the name's matter
    assert_int_equal(taken.fds[0], two);
    assert_false(taken.lent);
    mem_free(taken.fds);
    close(two);
    assert_true(inherited_take(inherited, text, &taken));
    assert_int_equal(taken.fds[0], one);
    assert_true(taken.lent);
    mem_free(taken.fds);
    close(one);
    assert_false(inherited_take(inherited, text, &taken));
    inherited_free(inherited);
}

static void sockets_of_one_address_come_together(void **state) {
    (void)state;
    struct inherited *inherited = inherited_new();
    struct inherited_sockets taken;
    struct address bound = {0};
    char text[ADDRESS_TEXT];
    int fds[] = {open_port(&bound, true), open_port(&bound, true), open_port(&bound, true)};
    assert_true(inherited_add(inherited, NULL, fds, 1, &nobodys, false, &error));
    assert_true(inherited_add(inherited, NULL, fds + 1, 2, &nobodys, false, &error));
    address_text(&bound, text);
    assert_true(inherited_take(inherited, text, &taken));
    assert_int_equal(taken.count, 3);
    assert_memory_equal(taken.fds, fds, sizeof fds);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    mem_free(taken.fds);
    inherited_free(inherited);
}

static void they_are_made_ours_whatever_they_were(void **state) {
    (void)state;
    struct inherited *inherited = inherited_new();
    struct address bound = {0};
    int fd = open_port(&bound, false);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
    assert_true(inherited_add(inherited, "a", &fd, 1, &nobodys, false, &error));
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    inherited_free(inherited); // nobody took it
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void what_does_not_listen_is_refused_and_closed(void **state) {
    (void)state;
    struct inherited *inherited = inherited_new();
    int pair[2], datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(inherited_add(inherited, NULL, &pair[0], 1, &nobodys, false, &error));
    assert_false(inherited_add(inherited, NULL, &datagrams, 1, &nobodys, false, &error));
    assert_non_null(strstr(error.text, "does not listen"));
    assert_int_equal(fcntl(pair[0], F_GETFD), -1);
    assert_int_equal(fcntl(datagrams, F_GETFD), -1);
    close(pair[1]);
    inherited_free(inherited);
}

static void the_file_of_one_that_nobody_took_stays(void **state) {
    (void)state;
    char text[] = "unix:/tmp/sluice-inherited.sock";
    struct address address;
    struct socket_file file;
    struct inherited *inherited = inherited_new();
    unlink(text + 5);
    assert_true(address_parse(&address, text, &error));
    int fd = socket_file_listen(&file, &address, 0600, &error);
    assert_true(fd >= 0);
    assert_true(inherited_add(inherited, NULL, &fd, 1, &file, false, &error));
    assert_null(file.path);
    inherited_free(inherited);
    assert_int_equal(unlink(text + 5), 0);
}

int test_inherited(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_decides_then_the_address),
        cmocka_unit_test(sockets_of_one_address_come_together),
        cmocka_unit_test(they_are_made_ours_whatever_they_were),
        cmocka_unit_test(what_does_not_listen_is_refused_and_closed),
        cmocka_unit_test(the_file_of_one_that_nobody_took_stays),
    };
    return cmocka_run_group_tests_name("inherited", tests, NULL, NULL);
}
