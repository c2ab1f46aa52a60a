// `sluice report`: what each variant measured, who is better, and how much longer.
#include "report.h"

#include "app/client.h"
#include "app/commands.h"
#include "app/paint.h"
#include "guard_text.h"
#include "member.h"
#include "words.h"

static void write_metric(struct strbuf *out, const json_t *metric) {
    const char *unit = member_text(metric, "unit");
    strbuf_format(out, "    %-20s ", member_text(metric, "name"));
    words_value(out, metric, "estimate", unit);
    if (member_given(metric, "low") && member_given(metric, "high")) {
        strbuf_literal(out, "  (");
        words_value(out, metric, "low", unit);
        strbuf_literal(out, " to ");
        words_value(out, metric, "high", unit);
        strbuf_char(out, ')');
    }
    strbuf_literal(out, "  of ");
    words_count(out, member_number(metric, "count"));
    strbuf_char(out, '\n');
}

static void write_variant(struct strbuf *out, const json_t *variant) {
    const json_t *metrics = json_object_get(variant, "metrics");
    strbuf_format(out, "  %s%s%s", paint(PAINT_BOLD), member_text(variant, "name"), paint(PAINT_PLAIN));
    if (member_given(variant, "version"))
        strbuf_format(out, " %s", member_text(variant, "version"));
    strbuf_literal(out, " at ");
    words_percent(out, member_number(variant, "weight"));
    strbuf_literal(out, ": ");
    words_count(out, member_number(variant, "requests"));
    strbuf_literal(out, " requests\n");
    for (size_t i = 0; i < json_array_size(metrics); i++)
        write_metric(out, json_array_get(metrics, i));
}

// The unit in which a metric is reported.
static const char *unit_of(const json_t *report, const char *name) {
    const json_t *variants = json_object_get(report, "variants");
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *metrics = json_object_get(json_array_get(variants, i), "metrics");
        for (size_t k = 0; k < json_array_size(metrics); k++)
            if (member_is(json_array_get(metrics, k), "name", name))
                return member_text(json_array_get(metrics, k), "unit");
    }
    return "score";
}

// "quality: canary is better than stable by 0.03 (0.01 to 0.05); e-value 34 of the 40 that suffice"
static void write_winning(struct strbuf *out, const json_t *comparison, const json_t *report) {
    const char *metric = member_text(comparison, "metric"), *unit = unit_of(report, metric);
    struct strbuf interval = {0};
    if (member_given(comparison, "unit")) // a goal need not be among the variants' metrics
        unit = member_text(comparison, "unit");
    strbuf_format(out, "  %s: %s better than %s by ", metric, member_text(comparison, "better"),
                  member_text(comparison, "than"));
    words_difference(out, comparison, "difference", unit);
    if (words_interval(&interval, comparison, unit))
        strbuf_format(out, " (%s)", strbuf_text(&interval));
    if (member_given(comparison, "log10_e")) {
        strbuf_literal(out, "; e-value ");
        words_e_value(out, member_number(comparison, "log10_e"));
    }
    if (member_given(comparison, "needed_log10_e")) {
        strbuf_literal(out, " of the ");
        words_e_value(out, member_number(comparison, "needed_log10_e"));
        strbuf_literal(out, " that suffice");
    }
    strbuf_char(out, '\n');
    strbuf_free(&interval);
}

// "error_rate: pass: canary minus stable 0.14 points …: because"
static void write_judged(struct strbuf *out, const json_t *comparison, const json_t *report) {
    const char *metric = member_text(comparison, "metric"), *unit = unit_of(report, metric);
    struct strbuf interval = {0};
    strbuf_format(out, "  %s: ", metric);
    guard_text_verdict(out, comparison);
    strbuf_format(out, ", %s minus %s ", member_text(comparison, "of"), member_text(comparison, "against"));
    words_difference(out, comparison, "difference", unit);
    if (words_interval(&interval, comparison, unit))
        strbuf_format(out, " (%s)", strbuf_text(&interval));
    strbuf_literal(out, "; ");
    words_plain(out, member_text(comparison, "because"));
    strbuf_char(out, '\n');
    strbuf_free(&interval);
}

static void write_comparison(struct strbuf *out, const json_t *comparison, const json_t *report) {
    if (member_given(comparison, "better"))
        write_winning(out, comparison, report);
    else
        write_judged(out, comparison, report);
}

// "; about 12,000 requests more, 2h 10m"
static void write_left(struct strbuf *out, const json_t *report) {
    if (member_given(report, "requests_left")) {
        strbuf_literal(out, "; about ");
        words_count(out, member_number(report, "requests_left"));
        strbuf_literal(out, " requests more");
        if (member_given(report, "seconds_left")) {
            strbuf_literal(out, ", ");
            words_duration(out, member_number(report, "seconds_left"));
        }
    }
    strbuf_char(out, '\n');
}

static void write_end(struct strbuf *out, const json_t *report) {
    if (member_given(report, "winner")) {
        strbuf_format(out, "%swinner: %s%s\n", paint(PAINT_GREEN), member_text(report, "winner"),
                      paint(PAINT_PLAIN));
    } else if (member_given(report, "goal")) {
        strbuf_literal(out, "no winner yet");
        write_left(out, report);
    } else if (member_given(report, "requests_left")) {
        strbuf_literal(out, "the guards cannot tell yet");
        write_left(out, report);
    }
}

void report_write(struct strbuf *out, const json_t *report) {
    const json_t *variants = json_object_get(report, "variants");
    const json_t *comparisons = json_object_get(report, "comparisons");
    strbuf_format(out, "%s%s%s  %s, %s\n", paint(PAINT_BOLD), member_text(report, "route"),
                  paint(PAINT_PLAIN), member_text(report, "strategy"), member_text(report, "state"));
    if (member_given(report, "goal"))
        guard_text_line(out, json_object_get(report, "goal"));
    for (size_t i = 0; i < json_array_size(variants); i++)
        write_variant(out, json_array_get(variants, i));
    if (json_array_size(comparisons))
        strbuf_literal(out, "comparisons\n");
    for (size_t i = 0; i < json_array_size(comparisons); i++)
        write_comparison(out, json_array_get(comparisons, i), report);
    write_end(out, report);
}

int command_report(const struct invocation *invocation) {
    struct strbuf path = {0};
    client_route_path(&path, invocation, "report");
    int result = client_print(invocation, strbuf_text(&path), report_write);
    strbuf_free(&path);
    return result;
}
