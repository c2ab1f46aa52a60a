// All that a descriptor has, and all that it is given.
#include "base/file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void what_is_written_is_read(void **state) {
    (void)state;
    char path[] = "/tmp/sluice-file-XXXXXX";
    int fd = mkstemp(path);
    struct strbuf text = {0}, read = {0};
    assert_true(fd >= 0);
    for (int i = 0; i < 50000; i++)
        strbuf_format(&text, "%d,", i);
    assert_true(file_write_all(fd, strbuf_as_slice(&text)));
    assert_true(file_write_all(fd, SLICE("")));
    lseek(fd, 0, SEEK_SET);
    strbuf_literal(&read, "> ");
    assert_true(file_read_all(fd, &read, text.len + 2));
    assert_int_equal(read.len, text.len + 2);
    assert_memory_equal(read.at + 2, text.at, text.len);
    lseek(fd, 0, SEEK_SET);
    strbuf_clear(&read);
    assert_false(file_read_all(fd, &read, text.len - 1));
    assert_int_equal(errno, EFBIG);
    close(fd);
    unlink(path);
    strbuf_free(&text);
    strbuf_free(&read);
}

static void what_cannot_be_done_says_why(void **state) {
    (void)state;
    struct strbuf read = {0};
    int folder = open("/", O_RDONLY | O_DIRECTORY), full = open("/dev/full", O_WRONLY);
    assert_false(file_read_all(folder, &read, 100));
    assert_int_equal(errno, EISDIR);
    assert_false(file_write_all(full, SLICE("x")));
    assert_int_equal(errno, ENOSPC);
    close(folder);
    close(full);
    strbuf_free(&read);
}

int test_file(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_cannot_be_done_says_why),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
