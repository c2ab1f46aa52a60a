// sticky: which unit a request belongs to. Pure; any thread.
#pragma once
#include "config/config.h"
#include "traffic/view.h"

struct unit {
    struct slice value; // in the head, the body or the view's arena; empty for UNIT_RANDOM
    enum unit_source source;
};

// The first of sticky->by that is present and not empty; else the issued cookie when it is present and sane
// (UNIT_ISSUED); else UNIT_RANDOM. jwt: the claim of a Bearer token in Authorization, decoded and not verified
// (stickiness is no authentication). json: a string as it is, a number as written.
struct unit sticky_unit(const struct sticky_config *sticky, const struct request_view *view);

// mode: session. The cookie's value is UNIT or UNIT~VARIANT~STAMP; the stamp ties the pin to the variant's version.
struct pin {
    struct slice unit, variant, stamp; // at == NULL when absent
};
struct pin sticky_read_cookie(struct slice value);
// 8 hex digits and a NUL: of the variant's name and version.
void sticky_stamp(const struct variant_config *variant, char stamp[9]);
