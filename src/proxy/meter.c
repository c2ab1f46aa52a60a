#include "meter.h"

static struct slice value_of(const struct head *head, enum field_id id) {
    const struct field *field = head_find(head, id);
    return field ? field->value : SLICE_NONE;
}

void meter_begin(struct exchange *exchange, const struct head *head) {
    bool well = head->status < 300;
    usage_start(&exchange->usage, well ? value_of(head, FIELD_CONTENT_TYPE) : SLICE_NONE,
                value_of(head, FIELD_CONTENT_ENCODING));
}

void meter_read(struct exchange *exchange, struct slice bytes) {
    usage_feed(&exchange->usage, bytes);
    if (exchange->usage.failed && !exchange->charged_ns && exchange->blame == ERROR_REASON_NONE)
        exchange->blame = ERROR_REASON_ERROR_EVENT;
}

double meter_dollars(const struct exchange *exchange) {
    const struct usage *usage = &exchange->usage;
    const struct price_config *price = exchange_variant(exchange)->config->price;
    if (!price)
        return 0;
    return ((double)usage->prompt * price->input + (double)usage->completion * price->output) / 1e6;
}

void meter_count(const struct exchange *exchange) {
    const struct usage *usage = &exchange->usage;
    if (usage->counted)
        variant_tokens(exchange_variant(exchange)->series->lanes[exchange->worker->index], usage->prompt,
                       usage->completion, meter_dollars(exchange));
}

void meter_evidence(const struct exchange *exchange, uint64_t took_ns) {
    const struct usage *usage = &exchange->usage;
    struct experiment *experiment = exchange->route->experiment;
    unsigned lane = exchange->worker->index;
    if (!usage->counted)
        return;
    if (exchange_variant(exchange)->config->price)
        experiment_value(experiment, lane, MEAN_COST, meter_dollars(exchange), &exchange->evidence);
    if (usage->completion && took_ns)
        experiment_value(experiment, lane, MEAN_TOKENS_PER_SECOND,
                         (double)usage->completion * 1e9 / (double)took_ns, &exchange->evidence);
}
