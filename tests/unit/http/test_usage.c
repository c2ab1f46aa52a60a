#include "http/usage.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>

#define JSON   "application/json"
#define EVENTS "text/event-stream"

// What must have been read of `text`.
struct expected {
    const char *type, *text;
    bool counted, failed;
    uint64_t prompt, completion;
};

static void check(const struct usage *usage, const struct expected *expected, const char *how, size_t cut) {
    if (usage->counted != expected->counted || usage->failed != expected->failed ||
        usage->prompt != expected->prompt || usage->completion != expected->completion)
        fail_msg("%s at %zu: counted %d failed %d prompt %llu completion %llu of %s", how, cut,
                 usage->counted, usage->failed, (unsigned long long)usage->prompt,
                 (unsigned long long)usage->completion, expected->text);
}

static struct usage begin(const char *type) {
    struct usage usage = {0};
    usage_start(&usage, slice_of(type), SLICE_NONE);
    return usage;
}

// From memory of its own, so that a byte read past the end is found.
static void feed(struct usage *usage, const char *at, size_t len) {
    char *copy = malloc(len ? len : 1);
    memcpy(copy, at, len);
    usage_feed(usage, slice_make(copy, len));
    free(copy);
}

// In one piece, byte by byte, and cut in two at every place.
static void reads_bytes(const struct expected *expected, struct slice text) {
    struct usage usage = begin(expected->type);
    feed(&usage, text.at, text.len);
    check(&usage, expected, "whole", 0);
    usage = begin(expected->type);
    for (size_t i = 0; i < text.len; i++)
        feed(&usage, text.at + i, 1);
    check(&usage, expected, "bytewise", 0);
    usage = begin(expected->type);
    for (size_t at = 0, next; at < text.len; at = next) { // event by event
        const char *end = memmem(text.at + at, text.len - at, "\n\n", 2);
        next = end ? (size_t)(end - text.at) + 2 : text.len;
        feed(&usage, text.at + at, next - at);
    }
    check(&usage, expected, "by event", 0);
    for (size_t cut = 0; cut <= text.len; cut++) {
        usage = begin(expected->type);
        feed(&usage, text.at, cut);
        feed(&usage, text.at + cut, text.len - cut);
        check(&usage, expected, "cut", cut);
    }
}

static void reads(const struct expected *table, size_t count) {
    for (size_t i = 0; i < count; i++)
        reads_bytes(&table[i], slice_of(table[i].text));
}

#define READS(table) reads(table, sizeof(table) / sizeof *(table))

static void bodies_of_all_kinds(void **state) {
    (void)state;
    static const struct expected table[] = {
        // OpenAI chat completions
        {JSON,
         "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{"
         "\"role\":\"assistant\",\"content\":\"say \\\"usage\\\": {}\\\\\"},\"finish_reason\":\"stop\"}],"
         "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,"
         "\"prompt_tokens_details\":{\"cached_tokens\":7,\"audio_tokens\":0},"
         "\"completion_tokens_details\":{\"reasoning_tokens\":3}},\"service_tier\":\"default\"}",
         true, false, 19, 10},
        // … spread over lines, and `usage` first
        {JSON,
         "{\n  \"usage\" : {\r\n\t\"prompt_tokens\" : 1 ,\n \"completion_tokens\" : 2\n } ,\n \"choices\" : "
         "[ ]\n}\n",
         true, false, 1, 2},
        // OpenAI embeddings: no completion
        {JSON,
         "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[-0.1,1e-05,0]}]"
         ",\"model\":\"m\",\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}",
         true, false, 8, 0},
        // OpenAI responses
        {JSON,
         "{\"id\":\"resp_1\",\"error\":null,\"output\":[{\"content\":[{\"type\":\"output_text\",\"text\":"
         "\"x\"}]}],\"usage\":{\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":0},"
         "\"output_tokens\":87,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":123}}",
         true, false, 36, 87},
        // Anthropic messages
        {JSON,
         "{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],"
         "\"usage\":{\"input_tokens\":2095,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":4,"
         "\"output_tokens\":503}}",
         true, false, 2095, 503},
        // TGI /generate
        {JSON,
         "{\"generated_text\":\"a\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":20,"
         "\"seed\":null,\"input_length\":5,\"tokens\":[{\"id\":1,\"text\":\"generated_tokens\"}]}}",
         true, false, 5, 20},
        {JSON "; charset=utf-8", "{\"usage\":{\"total_tokens\":8}}", true, false, 8, 0},
        {JSON " ;charset=utf-8", "{\"usage\":{\"total_tokens\":8,\"completion_tokens\":3}}", true, false, 5,
         3},
        {"Application/JSON", "{\"usage\":{\"total_tokens\":8,\"prompt_tokens\":3}}", true, false, 3, 5},
        {JSON, "{\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}", true, false, 0, 0},
        // of one that comes twice the last counts
        {JSON,
         "{\"usage\":{\"prompt_tokens\":1,\"prompt_tokens\":2,\"completion_tokens\":3},"
         "\"usage\":{\"prompt_tokens\":4}}",
         true, false, 4, 3},
    };
    READS(table);
}

static void streams_of_all_kinds(void **state) {
    (void)state;
    static const struct expected table[] = {
        // OpenAI chat completions with include_usage
        {EVENTS,
         "data: {\"choices\":[{\"delta\":{\"content\":\"usage\"}}],\"usage\":null}\n\n"
         "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n"
         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}"
         "\n\ndata: [DONE]\n\n",
         true, false, 5, 7},
        // vLLM with continuous_usage_stats
        {EVENTS,
         "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0}}\r\n\r\n"
         "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\r\n\r\n"
         "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\r\n\r\ndata: [DONE]\r\n\r\n",
         true, false, 5, 2},
        // OpenAI responses
        {EVENTS,
         "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null,"
         "\"usage\":null}}\n\n"
         "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}"
         "\n\n"
         "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"error\":null,"
         "\"usage\":{\"input_tokens\":11,\"output_tokens\":22,\"total_tokens\":33}}}\n\n",
         true, false, 11, 22},
        // Anthropic messages
        {EVENTS,
         "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{"
         "\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
         "event: ping\ndata: {\"type\": \"ping\"}\n\n"
         "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":"
         "\"text_delta\",\"text\":\"\\\"usage\\\"\"}}\n\n"
         "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
         "\"usage\":{\"output_tokens\":15}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
         true, false, 25, 15},
        // TGI /generate_stream
        {EVENTS,
         "data:{\"index\":1,\"token\":{\"text\":\"a\"},\"generated_text\":null,\"details\":null}\n\n"
         "data:{\"index\":2,\"token\":{\"text\":\"b\"},\"generated_text\":\"ab\",\"details\":{"
         "\"finish_reason\":\"length\",\"generated_tokens\":2,\"seed\":null,\"input_length\":9}}\n\n",
         true, false, 9, 2},
        // no usage at all
        {EVENTS "; charset=utf-8", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n", false, false, 0, 0},
        // lines that end with CR; data over lines; comments, other fields, an event without an end
        {EVENTS,
         ": usage\rid: 1\rretry: 5\rdata: {\"usage\":\rdata: {\"prompt_tokens\":3,\rdata:\"completion_tokens"
         "\":4}}\r\r: {\"error\":{}}\rdatum: {\"error\":{}}\rdata\r\rdata: {\"usage\":{\"prompt_tokens\":6}}",
         true, false, 6, 4},
        // a number does not go on in the next line
        {EVENTS, "data: {\"usage\":{\"prompt_tokens\":3\ndata: 4}}\n\n", false, false, 0, 0},
    };
    READS(table);
}

static void errors_in_streams(void **state) {
    (void)state;
    static const struct expected table[] = {
        {EVENTS, "data: {\"error\":{\"message\":\"boom\",\"code\":500}}\n\ndata: [DONE]\n\n", false, true, 0,
         0},
        {EVENTS, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
         false, true, 0, 0},
        {EVENTS, "event: error\ndata: {\"type\":\"error\",\"code\":\"x\",\"message\":\"y\"}\n\n", false, true,
         0, 0},
        {EVENTS, "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"x\"}}}\n\n", false,
         true, 0, 0},
        {EVENTS, "data: {\"error\":\"out of memory\",\"error_type\":\"generation\"}\n\n", false, true, 0, 0},
        // tokens were used all the same
        {EVENTS, "data: {\"usage\":{\"prompt_tokens\":1}}\n\ndata: {\"error\":{}}\n\n", true, true, 1, 0},
        // none of these
        {EVENTS, "data: {\"error\":null}\n\ndata: {\"error\":\"\"}\n\ndata: {\"error\":[]}\n\n", false, false,
         0, 0},
        {EVENTS, "data: {\"error\":\"x\"}\n\ndata: {\"error_type\":\"x\"}\n\n", false, false, 0, 0},
        {EVENTS, "data: {\"choices\":[{\"error\":{}}],\"delta\":{\"error\":{}}}\n\n", false, false, 0, 0},
        {EVENTS, "data: {\"message\":{\"error\":{}},\"text\":\"{\\\"error\\\":{}}\"}\n\n", false, false, 0,
         0},
        {EVENTS, "data: [{\"error\":{}}]\n\ndata: \"error\"\n\ndata: error\n\n", false, false, 0, 0},
        {EVENTS, "error: {\"error\":{}}\n\n", false, false, 0, 0},
        // an answer in one piece says so with its status
        {JSON, "{\"error\":{\"message\":\"boom\"},\"type\":\"error\"}", false, false, 0, 0},
    };
    READS(table);
}

static void what_must_not_count(void **state) {
    (void)state;
    static const struct expected table[] = {
        {JSON, "{\"text\":\"{\\\"usage\\\":{\\\"prompt_tokens\\\":1}}\"}", false, false, 0, 0},
        {JSON, "{\"a\":{\"usage\":{\"prompt_tokens\":1}},\"b\":[{\"usage\":{\"prompt_tokens\":1}}]}", false,
         false, 0, 0},
        {JSON,
         "{\"message\":{\"usage\":{\"prompt_tokens\":1}},\"response\":{\"usage\":{\"prompt_tokens\":1}}}",
         false, false, 0, 0},
        {JSON, "[{\"usage\":{\"prompt_tokens\":1}}]", false, false, 0, 0},
        {JSON, "\"usage\"", false, false, 0, 0},
        {JSON, "", false, false, 0, 0},
        {JSON, "{}", false, false, 0, 0},
        {JSON, "{\"usage\":{}}", false, false, 0, 0},
        {JSON, "{\"usage\":null,\"details\":7}", false, false, 0, 0},
        {JSON, "{\"usage\":[{\"prompt_tokens\":1}]}", false, false, 0, 0},
        {JSON, "{\"usage\":{\"nested\":{\"prompt_tokens\":1}}}", false, false, 0, 0},
        // no counts
        {JSON, "{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":\"5\"}}", false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":1.5,\"completion_tokens\":1e3}}", false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":99999999999999999999999999999999999999}}", false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":9223372036854775807}}", false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":1000000000001,\"completion_tokens\":1000000000000}}", true,
         false, 0, UINT64_C(1000000000000)},
        {JSON, "{\"usage\":{\"prompt_tokens\":5,\"total_tokens\":3}}", true, false, 5, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":true,\"completion_tokens\":{\"a\":1},\"total_tokens\":[1]}}",
         false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":18446744073709551621}}", false, false, 0, 0}, // 2^64 + 5
        {JSON, "{\"usage\":{\"completion_tokens\":5,\"total_tokens\":3}}", true, false, 0, 5},
        // keys that only look like it
        {JSON, "{\"us\\/age\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "{\"usage \":{\"prompt_tokens\":1},\"Usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "{\"u\\u0073age\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens_and_a_very_long_tail\":1,\"prompt_token\":2}}", false, false, 0,
         0},
        // cut off inside
        {JSON, "{\"usage\":{\"prompt_tokens\":12", false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":1", false, false, 0, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":12}", true, false, 12, 0},
        // garbage ends it; what was read stands
        {JSON, "{\"usage\":{\"prompt_tokens\":1}} {\"usage\":{\"prompt_tokens\":2}}", true, false, 1, 0},
        {JSON, "{\"usage\":{\"prompt_tokens\":1},,\"usage\":{\"prompt_tokens\":2}}", true, false, 1, 0},
        {JSON, "{\"a\":[{]},\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "{\"a\":[}],\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "{\"a\":@,\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "{a:1,\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "{\"a\" 1,\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "}{\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {JSON, "\xef\xbb\xbf{\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        // other types
        {"text/plain", "{\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {"", "{\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {"application/jsonl", "{\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
        {"application/x-ndjson", "{\"usage\":{\"prompt_tokens\":1}}", false, false, 0, 0},
    };
    READS(table);
}

static void nul_bytes(void **state) {
    (void)state;
    struct expected none = {.type = JSON, .text = "NUL between"};
    reads_bytes(&none, SLICE("{\0\"usage\":{\"prompt_tokens\":1}}"));
    none.text = "NUL in the key";
    reads_bytes(&none, SLICE("{\"usage\0\":{\"prompt_tokens\":1}}"));
    struct expected one = {.type = JSON, .text = "NUL in a string", .counted = true, .prompt = 1};
    reads_bytes(&one, SLICE("{\"a\":\"\0\0\",\"usage\":{\"prompt_tokens\":1}}"));
    one.type = EVENTS;
    one.text = "NUL in events";
    reads_bytes(&one, SLICE("data: \0{}\n\n\0\n\ndata: {\"usage\":{\"prompt_tokens\":1}}\n\n"));
}

// {"a":[[[…]]],"usage":…} with `depth` levels of both brackets.
static struct usage nested(unsigned depth) {
    struct usage usage = begin(JSON);
    usage_feed(&usage, SLICE("{\"a\":"));
    for (unsigned i = 0; i < depth; i++)
        usage_feed(&usage, i % 2 ? SLICE("{\"b\":") : SLICE("["));
    usage_feed(&usage, SLICE("0"));
    for (unsigned i = depth; i-- > 0;)
        usage_feed(&usage, i % 2 ? SLICE("}") : SLICE("]"));
    usage_feed(&usage, SLICE(",\"usage\":{\"prompt_tokens\":1}}"));
    return usage;
}

static void depth_is_bounded(void **state) {
    (void)state;
    assert_true(nested(0).counted);
    assert_true(nested(SKIM_DEPTH - 1).counted);
    assert_false(nested(SKIM_DEPTH).counted);
    assert_false(nested(100000).counted);
}

static void nothing_is_read_of_what_is_encoded(void **state) {
    (void)state;
    struct usage usage = {0};
    usage_start(&usage, SLICE(JSON), SLICE("br"));
    usage_feed(&usage, SLICE("{\"usage\":{\"prompt_tokens\":1}}"));
    assert_int_equal(usage.source, USAGE_NONE);
    assert_false(usage.counted);
    usage_start(&usage, SLICE(JSON), SLICE("Identity"));
    usage_feed(&usage, SLICE("{\"usage\":{\"prompt_tokens\":1}}"));
    assert_true(usage.counted);
}

// Long strings, with what ends them near every place of the eight bytes that are looked at together.
static void strings_of_all_lengths(void **state) {
    (void)state;
    static const char *const ends[] = {"", "\\\\", "\\\"", "\\u0041", "[", "}", "\\\"}", "\xc3\xa4"};
    char text[640], filler[64];
    for (size_t len = 0; len < 40; len++) {
        memset(filler, 'x', len);
        filler[len] = '\0';
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
            snprintf(text, sizeof text,
                     "{\"%s\":\"%s%s\",\"n\":[\"%s%s\",{\"k%s\":%zu}],\"usage\":{\"prompt_tokens\":%zu}}",
                     filler, filler, ends[i], ends[i], filler, filler, len, len);
            reads_bytes(&(struct expected){JSON, text, true, false, len, 0}, slice_of(text));
            snprintf(text, sizeof text,
                     "data: {\"%s\":\"%s%s\"}\n\ndata: {\"%s\":0,\"usage\":{\"prompt_tokens\":%zu}}\n\n",
                     filler, filler, ends[i], filler, len);
            reads_bytes(&(struct expected){EVENTS, text, true, false, len, 0}, slice_of(text));
        }
    }
}

// Whatever comes, pieces and whole agree, and nothing is read past the end.
static void any_bytes_of_any_cut(void **state) {
    (void)state;
    static const char *const parts[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        "\"",
                                        ":",
                                        ",",
                                        "\\",
                                        "\n",
                                        "\r",
                                        "data:",
                                        " ",
                                        "12",
                                        "-1",
                                        "null",
                                        "\"usage\"",
                                        "\"error\"",
                                        "{\"usage\":{\"prompt_tokens\":",
                                        "}}\n\n",
                                        "x",
                                        "\"error\":{}",
                                        "{\"error\":null}",
                                        "{\"usage\":null}",
                                        "\0"};
    uint64_t random = 1;
    for (int round = 0; round < 20000; round++) {
        char text[200];
        size_t len = 0;
        while (len < 150) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            const char *part = parts[(random >> 33) % (sizeof parts / sizeof *parts)];
            size_t size = *part ? strlen(part) : 1;
            memcpy(text + len, part, size);
            len += size;
            if ((random >> 20) % 40 == 0)
                break;
        }
        struct usage whole = begin(round % 2 ? JSON : EVENTS), cut = begin(round % 2 ? JSON : EVENTS);
        feed(&whole, text, len);
        for (size_t at = 0, size; at < len; at += size) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            size = 1 + (random >> 33) % 12;
            size = size < len - at ? size : len - at;
            feed(&cut, text + at, size);
        }
        assert_int_equal(whole.counted, cut.counted);
        assert_int_equal(whole.failed, cut.failed);
        assert_int_equal(whole.prompt, cut.prompt);
        assert_int_equal(whole.completion, cut.completion);
    }
}

int test_usage(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_all_kinds),
        cmocka_unit_test(streams_of_all_kinds),
        cmocka_unit_test(errors_in_streams),
        cmocka_unit_test(what_must_not_count),
        cmocka_unit_test(nul_bytes),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(nothing_is_read_of_what_is_encoded),
        cmocka_unit_test(strings_of_all_lengths),
        cmocka_unit_test(any_bytes_of_any_cut),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
