#include "words.h"

#include "member.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void words_plain(struct strbuf *out, const char *text) {
    for (const char *c = text; *c; c++)
        strbuf_char(out, (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c);
}

void words_duration(struct strbuf *out, double seconds) {
    long long left = seconds > 0 && seconds < 1e15 ? (long long)(seconds + 0.5) : 0;
    if (seconds < 59.95 && seconds > 0 && fmod(seconds, 1) >= 0.05)
        strbuf_format(out, "%.1f s", seconds);
    else if (left < 60)
        strbuf_format(out, "%lld s", left);
    else if (left < 3600)
        strbuf_format(out, left % 60 ? "%lldm %llds" : "%lldm", left / 60, left % 60);
    else if (left < 86400)
        strbuf_format(out, left / 60 % 60 ? "%lldh %lldm" : "%lldh", left / 3600, left / 60 % 60);
    else
        strbuf_format(out, left / 3600 % 24 ? "%lldd %lldh" : "%lldd", left / 86400, left / 3600 % 24);
}

void words_count(struct strbuf *out, double count) {
    char digits[40];
    int len = snprintf(digits, sizeof digits, "%.0f", count > 0 && count < 1e18 ? count : 0);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            strbuf_char(out, ',');
        strbuf_char(out, digits[i]);
    }
}

void words_percent(struct strbuf *out, double percent) {
    strbuf_format(out, "%.4g %%", percent);
}

static bool is(const char *unit, const char *name) {
    return strcmp(unit, name) == 0;
}

static void write_value(struct strbuf *out, double value, const char *unit) {
    if (is(unit, "share"))
        strbuf_format(out, "%.2f %%", 100 * value);
    else if (is(unit, "seconds"))
        strbuf_format(out, fabs(value) < 1 ? "%.1f ms" : "%.2f s", fabs(value) < 1 ? 1000 * value : value);
    else if (is(unit, "dollars"))
        strbuf_format(out, "$%.4g", value);
    else if (is(unit, "per_second"))
        strbuf_format(out, "%.1f/s", value);
    else
        strbuf_format(out, "%.4g", value);
}

void words_value(struct strbuf *out, const json_t *object, const char *name, const char *unit) {
    if (member_given(object, name))
        write_value(out, member_number(object, name), unit);
    else
        strbuf_char(out, '?');
}

void words_difference(struct strbuf *out, const json_t *object, const char *name, const char *unit) {
    if (is(unit, "share") && member_given(object, name)) // not to be confused with percent of one
        strbuf_format(out, "%.2f points", 100 * member_number(object, name));
    else
        words_value(out, object, name, unit);
}

bool words_interval(struct strbuf *out, const json_t *object, const char *unit) {
    if (!member_given(object, "low") || !member_given(object, "high"))
        return false;
    double low = member_number(object, "low"), high = member_number(object, "high");
    if (is(unit, "share")) {
        strbuf_format(out, "%.2f to %.2f points", 100 * low, 100 * high);
        return true;
    }
    write_value(out, low, unit);
    strbuf_literal(out, " to ");
    write_value(out, high, unit);
    return true;
}

void words_e_value(struct strbuf *out, double log10_e) {
    if (log10_e > 300 || log10_e < -300) // past what a double holds
        strbuf_format(out, "1e%.0f", log10_e);
    else
        strbuf_format(out, "%.3g", pow(10, log10_e));
}
