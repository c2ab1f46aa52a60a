// docs/configuration.md, config/sluice.schema.json and docs/man/sluice.yaml.5 are what the schema says;
// UPDATE_DOCS=1 rewrites them.
#include "load.h"
#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static void is_up_to_date(const char *name, void (*write)(struct strbuf *out)) {
    struct strbuf text = {0}, page = {0}, path = {0};
    strbuf_format(&path, "%s/%s", SOURCE_ROOT, name);
    write(&text);
    if (getenv("UPDATE_DOCS")) {
        FILE *file = fopen(strbuf_text(&path), "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
        fclose(file);
    }
    read_text_file(strbuf_text(&path), &page);
    if (!slice_equal(strbuf_as_slice(&text), strbuf_as_slice(&page)))
        fail_msg("%s is not what the schema says: run with UPDATE_DOCS=1", name);
    strbuf_free(&text);
    strbuf_free(&page);
    strbuf_free(&path);
}

static void the_page_is_up_to_date(void **state) {
    (void)state;
    is_up_to_date("docs/configuration.md", config_reference);
}

static void the_json_schema_is_up_to_date(void **state) {
    (void)state;
    is_up_to_date("config/sluice.schema.json", config_json_schema);
}

static void the_manual_page_is_up_to_date(void **state) {
    (void)state;
    is_up_to_date("docs/man/sluice.yaml.5", config_manual);
}

// The anchor that a heading gets where Markdown is shown.
static void write_anchor(struct slice heading, struct strbuf *out) {
    for (size_t i = 0; i < heading.len; i++) {
        char c = heading.at[i];
        if (isalnum((unsigned char)c) || c == '_' || c == '-')
            strbuf_char(out, (char)tolower((unsigned char)c));
    }
}

static bool has_heading(struct slice page, struct slice anchor) {
    struct strbuf own = {0};
    bool found = false;
    while (page.at && !found) {
        struct slice line = slice_cut(&page, '\n');
        if (!slice_starts(line, SLICE("## ")))
            continue;
        strbuf_clear(&own);
        write_anchor(slice_from(line, 3), &own);
        found = slice_equal(strbuf_as_slice(&own), anchor);
    }
    strbuf_free(&own);
    return found;
}

static void every_link_leads_to_a_heading(void **state) {
    (void)state;
    struct strbuf text = {0};
    size_t links = 0;
    config_reference(&text);
    for (const char *at = strbuf_text(&text); (at = strstr(at, "](#")); links++) {
        at += 3;
        struct slice anchor = slice_make(at, strcspn(at, ")"));
        if (!has_heading(strbuf_as_slice(&text), anchor))
            fail_msg("no heading for #%.*s", (int)anchor.len, anchor.at);
    }
    assert_true(links > 20);
    strbuf_free(&text);
}

// A table's row has five bars that are not escaped.
static void rows_have_four_cells(void **state) {
    (void)state;
    struct strbuf text = {0};
    config_reference(&text);
    struct slice rest = strbuf_as_slice(&text);
    while (rest.at) {
        struct slice line = slice_cut(&rest, '\n');
        size_t bars = 0;
        for (size_t i = 0; i < line.len; i++)
            bars += line.at[i] == '|' && (i == 0 || line.at[i - 1] != '\\');
        if (line.len && line.at[0] == '|')
            assert_int_equal(bars, 5);
    }
    strbuf_free(&text);
}

int test_reference(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_up_to_date),        cmocka_unit_test(the_json_schema_is_up_to_date),
        cmocka_unit_test(the_manual_page_is_up_to_date), cmocka_unit_test(every_link_leads_to_a_heading),
        cmocka_unit_test(rows_have_four_cells),
    };
    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
