#include "app/client.h"
#include "unit.h"

static void what_is_not_unreserved_is_encoded(void **state) {
    (void)state;
    struct strbuf path = {0};
    client_encode(&path, "aZ09-._~");
    client_encode(&path, " +%/&?=#");
    client_encode(&path, "\xc3\xab");
    assert_string_equal(strbuf_text(&path), "aZ09-._~%20%2B%25%2F%26%3F%3D%23%C3%AB");
    strbuf_free(&path);
}

int test_client(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_not_unreserved_is_encoded)};
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
