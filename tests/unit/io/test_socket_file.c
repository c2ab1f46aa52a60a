#include "io/socket_file.h"
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static char path[80];
static struct address address;
static struct error error;

static int open_folder(void **state) {
    (void)state;
    char text[128];
    strcpy(folder, "/tmp/sluice-unit-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s.sock", folder);
    snprintf(text, sizeof text, "unix:%s", path);
    assert_true(address_parse(&address, text, &error));
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static mode_t mode_of_file(void) {
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 0777;
}

static void it_is_made_with_its_mode_and_removed(void **state) {
    (void)state;
    struct socket_file file;
    mode_t before = umask(0077);
    int fd = socket_file_listen(&file, &address, 0666, &error);
    assert_int_equal(umask(before), 0077); // as it was
    assert_true(fd >= 0);
    assert_int_equal(mode_of_file(), 0666);
    assert_true(socket_file_set_mode(&file, 0600));
    assert_int_equal(mode_of_file(), 0600);
    socket_file_remove(&file);
    assert_int_equal(access(path, F_OK), -1);
    socket_file_remove(&file); // there is none any more
    close(fd);
}

static void a_stale_one_is_replaced_a_live_one_not(void **state) {
    (void)state;
    struct socket_file first, second;
    int fd = socket_file_listen(&first, &address, 0660, &error);
    assert_int_equal(socket_file_listen(&second, &address, 0660, &error), -1);
    assert_non_null(strstr(error.text, "already in use"));
    assert_non_null(strstr(error.text, path));
    assert_null(second.path);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
    int again = socket_file_listen(&second, &address, 0660, &error);
    assert_true(again >= 0);
    socket_file_remove(&second);
    socket_file_remove(&first);
    close(again);
}

static void one_whose_queue_is_full_is_alive(void **state) {
    (void)state;
    struct socket_file file;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), clients[8];
    assert_int_equal(bind(fd, &address.any, address.len), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < 8; i++) { // nobody accepts
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(clients[i], &address.any, address.len);
    }
    assert_int_equal(socket_file_listen(&file, &address, 0660, &error), -1);
    assert_non_null(strstr(error.text, "already in use"));
    for (size_t i = 0; i < 8; i++)
        close(clients[i]);
    close(fd);
}

static void other_files_are_left_alone(void **state) {
    (void)state;
    struct socket_file file;
    int plain = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(plain >= 0);
    close(plain);
    assert_int_equal(socket_file_listen(&file, &address, 0660, &error), -1);
    assert_non_null(strstr(error.text, "there is a file of that name"));
    assert_int_equal(access(path, F_OK), 0);
}

static void only_our_own_is_removed_or_changed(void **state) {
    (void)state;
    struct socket_file ours;
    int fd = socket_file_listen(&ours, &address, 0660, &error);
    assert_int_equal(unlink(path), 0);
    int theirs = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_false(socket_file_set_mode(&ours, 0666));
    assert_int_equal(mode_of_file(), 0600);
    socket_file_remove(&ours);
    assert_int_equal(access(path, F_OK), 0);
    close(theirs);
    close(fd);
}

int test_socket_file(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_with_its_mode_and_removed, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_stale_one_is_replaced_a_live_one_not, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(one_whose_queue_is_full_is_alive, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(other_files_are_left_alone, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(only_our_own_is_removed_or_changed, open_folder, close_folder),
    };
    return cmocka_run_group_tests_name("socket_file", tests, NULL, NULL);
}
