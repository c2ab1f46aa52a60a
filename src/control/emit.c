#include "control/emit.h"

#include "control/percent.h"

#include <math.h>

static struct strbuf *before(struct emit *emit) {
    if (emit->follows)
        strbuf_char(emit->out, ',');
    emit->follows = true;
    return emit->out;
}

void emit_object(struct emit *emit) {
    strbuf_char(before(emit), '{');
    emit->follows = false;
}

void emit_array(struct emit *emit) {
    strbuf_char(before(emit), '[');
    emit->follows = false;
}

void emit_end(struct emit *emit, char bracket) {
    strbuf_char(emit->out, bracket);
    emit->follows = true;
}

struct emit *emit_name(struct emit *emit, const char *name) {
    strbuf_json(before(emit), slice_of(name));
    strbuf_char(emit->out, ':');
    emit->follows = false;
    return emit;
}

void emit_text(struct emit *emit, const char *text) {
    if (text)
        strbuf_json(before(emit), slice_of(text));
    else
        emit_null(emit);
}

void emit_slice(struct emit *emit, struct slice text) {
    strbuf_json(before(emit), text);
}

void emit_u64(struct emit *emit, uint64_t value) {
    strbuf_u64(before(emit), value);
}

void emit_number(struct emit *emit, double value, int decimals) {
    if (isfinite(value))
        strbuf_format(before(emit), "%.*f", decimals, value);
    else
        emit_null(emit);
}

void emit_bool(struct emit *emit, bool value) {
    strbuf_string(before(emit), value ? "true" : "false");
}

void emit_null(struct emit *emit) {
    strbuf_literal(before(emit), "null");
}

void emit_raw(struct emit *emit, struct slice json) {
    strbuf_slice(before(emit), json);
}

void emit_percent(struct emit *emit, uint16_t basis_points) {
    percent_write(before(emit), basis_points);
}
