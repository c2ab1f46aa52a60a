#include "../../../src/app/demo/completion.h"
#include "../../../src/app/demo/question.h"
#include "unit.h"

#include <string.h>

static struct model model = {.name = "server", .id = "demo", .tokens = 24};

static struct question *ask(bool chat, const char *body, const char **why) {
    json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    struct question *question = question_read(&model, chat, json, why);
    json_decref(json);
    return question;
}

static void tokens_are_words(void **state) {
    (void)state;
    assert_int_equal(question_count(""), 0);
    assert_int_equal(question_count("  one "), 1);
    assert_int_equal(question_count("one\ttwo\n three"), 3);
}

static void all_texts_of_a_prompt_count(void **state) {
    const char *why;
    struct question *question =
        ask(true,
            "{\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\","
            "\"content\":[{\"type\":\"text\",\"text\":\"what is that\"},{\"type\":\"image\"}]}]}",
            &why);
    (void)state;
    assert_non_null(question);
    assert_int_equal(question->prompt_tokens, 5);
    assert_string_equal(question->model, "demo");
    assert_false(question->stream);
    question_free(question);
}

static void limits_cut_the_answer(void **state) {
    static const struct {
        const char *body;
        unsigned tokens;
        bool cut;
    } cases[] = {{"{\"prompt\":\"x\"}", 24, false},
                 {"{\"prompt\":\"x\",\"max_tokens\":2}", 2, true},
                 {"{\"prompt\":\"x\",\"max_tokens\":null}", 24, false},
                 {"{\"prompt\":[\"x\",\"y z\"],\"max_tokens\":24}", 24, false},
                 {"{\"prompt\":\"x\",\"max_tokens\":4,\"max_completion_tokens\":null}", 4, true},
                 {"{\"prompt\":\"x\",\"n\":null}", 24, false},
                 {"{\"prompt\":\"x\",\"n\":1}", 24, false},
                 {"{\"prompt\":\"x\",\"max_tokens\":9,\"max_completion_tokens\":3}", 3, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why;
        struct question *question = ask(false, cases[i].body, &why);
        assert_non_null(question);
        assert_int_equal(question->tokens, cases[i].tokens);
        assert_int_equal(question->cut, cases[i].cut);
        question_free(question);
    }
}

static void mistakes_are_named(void **state) {
    static const struct {
        const char *body, *word;
    } cases[] = {{"[]", "object"},
                 {"{}", "messages"},
                 {"{\"messages\":[]}", "messages"},
                 {"{\"messages\":\"hi\"}", "messages"},
                 {"{\"messages\":[{\"content\":\"hi\"}]}", "role"},
                 {"{\"messages\":[\"hi\"]}", "role"},
                 {"{\"messages\":[{\"role\":\"user\"}],\"model\":1}", "model"},
                 {"{\"messages\":[{\"role\":\"user\"}],\"n\":2}", "n"},
                 {"{\"messages\":[{\"role\":\"user\"}],\"max_tokens\":0}", "max_tokens"},
                 {"{\"messages\":[{\"role\":\"user\"}],\"max_tokens\":\"many\"}", "max_tokens"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = "";
        assert_null(ask(true, cases[i].body, &why));
        assert_non_null(strstr(why, cases[i].word));
    }
}

// Of a plain completion.
static void a_prompt_is_text_or_texts(void **state) {
    static const struct {
        const char *body;
        unsigned tokens; // 0: refused
    } cases[] = {{"{\"prompt\":\"one two\"}", 2},
                 {"{\"prompt\":[\"one\",\"two three\"]}", 3},
                 {"{\"prompt\":[{\"text\":\"a b\"},7,\"c\"]}", 3},
                 {"{\"prompt\":7}", 0},
                 {"{\"prompt\":null}", 0},
                 {"{}", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = "";
        struct question *question = ask(false, cases[i].body, &why);
        assert_int_equal(question != NULL, cases[i].tokens > 0);
        if (question)
            assert_int_equal(question->prompt_tokens, cases[i].tokens);
        else
            assert_non_null(strstr(why, "'prompt'"));
        if (question)
            question_free(question);
    }
}

// Past its words it begins anew, as a sentence does.
static void the_words_go_round(void **state) {
    (void)state;
    assert_string_equal(question_token(0), "A");
    unsigned round = 1;
    while (strcmp(question_token(round), " A") != 0)
        round++;
    assert_string_equal(question_token(round - 1), " cup.");
    assert_string_equal(question_token(round + 1), question_token(1));
    assert_string_equal(question_token(7 * round), " A");
}

static void the_answer_counts_and_joins_its_tokens(void **state) {
    const char *why;
    struct strbuf whole = {0};
    struct question *question =
        ask(true, "{\"model\":\"m\\\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}", &why);
    (void)state;
    completion_whole(question, "server", &whole);
    json_t *json = json_loadb(whole.at, whole.len, 0, NULL), *choice, *usage;
    assert_non_null(json);
    choice = json_array_get(json_object_get(json, "choices"), 0);
    usage = json_object_get(json, "usage");
    const char *text = json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
    assert_int_equal(question_count(text), 24);
    assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), "stop");
    assert_string_equal(json_string_value(json_object_get(json, "model")), "m\"x");
    assert_int_equal(json_integer_value(json_object_get(usage, "prompt_tokens")), 2);
    assert_int_equal(json_integer_value(json_object_get(usage, "total_tokens")), 26);
    json_decref(json);
    strbuf_free(&whole);
    question_free(question);
}

int test_question(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_words),
        cmocka_unit_test(all_texts_of_a_prompt_count),
        cmocka_unit_test(limits_cut_the_answer),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_prompt_is_text_or_texts),
        cmocka_unit_test(the_words_go_round),
        cmocka_unit_test(the_answer_counts_and_joins_its_tokens),
    };
    return cmocka_run_group_tests_name("question", tests, NULL, NULL);
}
