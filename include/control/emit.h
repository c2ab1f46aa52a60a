// emit: JSON text written from front to back; commas come by themselves. Pure; one thread.
//   struct emit e = {.out = &buf};
//   emit_object(&e); emit_text(emit_name(&e, "route"), name); emit_end(&e, '}');
#pragma once
#include "base/strbuf.h"
#include <stdbool.h>
#include <stdint.h>

struct emit {
    struct strbuf *out;
    bool follows; // a value stands before: the next one needs a comma
};

void emit_object(struct emit *emit);
void emit_array(struct emit *emit);
void emit_end(struct emit *emit, char bracket);              // '}' or ']'
struct emit *emit_name(struct emit *emit, const char *name); // of the value that is written next
void emit_text(struct emit *emit, const char *text);         // NULL: null
void emit_slice(struct emit *emit, struct slice text);
void emit_u64(struct emit *emit, uint64_t value);
void emit_number(struct emit *emit, double value, int decimals); // null when it is not finite
void emit_bool(struct emit *emit, bool value);
void emit_null(struct emit *emit);
void emit_raw(struct emit *emit, struct slice json); // one value that is JSON already
void emit_percent(struct emit *emit, uint16_t basis_points);
