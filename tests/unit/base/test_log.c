#include "base/log.h"
#include "child.h"
#include "unit.h"
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

static const char *volatile missing; // volatile: the compiler may not know that it is NULL

static void write_lines(void) {
    log_debug("never seen", "n=%d", 1);
    log_info("configuration loaded", "file=%s routes=%zu", "/etc/x.yaml", (size_t)3);
    log_warn("no pairs");
    log_error("nasty", "value=%s quoted=\"%s\" null=%s empty=%s", "a\nb\"c\\d\x01 e=f", "x y\"", missing, "");
    log_info("cut", "part=%.*s wide=%5d neg=%ld hex=%#llx f=%.2f c=%c pct=%%", 2, "abcdef", 42, -7L, 255ULL,
             1.005, 'x');
    errno = ENOENT;
    log_info("system", "error=%m");
    if (errno != ENOENT)
        log_info("errno was lost");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("not this");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("but this", "u=%u h=%hu zd=%zd", 4000000000u, (unsigned short)7, (ssize_t)-1);
}

static const char *next_line(char **rest, const char *level) {
    char *line = *rest, *end = strchr(line, '\n');
    assert_non_null(end);
    *end = '\0';
    *rest = end + 1;
    assert_true(strlen(line) > 26 && line[10] == 'T' && line[23] == 'Z' && line[24] == ' ');
    line += 25;
    assert_int_equal(strncmp(line, level, strlen(level)), 0);
    return line + strlen(level) + 1;
}

static void says_each_line(void **state) {
    (void)state;
    char text[4096], *rest = text;
    assert_int_equal(child_run(write_lines, text, sizeof text), 0);
    assert_string_equal(next_line(&rest, "info"), "configuration loaded file=/etc/x.yaml routes=3");
    assert_string_equal(next_line(&rest, "warn"), "no pairs");
    assert_string_equal(next_line(&rest, "error"),
                        "nasty value=\"a\\nb\\\"c\\\\d\\x01 e=f\" quoted=\"x y\\\"\" null=- empty=\"\"");
    assert_string_equal(next_line(&rest, "info"),
                        "cut part=ab wide=\"   42\" neg=-7 hex=0xff f=1.00 c=x pct=%");
    assert_string_equal(next_line(&rest, "info"), "system error=\"No such file or directory\"");
    assert_string_equal(next_line(&rest, "debug"), "but this u=4000000000 h=7 zd=-1");
    assert_string_equal(rest, "");
}

static void write_conversions(void) {
    log_info("escapes", "cr=%s tab=%s del=%s quoted=\"%s\" equal=%s quote=%s", "a\rb", "a\tb",
             "a\x7f"
             "b",
             "", "a=b", "a\"b");
    log_info("lengths", "hh=%hhd h=%hd ll=%lld j=%jd z=%zu t=%td", (signed char)-8, (short)-9, -10LL,
             (intmax_t)-11, (size_t)12, (ptrdiff_t)-13);
    log_info("sizes", "star=%*d less=%-*d zeros=%06d any=%.*s two=%.2s exact=%.3d", 4, 7, 4, 7, 42, -1, "all",
             "cut", 5);
    log_info("kinds", "p=%p e=%.1e g=%g X=%X o=%#o", (void *)(uintptr_t)0x1f, 12345.0, 0.5, 0xabcu, 8u);
    log_info("wide", "n=%600d end=1", 1);
}

static void writes_every_conversion(void **state) {
    (void)state;
    char text[4096], *rest = text, wide[600];
    assert_int_equal(child_run(write_conversions, text, sizeof text), 0);
    assert_string_equal(next_line(&rest, "info"), "escapes cr=a\\rb tab=a\\tb del=a\\x7fb quoted=\"\" "
                                                  "equal=\"a=b\" quote=\"a\\\"b\"");
    assert_string_equal(next_line(&rest, "info"), "lengths hh=-8 h=-9 ll=-10 j=-11 z=12 t=-13");
    assert_string_equal(next_line(&rest, "info"),
                        "sizes star=\"   7\" less=\"7   \" zeros=000042 any=all two=cu exact=005");
    assert_string_equal(next_line(&rest, "info"), "kinds p=0x1f e=1.2e+04 g=0.5 X=ABC o=010");
    memset(wide, ' ', sizeof wide); // a number has 511 characters
    snprintf(wide + 511, sizeof wide - 511, "\" end=1");
    const char *line = next_line(&rest, "info");
    assert_int_equal(strncmp(line, "wide n=\"", 8), 0);
    assert_string_equal(line + 8, wide);
}

static void write_rationed(void) {
    struct log_ration ration = {0};
    uint64_t now = 5000000000;
    for (int i = 0; i < LOG_RATION + 5; i++)
        log_rationed(&ration, now, "refused", "n=%d", i);
    log_rationed(&ration, now + 1000000001, "refused", "n=%d", 100);
    log_rationed(&ration, now + 2000000002, "refused", "n=%d", 101);
}

// Whoever causes lines as he likes fills no disk, and what was left out is counted.
static void rations_lines(void **state) {
    (void)state;
    char text[8192], *rest = text, expected[64];
    assert_int_equal(child_run(write_rationed, text, sizeof text), 0);
    for (int i = 0; i < LOG_RATION; i++) {
        snprintf(expected, sizeof expected, "refused n=%d", i);
        assert_string_equal(next_line(&rest, "info"), expected);
    }
    assert_string_equal(next_line(&rest, "warn"), "lines were left out line=refused count=5");
    assert_string_equal(next_line(&rest, "info"), "refused n=100");
    assert_string_equal(next_line(&rest, "info"), "refused n=101"); // none was left out before it
    assert_string_equal(rest, "");
}

static void write_a_long_line(void) {
    static char value[10000];
    memset(value, 'v', sizeof value - 1);
    log_info("long", "value=%s next=%s", value, "lost");
}

static void cuts_a_long_line(void **state) {
    (void)state;
    char text[8192];
    assert_int_equal(child_run(write_a_long_line, text, sizeof text), 0);
    size_t len = strlen(text);
    assert_true(len > 4000 && len <= 4096);
    assert_string_equal(text + len - strlen("vv…\n"), "vv…\n");
}

static void knows_the_levels(void **state) {
    (void)state;
    enum log_level level = LOG_LEVEL_DEBUG;
    assert_true(log_level_parse("warn", &level));
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_false(log_level_parse("WARN", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(level, LOG_LEVEL_WARN);
}

int test_log(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_each_line),   cmocka_unit_test(writes_every_conversion),
        cmocka_unit_test(rations_lines),    cmocka_unit_test(cuts_a_long_line),
        cmocka_unit_test(knows_the_levels),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
