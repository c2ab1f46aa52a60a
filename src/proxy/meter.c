#include "meter.h"

static struct slice value_of(const struct head *head, enum field_id id) {
    const struct field *field = head_find(head, id);
    return field ? field->value : SLICE_NONE;
}

void meter_begin(struct meter *meter, const struct head *head) {
    bool well = head->status < 300;
    usage_start(&meter->usage, well ? value_of(head, FIELD_CONTENT_TYPE) : SLICE_NONE,
                value_of(head, FIELD_CONTENT_ENCODING));
}

// An event with content came, or several in one read.
static bool note_content(struct meter *meter, uint64_t now_ns) {
    bool first = !meter->first_token_ns;
    if (first)
        meter->first_token_ns = now_ns;
    else if (now_ns - meter->last_token_ns > meter->longest_gap_ns)
        meter->longest_gap_ns = now_ns - meter->last_token_ns;
    meter->last_token_ns = now_ns;
    return first;
}

bool meter_begin_body(struct meter *meter, uint64_t now_ns) {
    meter->first_body_ns = now_ns;
    return meter->usage.source != USAGE_EVENTS;
}

bool meter_read(struct meter *meter, struct slice bytes, uint64_t now_ns) {
    uint64_t contents = meter->usage.contents;
    usage_feed(&meter->usage, bytes);
    return meter->usage.contents != contents && note_content(meter, now_ns);
}

enum error_reason meter_fault(const struct meter *meter, bool whole) {
    if (meter->usage.failed)
        return ERROR_REASON_ERROR_EVENT;
    return whole && usage_unfinished(&meter->usage) ? ERROR_REASON_UNFINISHED : ERROR_REASON_NONE;
}

double meter_dollars(const struct meter *meter, const struct price_config *price) {
    const struct usage *usage = &meter->usage;
    if (!price)
        return 0;
    return ((double)usage->prompt * price->input + (double)usage->completion * price->output) / 1e6;
}

void meter_count(const struct meter *meter, struct variant_lane *lane, const struct price_config *price) {
    const struct usage *usage = &meter->usage;
    if (usage->counted)
        variant_tokens(lane, usage->prompt, usage->completion, meter_dollars(meter, price));
    if (usage_finish(usage) != FINISH_REASON_NONE)
        counter_add(&lane->finishes[usage_finish(usage)], 1);
    if (usage->contents > 1) {
        uint64_t mean = (meter->last_token_ns - meter->first_token_ns) / (usage->contents - 1);
        spread_add(&lane->gap, mean / 1000);
        spread_add(&lane->longest_gap, meter->longest_gap_ns / 1000);
    }
}

void meter_end(struct meter *meter) {
    usage_end(&meter->usage);
}
