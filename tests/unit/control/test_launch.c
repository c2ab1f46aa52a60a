// How a process is started again: paths and environment.
#include "../../../src/control/launch.h"
#include "base/mem.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[80];

static int make_program(void **state) {
    (void)state;
    strcpy(folder, "/tmp/sluice-launch-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/program", folder);
    close(open(path, O_CREAT | O_WRONLY, 0755));
    return chmod(path, 0755);
}

static int remove_program(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void expect_found(const char *name, const char *search, const char *from, const char *expected) {
    char *found = launch_find(name, search, from);
    if (expected)
        assert_string_equal(found, expected);
    else
        assert_null(found);
    mem_free(found);
}

static void a_program_is_found_as_a_shell_finds_it(void **state) {
    (void)state;
    char search[256], below[128];
    snprintf(search, sizeof search, "/nowhere:%s:/usr/bin", folder);
    snprintf(below, sizeof below, "%s/./program", folder);
    expect_found(path, NULL, "/", path);
    expect_found("./program", search, folder, below);
    expect_found("program", search, "/", path);
    expect_found("program", "/nowhere::", folder, path); // an empty part is where one is
    expect_found("program", "/nowhere", folder, NULL);
    expect_found("program", NULL, folder, NULL);
    expect_found("", search, folder, NULL);
    expect_found(folder, search, "/", NULL); // a folder is no program
    assert_int_equal(chmod(path, 0644), 0);
    expect_found("/tmp/none/program", search, "/", NULL);
}

static void a_path_is_below_where_one_is(void **state) {
    (void)state;
    char *absolute = launch_absolute("/etc/a.yaml", "/srv"), *relative = launch_absolute("a.yaml", "/srv");
    assert_string_equal(absolute, "/etc/a.yaml");
    assert_string_equal(relative, "/srv/a.yaml");
    mem_free(absolute);
    mem_free(relative);
}

static void what_was_for_this_process_is_left_out(void **state) {
    (void)state;
    char *environment[] = {(char[]){"A=1"},
                           (char[]){"LISTEN_PID=7"},
                           (char[]){"LISTEN_FDS=2"},
                           (char[]){"LISTEN_FDNAMES=a:b"},
                           (char[]){"WATCHDOG_PID=7"},
                           (char[]){"SLUICE_PREDECESSOR=9"},
                           (char[]){"WATCHDOG_USEC=100"},
                           (char[]){"LISTEN_PIDS=kept"},
                           NULL};
    char **copy = launch_environment(environment);
    assert_string_equal(copy[0], "A=1");
    assert_string_equal(copy[1], "WATCHDOG_USEC=100");
    assert_string_equal(copy[2], "LISTEN_PIDS=kept");
    assert_string_equal(copy[3], "SLUICE_PREDECESSOR=3");
    assert_null(copy[4]);
    launch_environment_free(copy);
}

static void one_that_is_no_daemon_is_not_started_again(void **state) {
    (void)state;
    struct launch launch;
    struct error error;
    launch_read(&launch, "a.yaml"); // this is a test's command line
    assert_null(launch.program);
    assert_int_equal(launch.config_path[0], '/');
    assert_int_equal(launch_again(&launch, 3, &error), -1);
    assert_non_null(strstr(error.text, "not known"));
    launch_free(&launch);
}

int test_launch(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_is_found_as_a_shell_finds_it, make_program, remove_program),
        cmocka_unit_test(a_path_is_below_where_one_is),
        cmocka_unit_test(what_was_for_this_process_is_left_out),
        cmocka_unit_test(one_that_is_no_daemon_is_not_started_again),
    };
    return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
