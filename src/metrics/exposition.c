#include "metrics/exposition.h"

#include "family.h"
#include "sample.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void exposition_family(struct strbuf *out, enum family family) {
    const struct family_info *info = family_info(family);
    strbuf_literal(out, "# HELP ");
    strbuf_string(out, info->name);
    strbuf_char(out, ' ');
    strbuf_string(out, info->help);
    strbuf_literal(out, "\n# TYPE ");
    strbuf_string(out, info->name);
    strbuf_char(out, ' ');
    strbuf_string(out, family_type_name(info->type));
    strbuf_char(out, '\n');
}

static void write_escaped(struct strbuf *out, const char *value) {
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            strbuf_char(out, '\\');
        if (*value == '\n')
            strbuf_literal(out, "\\n");
        else
            strbuf_char(out, *value);
    }
}

void sample_name(struct strbuf *out, enum family family, const char *suffix, const struct label *labels,
                 size_t label_count) {
    strbuf_string(out, family_info(family)->name);
    strbuf_string(out, suffix);
    for (size_t i = 0; i < label_count; i++) {
        strbuf_char(out, i ? ',' : '{');
        strbuf_string(out, labels[i].name);
        strbuf_literal(out, "=\"");
        write_escaped(out, labels[i].value);
        strbuf_char(out, '"');
    }
    if (label_count)
        strbuf_char(out, '}');
    strbuf_char(out, ' ');
}

void exposition_u64(struct strbuf *out, enum family family, const struct label *labels, size_t label_count,
                    uint64_t value) {
    sample_name(out, family, "", labels, label_count);
    strbuf_u64(out, value);
    strbuf_char(out, '\n');
}

// The shortest of 15 to 17 digits that reads back as the same number.
static void write_double(struct strbuf *out, double value) {
    if (isnan(value)) {
        strbuf_literal(out, "NaN");
        return;
    }
    if (isinf(value)) {
        strbuf_string(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    char text[40] = "";
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    strbuf_string(out, text);
}

void exposition_double(struct strbuf *out, enum family family, const struct label *labels, size_t label_count,
                       double value) {
    sample_name(out, family, "", labels, label_count);
    write_double(out, value);
    strbuf_char(out, '\n');
}

void exposition_summary(struct strbuf *out, enum family family, const struct label *labels,
                        size_t label_count, double sum, uint64_t count) {
    sample_name(out, family, "_sum", labels, label_count);
    write_double(out, sum);
    strbuf_char(out, '\n');
    sample_name(out, family, "_count", labels, label_count);
    strbuf_u64(out, count);
    strbuf_char(out, '\n');
}
