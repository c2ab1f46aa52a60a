#include "control/percent.h"

#include <math.h>

#define WHOLE 10000

bool percent_parse(struct slice text, uint16_t *basis_points) {
    struct slice decimals = text;
    struct slice units = slice_cut(&decimals, '.');
    uint64_t whole = 0, part = 0;
    if (!slice_to_u64(units, &whole) || whole > 100)
        return false;
    if (decimals.at) {
        if (decimals.len == 0 || decimals.len > 2 || !slice_to_u64(decimals, &part))
            return false;
        if (decimals.len == 1)
            part *= 10;
    }
    uint64_t value = whole * 100 + part;
    if (value > WHOLE)
        return false;
    *basis_points = (uint16_t)value;
    return true;
}

bool percent_of(double value, uint16_t *basis_points) {
    if (!(value >= 0 && value <= 100)) // also refuses what is not a number
        return false;
    double scaled = value * 100, nearest = round(scaled);
    if (fabs(scaled - nearest) > 1e-6)
        return false;
    *basis_points = (uint16_t)nearest;
    return true;
}

void percent_write(struct strbuf *out, uint16_t basis_points) {
    unsigned part = basis_points % 100u;
    strbuf_u64(out, basis_points / 100u);
    if (part == 0)
        return;
    strbuf_char(out, '.');
    strbuf_char(out, (char)('0' + part / 10));
    if (part % 10)
        strbuf_char(out, (char)('0' + part % 10));
}
