#include "../../../src/control/token.h"
#include "base/mem.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/sluice-token-XXXXXX";

static char *read_from(const char *text, size_t len, struct error *error) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
    return token_read(path, error);
}

static void the_first_line_without_its_end(void **state) {
    (void)state;
    static const char *const texts[] = {"secret", "secret\n", "secret\r\n", "  secret \n", "secret\nmore\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error error;
        char *token = read_from(texts[i], strlen(texts[i]), &error);
        assert_non_null(token);
        assert_string_equal(token, "secret");
        mem_free(token);
    }
}

static void empty_missing_or_huge_is_an_error_that_names_the_file(void **state) {
    (void)state;
    struct error error;
    assert_null(read_from("", 0, &error));
    assert_non_null(strstr(error.text, path));
    assert_null(read_from("\nsecret\n", 8, &error));
    char huge[5000];
    memset(huge, 'x', sizeof huge);
    assert_null(read_from(huge, sizeof huge, &error));
    assert_non_null(strstr(error.text, "too long"));
    assert_null(token_read("/nonexistent/token", &error));
    assert_non_null(strstr(error.text, "/nonexistent/token"));
}

static int make(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int drop(void **state) {
    (void)state;
    return unlink(path);
}

int test_token(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_without_its_end),
        cmocka_unit_test(empty_missing_or_huge_is_an_error_that_names_the_file),
    };
    return cmocka_run_group_tests_name("token", tests, make, drop);
}
