#include "proxy/retry.h"
#include "base/mem.h"

struct budget {
    unsigned lane_count;
    struct budget_lane {
        _Alignas(64) int64_t hundredths; // of a retry
    } lanes[];
};

bool retry_covers(const struct retry_config *retry, const struct failure *failure) {
    if (!retry)
        return failure->condition == RETRY_CONNECT;
    if (failure->condition & retry->conditions)
        return true;
    for (size_t i = 0; i < retry->code_count; i++)
        if (failure->status == retry->codes[i])
            return true;
    return false;
}

enum retry_reason retry_reason_of(const struct failure *failure) {
    if (failure->condition == RETRY_CONNECT)
        return RETRY_REASON_CONNECT;
    return failure->condition == RETRY_RESET_BEFORE_RESPONSE ? RETRY_REASON_RESET : RETRY_REASON_STATUS;
}

struct budget *budget_new(unsigned lane_count, int64_t percent) {
    struct budget *budget = mem_zero_aligned(64, sizeof *budget + lane_count * sizeof *budget->lanes);
    budget->lane_count = lane_count;
    for (unsigned i = 0; i < lane_count; i++)
        budget->lanes[i].hundredths = percent > 0 ? RETRY_SAVED_AT_START * 100 : 0;
    return budget;
}

void budget_free(struct budget *budget) {
    mem_free(budget);
}

void budget_earn(struct budget *budget, unsigned lane, int64_t percent) {
    int64_t *saved = &budget->lanes[lane].hundredths;
    *saved += percent;
    if (*saved > RETRY_SAVED * 100)
        *saved = RETRY_SAVED * 100;
}

bool budget_spend(struct budget *budget, unsigned lane) {
    int64_t *saved = &budget->lanes[lane].hundredths;
    if (*saved < 100)
        return false;
    *saved -= 100;
    return true;
}

bool method_idempotent(struct slice method) {
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_equal(method, slice_of(names[i])))
            return true;
    return false;
}
