// sticky: which unit a request belongs to. Pure; any thread.
#pragma once
#include "config/config.h"
#include "traffic/view.h"

struct unit {
    struct slice value; // in the head, the body or the view's arena; empty for UNIT_RANDOM
    enum unit_source source;
};

// The first of sticky->by that is present and not empty; else the issued cookie when it is present and sane
// (UNIT_ISSUED); else UNIT_RANDOM. jwt: the claim (a string or a number) of a Bearer token in Authorization,
// decoded and not verified (stickiness is no authentication). json: a string as it is, a number as
// document_scalar writes it. Values of `by` may have any length and any bytes.
struct unit sticky_unit(const struct sticky_config *sticky, const struct request_view *view);
// Whether the unit hangs on the body: a json source comes before any source that is present.
bool sticky_needs_body(const struct sticky_config *sticky, const struct request_view *view);

// The cookie's value is UNIT or, in mode: session, UNIT~VARIANT~STAMP; the stamp ties the pin to the
// variant's version.
struct pin {
    struct slice unit, variant,
        stamp; // at == NULL when absent; the unit also when it is not 1..128 of A-Z a-z 0-9 . _ -
};
struct pin sticky_read_cookie(struct slice value);
// The value of the sticky cookie in the request; at == NULL when there is none.
struct slice sticky_cookie(const struct sticky_config *sticky, const struct request_view *view);
// 8 hex digits and a NUL: of the variant's name and version.
void sticky_stamp(const struct variant_config *variant, char stamp[9]);
