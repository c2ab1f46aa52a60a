// retry: when a failed attempt may be made again. The conditions are pure; the budget is a token bucket per
// route and worker.
#pragma once
#include "config/config.h"
#include "metrics/variant.h"

// How an attempt failed, in the terms of `retry.on`.
struct failure {
    unsigned condition;       // RETRY_CONNECT, RETRY_RESET_BEFORE_RESPONSE, or 0
    unsigned status;          // an upstream's status, or the one this failure stands for (502, 504), or 0
    enum error_reason reason; // how it is counted
    bool answered;            // the endpoint itself said so, in a whole response head
};
// Whether `retry.on` names it; a route without `retry` retries nothing, and its fallback covers failures to
// connect.
bool retry_covers(const struct retry_config *retry, const struct failure *failure);
enum retry_reason retry_reason_of(const struct failure *failure);

// The budget: every request earns budget/100 of a retry, at most RETRY_SAVED are saved, RETRY_SAVED_AT_START
// are there at the start, unless the budget is 0: then there is never one. So a dead endpoint can never
// multiply the load on the others by more than 1 + budget/100.
#define RETRY_SAVED          100
#define RETRY_SAVED_AT_START 10
struct budget;
struct budget *budget_new(unsigned lane_count, int64_t percent);
void budget_free(struct budget *budget);
void budget_earn(struct budget *budget, unsigned lane,
                 int64_t percent);                       // once per request; worker `lane` only
bool budget_spend(struct budget *budget, unsigned lane); // false: nothing left
// A repeated idempotent method (RFC 9110 9.2.2) may be sent again after it may have been acted on.
bool method_idempotent(struct slice method);
