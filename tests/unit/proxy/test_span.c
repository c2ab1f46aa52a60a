#include "../../../src/proxy/span.h"
#include "unit.h"

#include <string.h>

static void a_span_is_written_as_otlp_wants_it(void **state) {
    (void)state;
    struct strbuf out = {0};
    struct span span = {"0af7651916cd43dd8448eb211c80319c",
                        "b7ad6b7169203331",
                        "00f067aa0ba902b7",
                        SPAN_SERVER,
                        SLICE("POST \"chat\""),
                        UINT64_C(1795412124000000001),
                        UINT64_C(1795412125000000002)};
    span_open(&out, &span);
    span_text(&out, "a", SLICE("x\ny"));
    span_u64(&out, "b", UINT64_MAX);
    span_double(&out, "c", 0.25);
    span_bool(&out, "d", true);
    span_texts(&out, "e", SLICE("stop"));
    span_events(&out);
    span_event(&out, "first_token", 5);
    span_event(&out, "last_token", 6);
    span_close(&out, "5xx");
    assert_string_equal(
        strbuf_text(&out),
        "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\","
        "\"parentSpanId\":\"00f067aa0ba902b7\",\"name\":\"POST \\\"chat\\\"\",\"kind\":2,"
        "\"startTimeUnixNano\":\"1795412124000000001\",\"endTimeUnixNano\":\"1795412125000000002\","
        "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"x\\ny\"}},"
        "{\"key\":\"b\",\"value\":{\"intValue\":\"18446744073709551615\"}},"
        "{\"key\":\"c\",\"value\":{\"doubleValue\":0.25}},{\"key\":\"d\",\"value\":{\"boolValue\":true}},"
        "{\"key\":\"e\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"stop\"}]}}}],"
        "\"events\":[{\"timeUnixNano\":\"5\",\"name\":\"first_token\"},"
        "{\"timeUnixNano\":\"6\",\"name\":\"last_token\"}],"
        "\"status\":{\"code\":2,\"message\":\"5xx\"}}");
    strbuf_free(&out);
}

static void what_there_is_none_of_is_left_out(void **state) {
    (void)state;
    struct strbuf out = {0};
    struct span span = {
        "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", NULL, SPAN_CLIENT, SLICE("GET"), 1, 2};
    span_open(&out, &span);
    span_events(&out);
    span_close(&out, NULL);
    assert_string_equal(strbuf_text(&out),
                        "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\","
                        "\"name\":\"GET\",\"kind\":3,\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\","
                        "\"attributes\":[],\"events\":[],\"status\":{}}");
    strbuf_free(&out);
}

int test_span(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_written_as_otlp_wants_it),
        cmocka_unit_test(what_there_is_none_of_is_left_out),
    };
    return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
