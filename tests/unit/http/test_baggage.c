#include "http/baggage.h"
#include "message.h"
#include "unit.h"

#include <stdio.h>

static struct head head;
static char bytes[32768];

// A request with these lines as `baggage` fields, one for each line of `values`.
static void open_request(const char *values) {
    size_t len = (size_t)snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (struct slice rest = slice_of(values); rest.at;) {
        struct slice line = slice_cut(&rest, '\n');
        len += (size_t)snprintf(bytes + len, sizeof bytes - len, "%s: %.*s\r\n",
                                len % 2 ? "baggage" : "Baggage", (int)line.len, line.at);
    }
    len += (size_t)snprintf(bytes + len, sizeof bytes - len, "Accept: x\r\n\r\n");
    assert_true(len < sizeof bytes);
    struct head_limits unlimited = {SIZE_MAX, SIZE_MAX};
    enum reject reject;
    assert_int_equal(head_read_request(slice_make(bytes, len), &unlimited, &head, &reject), HEAD_COMPLETE);
}

static struct baggage_arm find(const char *values) {
    open_request(values);
    return baggage_find(&head, SLICE("sluice.chat"));
}

static void finds_the_arm(void **state) {
    (void)state;
    static const struct {
        const char *values, *variant;
        bool by_override;
    } cases[] = {
        {"sluice.chat=canary", "canary", false},
        {"a=1,sluice.chat=canary,b=2", "canary", false},
        {"a=1 \t,\t sluice.chat \t= canary \t, b=2", "canary", false},
        {"a=1\nsluice.chat=canary\nb=2", "canary", false},
        {"sluice.chat=canary;override", "canary", true},
        {"sluice.chat=canary ; k=v ;\toverride ; x", "canary", true},
        {"sluice.chat=canary;override=1", "canary", true},
        {"sluice.chat=canary;k=override", "canary", false},
        {"sluice.chat=canary;Override", "canary", false},
        {"sluice.chat=canary;overrides;over", "canary", false},
        {"sluice.chat=stable;override,sluice.chat=canary", "canary", false}, // the last counts
        {"sluice.chat=stable\nsluice.chat=canary;override", "canary", true},
        {"sluice%2Echat=%63anary", "canary", false},
        {"%73%6c%75%69%63%65.chat=canary", "canary", false},
        {",,sluice.chat=canary,,", "canary", false},
        {"a=\",sluice.chat=canary", "canary", false}, // quotes mean nothing in baggage
        {"a=1;sluice.chat=canary,sluice.chat=b", "b", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct baggage_arm arm = find(cases[i].values);
        if (!baggage_says(arm.variant, slice_of(cases[i].variant)) || arm.by_override != cases[i].by_override)
            fail_msg("%s: %.*s", cases[i].values, (int)arm.variant.len, arm.variant.at);
    }
}

static void finds_nothing_in_what_is_not_ours(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        ",",
        "=",
        ";",
        "a",
        "a=1",
        "sluice.chat",
        "sluice.chat;override",
        "sluice.chat=",
        "sluice.chat=;override",
        "sluice.chats=canary",
        "sluice.cha=canary",
        "Sluice.chat=canary",
        "sluice.CHAT=canary",
        "sluicexchat=canary",
        "a;sluice.chat=canary",
        "a=1;sluice.chat=canary",
        "sluice.chat=canar",
        "sluice.chat=canary2",
        "sluice.chat=%63anar%7",
        "sluice.chat=canary%",
        "sluice.chat=canary%zz",
        "sluice.chat=%63%61%6e%61%72%79%00",
        "sluice.chat=\"canary\"",
        "sluice.chat==canary",
        "=sluice.chat=canary",
        "sluice .chat=canary",
        "sluice%2.chat=canary",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (baggage_says(find(cases[i]).variant, SLICE("canary")))
            fail_msg("%s", cases[i]);
}

// What the upstream is told: the field's value, or "-" when there is no field.
static const char *write(const char *values, bool strip, const char *key, const char *variant,
                         bool by_override) {
    static char text[32768];
    struct strbuf out = {0};
    struct baggage_arm arm = {slice_of(variant), by_override};
    if (values)
        open_request(values);
    baggage_write(&head, strip, slice_of(key), &arm, &out);
    for (size_t i = 0; i < head.field_count; i++)
        assert_int_equal(head.fields[i].drop, head.fields[i].id == FIELD_BAGGAGE);
    if (out.len) {
        assert_true(slice_starts(strbuf_as_slice(&out), SLICE("baggage: ")));
        assert_memory_equal(out.at + out.len - 2, "\r\n", 2);
        snprintf(text, sizeof text, "%.*s", (int)out.len - 11, out.at + 9);
    } else {
        snprintf(text, sizeof text, "-");
    }
    strbuf_free(&out);
    return text;
}

static void sets_ours_and_keeps_the_others_as_they_are(void **state) {
    (void)state;
    static const struct {
        const char *values, *trusted, *untrusted; // what becomes of them, by who sent them
    } cases[] = {
        {"", "sluice.chat=b", "sluice.chat=b"},
        {"a=1", "a=1,sluice.chat=b", "a=1,sluice.chat=b"},
        {"a = %20;p = 1;q , b=2", "a = %20;p = 1;q , b=2,sluice.chat=b",
         "a = %20;p = 1;q , b=2,sluice.chat=b"},
        {"a=1\nb=2\na=3", "a=1,b=2,a=3,sluice.chat=b", "a=1,b=2,a=3,sluice.chat=b"},
        {"sluice.chat=a", "sluice.chat=b", "sluice.chat=b"},
        {"x=1, sluice.chat=a;override;k=v, y=2", "x=1,sluice.chat=b, y=2", "x=1,sluice.chat=b, y=2"},
        {"sluice.chat=a,y=2,sluice.chat=c", "sluice.chat=b,y=2", "sluice.chat=b,y=2"},
        {"sluice.other=a,y=2", "sluice.other=a,y=2,sluice.chat=b", "y=2,sluice.chat=b"},
        {"x=1, sluice.other=a\ny=2,%73luice.third=c",
         "x=1, sluice.other=a,y=2,%73luice.third=c,sluice.chat=b", "x=1,y=2,sluice.chat=b"},
        {"sluice.,sluice.x;p,sluice=1,Sluice.x=1", "sluice.,sluice.x;p,sluice=1,Sluice.x=1,sluice.chat=b",
         "sluice=1,Sluice.x=1,sluice.chat=b"},
        {"gar bage,=,;,\"q\", \x80\xff", "gar bage,=,;,\"q\", \x80\xff,sluice.chat=b",
         "gar bage,=,;,\"q\", \x80\xff,sluice.chat=b"},
        {",, a=1,,", "a=1,sluice.chat=b", "a=1,sluice.chat=b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(write(cases[i].values, false, "sluice.chat", "b", false), cases[i].trusted);
        assert_string_equal(write(cases[i].values, true, "sluice.chat", "b", false), cases[i].untrusted);
    }
    assert_string_equal(write("a=1", false, "sluice.chat", "b", true), "a=1,sluice.chat=b;override");
    // What we write is what we read.
    open_request(write("a=1", false, "sluice.chat", "b", true));
    struct baggage_arm arm = baggage_find(&head, SLICE("sluice.chat"));
    assert_true(baggage_says(arm.variant, SLICE("b")) && arm.by_override);
}

static void takes_ours_away_without_setting_one(void **state) {
    (void)state;
    assert_string_equal(write("a=1,sluice.chat=a , sluice.x=1;p,b=2", true, NULL, NULL, false), "a=1,b=2");
    assert_string_equal(write("sluice.chat=a\nsluice.x=1", true, NULL, NULL, false), "-");
    open_request("a=1,sluice.chat=a");
    assert_true(baggage_has_ours(&head));
    head.fields[1].drop = true; // the variant's edits, or Connection, have taken it away
    assert_false(baggage_has_ours(&head));
    assert_string_equal(write(NULL, true, "sluice.chat", "b", false), "sluice.chat=b");
    static const char *const others[] = {"",           "a=1",   "sluice=1", "Sluice.x=1", "xsluice.y=1",
                                         "a=sluice.x", "sluice"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        open_request(others[i]);
        assert_false(baggage_has_ours(&head));
    }
}

// `count` members "kN=", one of them padded so that all are `size` bytes with their commas.
static const char *many(unsigned count, size_t size) {
    static char text[16384];
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%sk%u=", i ? "," : "", i);
    while (len < size)
        text[len++] = 'x';
    text[len] = '\0';
    return text;
}

static void sets_nothing_past_the_limits(void **state) {
    (void)state;
    char wanted[16384 + 32];
    size_t ours = strlen(",sluice.chat=b");
    snprintf(wanted, sizeof wanted, "%s,sluice.chat=b", many(63, 0));
    assert_string_equal(write(many(63, 0), false, "sluice.chat", "b", false), wanted); // the 64th
    snprintf(wanted, sizeof wanted, "%s", many(64, 0));
    assert_string_equal(write(many(64, 0), false, "sluice.chat", "b", false),
                        wanted); // the others go on whole
    snprintf(wanted, sizeof wanted, "%s,sluice.chat=b", many(2, BAGGAGE_BYTES - ours));
    assert_int_equal(strlen(wanted), BAGGAGE_BYTES);
    assert_string_equal(write(many(2, BAGGAGE_BYTES - ours), false, "sluice.chat", "b", false), wanted);
    snprintf(wanted, sizeof wanted, "%s", many(2, BAGGAGE_BYTES - ours + 1));
    assert_string_equal(write(wanted, false, "sluice.chat", "b", false), many(2, BAGGAGE_BYTES - ours + 1));
    // Another arm of ours goes even when the right one has no room.
    char full[16384 + 32];
    snprintf(full, sizeof full, "%s,sluice.chat=a", many(70, 0));
    snprintf(wanted, sizeof wanted, "%s", many(70, 0));
    assert_string_equal(write(full, false, "sluice.chat", "b", false), wanted);
    // In the place of another there is room.
    snprintf(full, sizeof full, "%s,sluice.chat=a", many(63, 0));
    snprintf(wanted, sizeof wanted, "%s,sluice.chat=b", many(63, 0));
    assert_string_equal(write(full, false, "sluice.chat", "b", false), wanted);
}

// Whatever comes: what is written is read again as what was set, the others are there in their order, and of
// ours nothing else is left from a peer that is not trusted.
static void random_lists_stay_what_they_are(void **state) {
    (void)state;
    static const char *const pieces[] = {"a=1",
                                         " b = 2 ;p",
                                         "sluice.chat=c",
                                         "sluice.chat=c;override",
                                         "sluice.x",
                                         "%73luice.chat=%63",
                                         "",
                                         "\t",
                                         "k=%2C%3D",
                                         "=;=,",
                                         "\"",
                                         "sluice.=,sluice.chat=z"};
    uint64_t seed = 42;
    for (int round = 0; round < 3000; round++) {
        char values[1024] = "";
        for (unsigned i = 0; i < seed % 7; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const char *piece = pieces[(seed >> 33) % (sizeof pieces / sizeof *pieces)];
            strcat(strcat(values, piece), seed >> 40 & 3 ? "," : "\n");
        }
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bool by_override = seed >> 35 & 1, strip = seed >> 36 & 1;
        char once[32768];
        snprintf(once, sizeof once, "%s", write(values, strip, "sluice.chat", "b", by_override));
        struct baggage_arm arm = find(once);
        assert_true(baggage_says(arm.variant, SLICE("b")));
        assert_int_equal(arm.by_override, by_override);
        assert_string_equal(write(once, false, "sluice.chat", "b", by_override),
                            once); // a second hop changes nothing
        char none[32768];
        snprintf(none, sizeof none, "%s", write(once, true, NULL, NULL, false));
        open_request(none);
        assert_false(baggage_has_ours(&head));
    }
}

int test_baggage(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_arm),
        cmocka_unit_test(finds_nothing_in_what_is_not_ours),
        cmocka_unit_test(sets_ours_and_keeps_the_others_as_they_are),
        cmocka_unit_test(takes_ours_away_without_setting_one),
        cmocka_unit_test(sets_nothing_past_the_limits),
        cmocka_unit_test(random_lists_stay_what_they_are),
    };
    return cmocka_run_group_tests_name("baggage", tests, NULL, NULL);
}
