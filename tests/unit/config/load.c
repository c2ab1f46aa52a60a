#include "load.h"
#include "unit.h"

#include <stdio.h>

void diagnostics_write(const struct diagnostics *diagnostics, const char *name, struct strbuf *out) {
    struct strbuf line = {0};
    for (size_t i = 0; i < diagnostics->count; i++) {
        strbuf_clear(&line);
        diagnostic_write(&diagnostics->items[i], name, &line);
        const char *text = strbuf_text(&line), *folder;
        while ((folder = strstr(text, TEST_DATA "/bad-config/"))) {
            strbuf_append(out, text, (size_t)(folder - text));
            strbuf_string(out, "DIR/");
            text = folder + strlen(TEST_DATA "/bad-config/");
        }
        strbuf_format(out, "%s\n", text);
    }
    strbuf_free(&line);
}

static struct config *loaded(struct config *config, struct diagnostics *diagnostics) {
    struct strbuf said = {0};
    diagnostics_write(diagnostics, "", &said);
    assert_string_equal(strbuf_text(&said), "");
    assert_non_null(config);
    strbuf_free(&said);
    diagnostics_free(diagnostics);
    return config;
}

struct config *load_text(const char *text) {
    struct diagnostics diagnostics;
    return loaded(config_parse(TEST_DATA "/config/test.yaml", slice_of(text), &diagnostics), &diagnostics);
}

struct config *load_file(const char *path) {
    struct diagnostics diagnostics;
    return loaded(config_load(path, &diagnostics), &diagnostics);
}

void refuse_text(const char *text, const char *expected) {
    struct diagnostics diagnostics;
    struct strbuf said = {0};
    assert_null(config_parse(TEST_DATA "/config/test.yaml", slice_of(text), &diagnostics));
    diagnostics_write(&diagnostics, "", &said);
    assert_string_equal(strbuf_text(&said), expected);
    strbuf_free(&said);
    diagnostics_free(&diagnostics);
}

void read_text_file(const char *path, struct strbuf *out) {
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    size_t n;
    while ((n = fread(strbuf_reserve(out, 65536), 1, 65536, file)) > 0)
        out->len += n;
    assert_int_equal(ferror(file), 0);
    fclose(file);
}
