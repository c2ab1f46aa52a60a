// When a stream's content came, why it ended, and whether it said so: of every shape, at any cut.
#include "base/mem.h"
#include "http/usage.h"
#include "unit.h"

#include <string.h>

#define CHUNK(delta) \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":null}]}\n\n"
#define LAST(reason)      "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define DONE              "data: [DONE]\n\n"
#define TYPED(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define TOKEN(text, over) \
    "data:{\"token\":{\"id\":1,\"text\":\"" text "\"},\"generated_text\":" over ",\"details\":null}\n\n"
#define USAGE "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}"

struct expected {
    const char *text;
    unsigned contents;
    enum finish_reason finish;
    bool unfinished;
};

static void feed(struct usage *usage, const char *at, size_t len) {
    char *copy = mem_alloc(len ? len : 1);
    memcpy(copy, at, len);
    usage_feed(usage, slice_make(copy, len));
    mem_free(copy);
}

static struct usage begin(void) {
    struct usage usage = {0};
    usage_start(&usage, SLICE("text/event-stream"), SLICE_NONE);
    return usage;
}

static void check(struct usage *usage, const struct expected *expected, const char *how, size_t cut) {
    if (usage->contents != expected->contents || usage_finish(usage) != expected->finish ||
        usage_unfinished(usage) != expected->unfinished)
        fail_msg("%s at %zu: %llu contents, finish %s, unfinished %d of %s", how, cut,
                 (unsigned long long)usage->contents, finish_reason_name(usage_finish(usage)),
                 usage_unfinished(usage), expected->text);
    usage_end(usage);
}

static void reads(const struct expected *expected) {
    size_t len = strlen(expected->text);
    struct usage usage = begin();
    feed(&usage, expected->text, len);
    check(&usage, expected, "whole", 0);
    usage = begin();
    for (size_t i = 0; i < len; i++)
        feed(&usage, expected->text + i, 1);
    check(&usage, expected, "bytewise", 0);
    usage = begin();
    for (const char *at = expected->text, *next; *at; at = next) { // event by event
        next = strstr(at, "\n\n");
        next = next ? next + 2 : expected->text + len;
        feed(&usage, at, (size_t)(next - at));
    }
    check(&usage, expected, "by event", 0);
    for (size_t cut = 0; cut <= len; cut++) {
        usage = begin();
        feed(&usage, expected->text, cut);
        feed(&usage, expected->text + cut, len - cut);
        check(&usage, expected, "cut", cut);
    }
}

#define READS(table)                                             \
    for (size_t i = 0; i < sizeof(table) / sizeof *(table); i++) \
    reads(&(table)[i])

static void openai(void **state) {
    (void)state;
    static const struct expected table[] = {
        {CHUNK("{\"role\":\"assistant\",\"content\":\"\"}") CHUNK("{\"content\":\"a\"}")
             CHUNK("{\"content\":\"b\"}") LAST("stop") DONE,
         2, FINISH_REASON_STOP, false},
        // the role alone is no content, nor is what is empty
        {CHUNK("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}"), 0, FINISH_REASON_NONE, false},
        {CHUNK("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}"), 0, FINISH_REASON_NONE, false},
        {CHUNK("{\"content\":\"a\"}"), 1, FINISH_REASON_NONE, true},
        {CHUNK("{\"content\":\"a\"}") DONE, 1, FINISH_REASON_NONE, false},
        {CHUNK("{\"content\":\"a\"}") LAST("length"), 1, FINISH_REASON_LENGTH, false},
        {CHUNK("{\"content\":\"\\n\"}") LAST("content_filter"), 1, FINISH_REASON_CONTENT_FILTER, false},
        {CHUNK("{\"reasoning_content\":\"hm\"}") LAST("stop"), 1, FINISH_REASON_STOP, false},
        {CHUNK("{\"reasoning\":\"hm\"}") LAST("stop"), 1, FINISH_REASON_STOP, false},
        {CHUNK("{\"refusal\":\"no\"}") LAST("stop"), 1, FINISH_REASON_STOP, false},
        {CHUNK("{\"content\":\"a text that is longer than what is kept of one\"}") LAST("abort"), 1,
         FINISH_REASON_OTHER, false},
        {CHUNK("{\"role\":\"assistant\",\"content\":null}") CHUNK(
             "{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}")
             CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\"}}]}") LAST("tool_calls")
                 DONE,
         2, FINISH_REASON_TOOL_CALLS, false},
        {CHUNK("{\"function_call\":{\"name\":\"f\"}}") LAST("function_call"), 1, FINISH_REASON_TOOL_CALLS,
         false},
        // behind the first content an event without any counts as one unless it tells something
        {CHUNK("{\"content\":\"a\"}") CHUNK("{}"), 2, FINISH_REASON_NONE, true},
        // … also one with what tells something elsewhere
        {CHUNK("{\"content\":\"a\"}") CHUNK("{\"stop_reason\":\"end_turn\"}"), 2, FINISH_REASON_NONE, true},
        // blanks are no content, and hide no mark
        {CHUNK("{\"content\":\"a\"}") "data:     \n\n", 1, FINISH_REASON_NONE, true},
        {CHUNK("{\"content\":\"a\"}") "data:   [DONE]\n\n", 1, FINISH_REASON_NONE, false},
        // completions
        {"data: {\"choices\":[{\"text\":\"\",\"index\":0}]}\n\ndata: "
         "{\"choices\":[{\"text\":\"a\",\"index\":0}]}\n\n"
         "data: {\"choices\":[{\"text\":\"b\",\"finish_reason\":\"stop\"}]}\n\n",
         2, FINISH_REASON_STOP, false},
        // several choices: the last that told
        {"data: "
         "{\"choices\":[{\"delta\":{\"content\":\"a\"}},{\"delta\":{\"content\":\"b\"},\"finish_reason\":"
         "\"stop\"},"
         "{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
         1, FINISH_REASON_LENGTH, false},
        // tokens by themselves are no content; with every event (vLLM) they do not hide it
        {CHUNK("{\"content\":\"a\"}") LAST("stop") "data: {\"choices\":[]," USAGE "}\n\n" DONE, 1,
         FINISH_REASON_STOP, false},
        {"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]," USAGE "}\n\n"
         "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]," USAGE "}\n\n"
         "data: {\"choices\":[]," USAGE "}\n\n" DONE,
         2, FINISH_REASON_NONE, false},
        // with blanks, as Python writes it
        {"data: {\"choices\": [{\"delta\": {\"content\": \"a\"}, \"finish_reason\": null}]}\n\n"
         "data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}]}\n\n",
         1, FINISH_REASON_STOP, false},
        // what looks like it inside of texts
        {CHUNK("{\"content\":\"\\\"finish_reason\\\":\\\"stop\\\"\"}"), 1, FINISH_REASON_NONE, true},
    };
    READS(table);
}

static void anthropic(void **state) {
    (void)state;
    static const struct expected table[] = {
        {TYPED("message_start", ",\"message\":{\"content\":[],\"usage\":{\"input_tokens\":3}}")
             TYPED("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
                 TYPED("ping", "")
                     TYPED("content_block_delta", ",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}")
                         TYPED("message_delta",
                               ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
                               "\"usage\":{\"output_tokens\":2}"),
         1, FINISH_REASON_STOP, false},
        {TYPED("message_start", "") TYPED("ping", ""), 0, FINISH_REASON_NONE, false},
        {TYPED("content_block_delta", ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}"), 1,
         FINISH_REASON_NONE, true},
        {TYPED("content_block_delta", ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}")
             TYPED("content_block_delta", ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}")
                 TYPED("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{}"),
         1, FINISH_REASON_TOOL_CALLS, false},
        {TYPED("content_block_delta", ",\"delta\":{\"text\":\"x\"}") TYPED(
             "message_delta", ",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"output_tokens\":1}"),
         1, FINISH_REASON_LENGTH, false},
        {TYPED("content_block_delta", ",\"delta\":{\"text\":\"x\"}")
             TYPED("error", ",\"error\":{\"type\":\"overloaded\"}"),
         1, FINISH_REASON_NONE, false},
        // "error" is no key without a value when it is one itself: what was told before the garbage stands
        {"data: {\"type\":\"x\",\"delta\":{\"text\":\"x\"}}\n\ndata: {\"type\":\"error\":null}\n\n", 2,
         FINISH_REASON_NONE, false},
        {"data: {\"type\":\"x\",\"delta\":{\"text\":\"x\"}}\n\ndata: {\"type\" :\t \"error\": null}\n\n", 2,
         FINISH_REASON_NONE, false},
        {"data: {\"type\":\"x\",\"delta\":{\"text\":\"x\"}}\n\ndata: {\"type\":\"x\", \"error\": null}\n\n",
         2, FINISH_REASON_NONE, true},
    };
    READS(table);
}

static void responses(void **state) {
    (void)state;
    static const struct expected table[] = {
        {TYPED("response.created", ",\"response\":{\"status\":\"in_progress\",\"usage\":null,\"error\":null}")
             TYPED("response.output_text.delta", ",\"delta\":\"Hi\"")
                 TYPED("response.completed",
                       ",\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":3,"
                       "\"output_tokens\":2}}"),
         1, FINISH_REASON_STOP, false},
        {TYPED("response.output_text.delta", ",\"delta\":\"Hi\""), 1, FINISH_REASON_NONE, true},
        {TYPED("response.output_text.delta", ",\"delta\":\"Hi\"")
             TYPED("response.incomplete",
                   ",\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
                   "\"status\":\"incomplete\",\"usage\":{\"output_tokens\":2}}"),
         1, FINISH_REASON_LENGTH, false},
        // a reason to be incomplete counts beside that status only
        {TYPED("response.output_text.delta", ",\"delta\":\"Hi\"")
             TYPED("response.in_progress",
                   ",\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}"),
         2, FINISH_REASON_NONE, true},
    };
    READS(table);
}

static void others(void **state) {
    (void)state;
    static const struct expected table[] = {
        {TOKEN("a", "null") TOKEN(
             "b", "null") "data:{\"token\":{\"text\":\"</"
                          "s>\"},\"generated_text\":\"ab\",\"details\":{\"finish_reason\":\"eos_token\","
                          "\"generated_tokens\":3,\"input_length\":1}}\n\n",
         3, FINISH_REASON_STOP, false},
        {TOKEN("a", "null") TOKEN("b", "\"ab\""), 2, FINISH_REASON_NONE, false},
        {TOKEN("a", "null"), 1, FINISH_REASON_NONE, true},
        // of shapes that nobody knows every event is content, and the end tells nothing
        {"data: {\"content\":\"a\",\"stop\":false}\n\ndata: {\"content\":\"\",\"stop\":true}\n\n", 2,
         FINISH_REASON_NONE, false},
        {"data: hello\n\ndata: world\n\n", 2, FINISH_REASON_NONE, false},
        {": ping\n\nevent: x\n\n\n\ndata:\n\n", 0, FINISH_REASON_NONE, false},
        {DONE, 0, FINISH_REASON_NONE, false},
    };
    READS(table);
}

static void expect_body(const char *text, enum finish_reason finish) {
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct usage usage = {0};
        usage_start(&usage, SLICE("application/json"), SLICE_NONE);
        feed(&usage, text, cut);
        feed(&usage, text + cut, strlen(text) - cut);
        assert_int_equal(usage_finish(&usage), finish);
        assert_false(usage_unfinished(&usage));
        usage_end(&usage);
    }
}

static void bodies(void **state) {
    (void)state;
    expect_body("{\"choices\":[{\"message\":{\"content\":\"finish_reason\"},\"finish_reason\":\"stop\"}]}",
                FINISH_REASON_STOP);
    expect_body("{\"choices\":[{\"finish_reason\":\"stop\"},{\"finish_reason\":\"tool_calls\"}]}",
                FINISH_REASON_TOOL_CALLS);
    expect_body("{\"choices\":[],\"stop_reason\":\"end_turn\"}", FINISH_REASON_STOP);
    expect_body("{\"choices\":[1,{\"finish_reason\":\"stop\"}],\"x\":[]}", FINISH_REASON_NONE);
    expect_body("{\"stop_reason\":null,\"content\":[{\"stop_reason\":\"end_turn\"}]}", FINISH_REASON_NONE);
    expect_body("{\"status\":\"completed\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}",
                FINISH_REASON_STOP);
    expect_body("{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"usage\":"
                "{\"input_tokens\":1}}",
                FINISH_REASON_CONTENT_FILTER);
    expect_body("{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"status\":\"incomplete\"}",
                FINISH_REASON_LENGTH);
    expect_body("{\"status\":\"completed\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"usage\":"
                "{\"input_tokens\":1}}",
                FINISH_REASON_STOP);
    expect_body("{\"status\":\"completed\",\"object\":\"batch\"}", FINISH_REASON_NONE);
    expect_body("{\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":3}}", FINISH_REASON_LENGTH);
    expect_body("{\"choices\":[{\"finish_reason\":\"st\\u006fp\"}]}", FINISH_REASON_OTHER);
    expect_body("{\"object\":\"list\",\"data\":[]}", FINISH_REASON_NONE);
}

int test_usage_stream(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai), cmocka_unit_test(anthropic), cmocka_unit_test(responses),
        cmocka_unit_test(others), cmocka_unit_test(bodies),
    };
    return cmocka_run_group_tests_name("usage_stream", tests, NULL, NULL);
}
