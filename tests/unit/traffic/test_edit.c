#include "request.h"
#include "traffic/edit.h"
#include "unit.h"

#include <string.h>

static struct header_config sets[] = {{"X-Prompt-Version", "v2.1"}, {"User-Agent", ""},
                                      {"content-length", "0"},      {"Transfer-Encoding", "x"},
                                      {"Connection", "close"},      {"x_sluice_variant", "x"},
                                      {"Host", "models.internal"}};
static const char *removes[] = {"X-Debug", "CONTENT-LENGTH", "connection", "X-Sluice-Route",
                                "TE",      "Upgrade",        "expect"};
static const struct request_edit_config edit = {.set_headers = {sets, 7}, .remove_headers = {removes, 7}};

static const char lines[] =
    "POST / HTTP/1.1\nHost: h\nx-debug: 1\nX-Debug: 2\nX-PROMPT-VERSION: v1\nContent-Length: 3\n"
    "Connection: keep-alive\nUser-Agent: c\nX-Debugger: stays\nExpect: 100-continue\nTE: trailers";

static bool dropped(const struct request *request, const char *name) {
    const struct field *field = head_find_name(&request->head, slice_of(name));
    assert_non_null(field);
    return field->drop;
}

static void marks_what_it_sets_or_removes(void **state) {
    (void)state;
    struct request request;
    request_open(&request, lines, NULL);
    edit_mark(&edit, &request.head);
    assert_true(request.head.fields[1].drop && request.head.fields[2].drop); // both lines of X-Debug
    assert_true(dropped(&request, "X-Prompt-Version"));
    assert_true(dropped(&request, "User-Agent"));
    assert_true(dropped(&request, "Host")); // it is set anew
    assert_false(dropped(&request, "X-Debugger"));
    // What frames the message is not the edit's to touch.
    assert_false(dropped(&request, "Content-Length"));
    assert_false(dropped(&request, "Connection"));
    assert_false(dropped(&request, "Expect"));
    assert_false(dropped(&request, "TE"));
    request_close(&request);
}

static void a_host_is_never_only_removed(void **state) {
    (void)state;
    const char *host[] = {"host"};
    const struct request_edit_config only = {.remove_headers = {host, 1}};
    struct request request;
    request_open(&request, lines, NULL);
    edit_mark(&only, &request.head);
    assert_false(dropped(&request, "Host"));
    request_close(&request);
}

static void tells_what_it_touches(void **state) {
    (void)state;
    assert_true(edit_touches(&edit, SLICE("x-prompt-version")));
    assert_true(edit_touches(&edit, SLICE("x-debug")));
    assert_false(edit_touches(&edit, SLICE("X-Debugger")));
    assert_false(edit_touches(NULL, SLICE("X-Debug")));
}

static void writes_what_it_sets(void **state) {
    (void)state;
    struct strbuf out = {0};
    edit_write(&edit, &out);
    assert_string_equal(strbuf_text(&out),
                        "X-Prompt-Version: v2.1\r\nUser-Agent: \r\nHost: models.internal\r\n");
    strbuf_free(&out);
}

static void no_edit_is_nothing(void **state) {
    (void)state;
    struct request request;
    struct strbuf out = {0};
    request_open(&request, lines, NULL);
    edit_mark(NULL, &request.head);
    edit_write(NULL, &out);
    assert_int_equal(out.len, 0);
    for (size_t i = 0; i < request.head.field_count; i++)
        assert_false(request.head.fields[i].drop);
    request_close(&request);
}

int test_edit(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_what_it_sets_or_removes),
        cmocka_unit_test(a_host_is_never_only_removed),
        cmocka_unit_test(tells_what_it_touches),
        cmocka_unit_test(writes_what_it_sets),
        cmocka_unit_test(no_edit_is_nothing),
    };
    return cmocka_run_group_tests_name("edit", tests, NULL, NULL);
}
