#include "history.h"
#include "base/mem.h"

#include <math.h>

void history_totals(const struct variant_series *series, const struct scores *scores,
                    struct history_totals *totals) {
    *totals = (struct history_totals){0};
    for (unsigned i = 0; i < series->lane_count; i++) {
        const struct variant_lane *lane = series->lanes[i];
        for (int reason = ERROR_REASON_NONE + 1; reason < ERROR_REASONS; reason++)
            if (reason != ERROR_REASON_OVERLOADED)
                totals->errors += counter_read(&lane->errors[reason]);
        for (int type = 0; type < TOKEN_TYPES; type++)
            totals->tokens += counter_read(&lane->tokens[type]);
        totals->dollars += variant_dollars(lane);
    }
    scores_read(scores, series->route, series->variant, "quality", &totals->score_sum, &totals->score_count);
}

void history_grown(const struct history_totals *before, const struct history_totals *now, double seconds,
                   struct history_point *point) {
    point->errors_per_second = (float)((double)(now->errors - before->errors) / seconds);
    point->tokens_per_second = (float)((double)(now->tokens - before->tokens) / seconds);
    point->dollars_per_second = (float)((now->dollars - before->dollars) / seconds);
    uint64_t scores = now->score_count - before->score_count;
    point->quality = scores ? (float)((now->score_sum - before->score_sum) / (double)scores) : NAN;
}

void history_add(struct history *history, const struct history_point *point) {
    history->points[history->next] = *point;
    history->next = (history->next + 1) % HISTORY_POINTS;
    if (history->count < HISTORY_POINTS)
        history->count++;
}

const struct history_point *history_get(const struct history *history, unsigned age) {
    return age < history->count
               ? &history->points[(history->next + HISTORY_POINTS - 1 - age) % HISTORY_POINTS]
               : NULL;
}

static const struct column {
    const char *name;
    size_t offset;
    int decimals;
} columns[] = {
    {"per_second", offsetof(struct history_point, per_second), 2},
    {"errors_per_second", offsetof(struct history_point, errors_per_second), 2},
    {"tokens_per_second", offsetof(struct history_point, tokens_per_second), 1},
    {"dollars_per_second", offsetof(struct history_point, dollars_per_second), 8},
    {"p50_ms", offsetof(struct history_point, duration_p50), 1},
    {"p95_ms", offsetof(struct history_point, duration_p95), 1},
    {"p99_ms", offsetof(struct history_point, duration_p99), 1},
    {"ttft_p50_ms", offsetof(struct history_point, first_token_p50), 1},
    {"ttft_p95_ms", offsetof(struct history_point, first_token_p95), 1},
    {"quality", offsetof(struct history_point, quality), 4},
};

static void emit_column(const struct history *history, const struct column *column, unsigned rows,
                        struct emit *emit) {
    emit_array(emit_name(emit, column->name));
    for (unsigned age = rows; age-- > 0;) {
        const struct history_point *point = history ? history_get(history, age) : NULL;
        if (point)
            emit_number(emit, (double)*(const float *)(const void *)((const char *)point + column->offset),
                        column->decimals);
        else
            emit_null(emit); // nothing was kept of it yet
    }
    emit_end(emit, ']');
}

void history_emit(const struct history *const *histories, const char *const *names, size_t count,
                  uint32_t since, struct emit *emit) {
    const struct history *longest = NULL; // all are added to at the same time: its times are everybody's
    unsigned rows = 0;
    for (size_t i = 0; i < count; i++)
        if (histories[i] && (!longest || histories[i]->count > longest->count))
            longest = histories[i];
    while (longest && rows < longest->count && history_get(longest, rows)->at > since)
        rows++;
    emit_array(emit_name(emit, "at"));
    for (unsigned age = rows; age-- > 0;) {
        const struct history_point *point = history_get(longest, age);
        must(point);
        emit_u64(emit, point->at);
    }
    emit_end(emit, ']');
    emit_array(emit_name(emit, "variants"));
    for (size_t i = 0; i < count; i++) {
        emit_object(emit);
        emit_text(emit_name(emit, "name"), names[i]);
        for (size_t k = 0; k < sizeof columns / sizeof *columns; k++)
            emit_column(histories[i], &columns[k], rows, emit);
        emit_end(emit, '}');
    }
    emit_end(emit, ']');
}
