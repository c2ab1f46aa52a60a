#include "app/options.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command run = {"run", "", "Serve.", OPTION_CONFIG | OPTION_CHECK, 0, 0, NULL, NULL};
static const struct command status = {"status", "[ROUTE]", "Show.", OPTION_CLIENT | OPTION_JSON,
                                      0,        1,         NULL,    NULL};
static const struct command weight = {"weight", "ROUTE VARIANT=N…", "Set.", OPTION_CLIENT, 2, -1, NULL, NULL};

// What the reader prints is not of interest here.
static bool read_quietly(const struct command *command, char **argv, struct invocation *invocation,
                         int *code) {
    int argc = 0, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    while (argv[argc])
        argc++;
    fflush(NULL);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    *code = -1;
    bool read = options_read(command, argc, argv, invocation, code);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    close(null);
    return read;
}
#define READ(command, invocation, code, ...) \
    read_quietly(command, (char *[]){__VA_ARGS__, NULL}, invocation, code)

static void options_and_arguments_may_mix(void **state) {
    (void)state;
    struct invocation got;
    int code;
    assert_true(READ(&run, &got, &code, "run", "-c", "a.yaml", "--check"));
    assert_string_equal(got.config, "a.yaml");
    assert_true(got.check);
    assert_true(READ(&run, &got, &code, "run", "--config=b.yaml"));
    assert_string_equal(got.config, "b.yaml");
    assert_false(got.check);
    assert_true(READ(&status, &got, &code, "status", "chat", "--json", "--admin", "unix:/x"));
    assert_true(got.json);
    assert_string_equal(got.admin, "unix:/x");
    assert_int_equal(got.argument_count, 1);
    assert_string_equal(got.arguments[0], "chat");
    assert_true(READ(&weight, &got, &code, "weight", "chat", "a=5", "b=95"));
    assert_int_equal(got.argument_count, 3);
    assert_true(READ(&weight, &got, &code, "weight", "--", "-odd-", "a=100"));
    assert_string_equal(got.arguments[0], "-odd-");
}

static void mistakes_are_usage_errors(void **state) {
    (void)state;
    struct invocation got;
    int code;
    assert_false(READ(&run, &got, &code, "run", "--bogus"));
    assert_int_equal(code, EXIT_USAGE);
    assert_false(READ(&run, &got, &code, "run", "-c"));
    assert_int_equal(code, EXIT_USAGE);
    assert_false(READ(&run, &got, &code, "run", "extra"));
    assert_int_equal(code, EXIT_USAGE);
    assert_false(READ(&run, &got, &code, "run", "--json")); // of other commands
    assert_int_equal(code, EXIT_USAGE);
    assert_false(READ(&status, &got, &code, "status", "a", "b"));
    assert_int_equal(code, EXIT_USAGE);
    assert_false(READ(&weight, &got, &code, "weight", "chat"));
    assert_int_equal(code, EXIT_USAGE);
    assert_false(READ(&weight, &got, &code, "weight", "--help"));
    assert_int_equal(code, EXIT_DONE);
}

static const struct command rollback = {"rollback", "ROUTE", "Back.", OPTION_CLIENT | OPTION_REASON,
                                        1,          1,       NULL,    NULL};
static const struct command plan = {
    "plan", "ROUTE", "Long.", OPTION_RPS | OPTION_LAST | OPTION_FULL | OPTION_EXIT_STATUS, 1, 1, NULL, NULL};

static void a_rollouts_options_are_read(void **state) {
    (void)state;
    struct invocation got;
    int code;
    assert_true(READ(&rollback, &got, &code, "rollback", "chat", "--reason", "too slow"));
    assert_string_equal(got.reason, "too slow");
    assert_true(
        READ(&plan, &got, &code, "plan", "chat", "--rps=2.5", "--last", "7", "--full", "--exit-status"));
    assert_string_equal(got.rps, "2.5");
    assert_int_equal(got.last, 7);
    assert_true(got.full && got.exit_status);
    assert_true(READ(&plan, &got, &code, "plan", "chat"));
    assert_false(got.full || got.exit_status || got.rps || got.reason || got.last);
}

static void numbers_of_options_are_positive(void **state) {
    static char *bad[] = {"--rps=0",   "--rps=-1",   "--rps=nan",  "--rps=inf",
                          "--rps=1x",  "--rps=0x10", "--rps=",     "--last=0",
                          "--last=-1", "--last=x",   "--last=",    "--last=1.5",
                          "--last= 1", "--rps= 1",   "--rps=1e30", "--last=99999999999"};
    struct invocation got;
    int code;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (READ(&plan, &got, &code, "plan", "chat", bad[i]))
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(code, EXIT_USAGE);
    }
    assert_false(READ(&rollback, &got, &code, "rollback", "chat", "--full")); // of promote
}

static void the_admin_address_comes_from_option_environment_default(void **state) {
    (void)state;
    struct invocation got;
    int code;
    unsetenv("SLUICE_ADMIN");
    assert_true(READ(&status, &got, &code, "status"));
    assert_string_equal(got.admin, "http://127.0.0.1:9901");
    setenv("SLUICE_ADMIN", "unix:/run/a.sock", 1);
    assert_true(READ(&status, &got, &code, "status"));
    assert_string_equal(got.admin, "unix:/run/a.sock");
    assert_true(READ(&status, &got, &code, "status", "--admin", "http://h:1"));
    assert_string_equal(got.admin, "http://h:1");
    unsetenv("SLUICE_ADMIN");
}

static void help_shows_what_the_command_takes(void **state) {
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    options_help(&run, to);
    fclose(to);
    assert_non_null(strstr(text, "usage: sluice run"));
    assert_non_null(strstr(text, "-c, --config FILE"));
    assert_non_null(strstr(text, "--check"));
    assert_null(strstr(text, "--admin"));
    free(text);
}

static void a_slip_of_the_keys_finds_its_command(void **state) {
    (void)state;
    const struct command all[] = {run, status, weight};
    assert_string_equal(options_suggest("stauts", all, 3)->name, "status");
    assert_string_equal(options_suggest("weights", all, 3)->name, "weight");
    assert_string_equal(options_suggest("rnu", all, 3)->name, "run");
    assert_null(options_suggest("frobnicate", all, 3));
    assert_null(options_suggest("", all, 3));
    assert_null(options_suggest("averyveryverylongword", all, 3));
}

int test_options(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_may_mix),
        cmocka_unit_test(mistakes_are_usage_errors),
        cmocka_unit_test(a_rollouts_options_are_read),
        cmocka_unit_test(numbers_of_options_are_positive),
        cmocka_unit_test(the_admin_address_comes_from_option_environment_default),
        cmocka_unit_test(help_shows_what_the_command_takes),
        cmocka_unit_test(a_slip_of_the_keys_finds_its_command),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
