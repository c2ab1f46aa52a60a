#include "metrics/exposition.h"

#include "family.h"
#include "sample.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// ---- which format

// The weight of a media range in an Accept field, in thousandths (RFC 9110 12.4.2).
static unsigned weight_of(struct slice parameters) {
    while (parameters.at) {
        struct slice value = slice_trim(slice_cut(&parameters, ';')), name = slice_cut(&value, '=');
        if (!slice_equal_fold(name, SLICE("q")) || !value.at || !value.len)
            continue;
        unsigned weight = value.at[0] == '1' ? 1000 : 0, unit = 100;
        for (size_t i = 2; i < value.len && value.at[i] >= '0' && value.at[i] <= '9'; i++, unit /= 10)
            weight += unit * (unsigned)(value.at[i] - '0');
        return weight < 1000 ? weight : 1000;
    }
    return 1000;
}

bool exposition_wants_openmetrics(const char *accept) {
    unsigned openmetrics = 0, text = 0;
    for (struct slice rest = slice_of(accept); rest.at;) {
        struct slice range = slice_cut(&rest, ','), type = slice_trim(slice_cut(&range, ';'));
        unsigned weight = weight_of(range);
        if (slice_equal_fold(type, SLICE("application/openmetrics-text")))
            openmetrics = weight > openmetrics ? weight : openmetrics;
        else if (slice_equal_fold(type, SLICE("text/plain")))
            text = weight > text ? weight : text;
    }
    return openmetrics && openmetrics >= text;
}

const char *exposition_content_type(const struct exposition *out) {
    return out->openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                            : "text/plain; version=0.0.4; charset=utf-8";
}

void exposition_end(struct exposition *out) {
    if (out->openmetrics)
        strbuf_literal(&out->text, "# EOF\n");
}

// ---- families and samples

// OpenMetrics names a counter's family without the _total that its sample has.
static struct slice name_of(const struct exposition *out, const struct family_info *info) {
    static const size_t ending = sizeof "_total" - 1;
    struct slice name = slice_of(info->name);
    if (out->openmetrics && info->type == FAMILY_COUNTER)
        name.len -= ending;
    return name;
}

void exposition_family(struct exposition *out, enum family family) {
    const struct family_info *info = family_info(family);
    struct slice name = name_of(out, info);
    strbuf_literal(&out->text, "# HELP ");
    strbuf_slice(&out->text, name);
    strbuf_char(&out->text, ' ');
    strbuf_string(&out->text, info->help);
    strbuf_literal(&out->text, "\n# TYPE ");
    strbuf_slice(&out->text, name);
    strbuf_char(&out->text, ' ');
    strbuf_string(&out->text, family_type_name(info->type));
    strbuf_char(&out->text, '\n');
}

static void write_escaped(struct exposition *out, const char *value) {
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            strbuf_char(&out->text, '\\');
        if (*value == '\n')
            strbuf_literal(&out->text, "\\n");
        else
            strbuf_char(&out->text, *value);
    }
}

void sample_name(struct exposition *out, enum family family, const char *suffix, const struct label *labels,
                 size_t label_count) {
    strbuf_string(&out->text, family_info(family)->name);
    strbuf_string(&out->text, suffix);
    for (size_t i = 0; i < label_count; i++) {
        strbuf_char(&out->text, i ? ',' : '{');
        strbuf_string(&out->text, labels[i].name);
        strbuf_literal(&out->text, "=\"");
        write_escaped(out, labels[i].value);
        strbuf_char(&out->text, '"');
    }
    if (label_count)
        strbuf_char(&out->text, '}');
    strbuf_char(&out->text, ' ');
}

void exposition_u64(struct exposition *out, enum family family, const struct label *labels,
                    size_t label_count, uint64_t value) {
    sample_name(out, family, "", labels, label_count);
    strbuf_u64(&out->text, value);
    strbuf_char(&out->text, '\n');
}

// The shortest of 15 to 17 digits that reads back as the same number.
static void write_double(struct exposition *out, double value) {
    if (isnan(value)) {
        strbuf_literal(&out->text, "NaN");
        return;
    }
    if (isinf(value)) {
        strbuf_string(&out->text, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    char text[40] = "";
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    strbuf_string(&out->text, text);
}

void exposition_double(struct exposition *out, enum family family, const struct label *labels,
                       size_t label_count, double value) {
    sample_name(out, family, "", labels, label_count);
    write_double(out, value);
    strbuf_char(&out->text, '\n');
}

void exposition_summary(struct exposition *out, enum family family, const struct label *labels,
                        size_t label_count, double sum, uint64_t count) {
    sample_name(out, family, "_sum", labels, label_count);
    write_double(out, sum);
    strbuf_char(&out->text, '\n');
    sample_name(out, family, "_count", labels, label_count);
    strbuf_u64(&out->text, count);
    strbuf_char(&out->text, '\n');
}
