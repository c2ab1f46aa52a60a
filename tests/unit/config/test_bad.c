// Each tests/data/bad-config/NAME.yaml is refused with exactly the lines of NAME.expected. UPDATE_EXPECTED=1
// rewrites those; read the difference as a user would.
#include "load.h"
#include "unit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

static void write_file(const char *path, struct strbuf *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text->at, 1, text->len, file), text->len);
    fclose(file);
}

// True when the file was refused as expected; prints the two texts otherwise.
static bool refused_as_expected(const char *path) {
    struct diagnostics diagnostics;
    struct strbuf said = {0}, expected = {0}, answer = {0};
    struct config *config = config_load(path, &diagnostics);
    strbuf_append(&answer, path, strlen(path) - strlen(".yaml"));
    strbuf_string(&answer, ".expected");
    diagnostics_write(&diagnostics, strrchr(path, '/') + 1, &said);
    if (getenv("UPDATE_EXPECTED"))
        write_file(strbuf_text(&answer), &said);
    read_text_file(strbuf_text(&answer), &expected);
    bool ok = !config && said.len > 0 && strcmp(strbuf_text(&said), strbuf_text(&expected)) == 0;
    if (!ok)
        print_error("%s:%s\n--- expected\n%s--- said\n%s", path, config ? " was accepted" : "",
                    strbuf_text(&expected), strbuf_text(&said));
    config_unref(config);
    diagnostics_free(&diagnostics);
    strbuf_free(&said);
    strbuf_free(&expected);
    strbuf_free(&answer);
    return ok;
}

static void every_bad_file_gets_its_messages(void **state) {
    (void)state;
    glob_t files;
    size_t wrong = 0;
    assert_int_equal(glob(TEST_DATA "/bad-config/*.yaml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        wrong += !refused_as_expected(files.gl_pathv[i]);
    assert_true(files.gl_pathc >= 60);
    globfree(&files);
    assert_int_equal(wrong, 0);
}

static void every_answer_has_its_file(void **state) {
    (void)state;
    glob_t files, answers;
    assert_int_equal(glob(TEST_DATA "/bad-config/*.yaml", 0, NULL, &files), 0);
    assert_int_equal(glob(TEST_DATA "/bad-config/*.expected", 0, NULL, &answers), 0);
    assert_int_equal(files.gl_pathc, answers.gl_pathc);
    globfree(&files);
    globfree(&answers);
}

static void expect_load_failure(const char *path, const char *expected) {
    struct diagnostics diagnostics;
    struct strbuf said = {0};
    assert_null(config_load(path, &diagnostics));
    diagnostics_write(&diagnostics, "x.yaml", &said);
    assert_string_equal(strbuf_text(&said), expected);
    strbuf_free(&said);
    diagnostics_free(&diagnostics);
}

static void a_file_that_cannot_be_read_says_why(void **state) {
    (void)state;
    expect_load_failure(TEST_DATA "/config/no-such-file.yaml",
                        "x.yaml:1:1: cannot open the file: No such file or directory\n");
    expect_load_failure(TEST_DATA, "x.yaml:1:1: cannot read the file: it is a folder\n");
    expect_load_failure("/dev/zero", "x.yaml:1:1: the file is larger than 16 MiB\n");
}

int test_bad(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_file_gets_its_messages),
        cmocka_unit_test(every_answer_has_its_file),
        cmocka_unit_test(a_file_that_cannot_be_read_says_why),
    };
    return cmocka_run_group_tests_name("bad", tests, NULL, NULL);
}
