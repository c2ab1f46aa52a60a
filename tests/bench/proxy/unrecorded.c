// A sluice that measures nothing, to compare with (docs/performance.md: what metrics cost): in place of
// src/proxy/record.c, whose functions are all that writes the metric lanes, the evidence and the access log.
#include "../../../src/proxy/record.h"

void record_begin(struct exchange *exchange) {
    (void)exchange;
}
void record_first_token(struct exchange *exchange, uint64_t at_ns) {
    (void)exchange;
    (void)at_ns;
}
void record_retry(struct exchange *exchange) {
    (void)exchange;
}
void record_switch(struct exchange *exchange) {
    (void)exchange;
}
void record_exchange(struct exchange *exchange, enum finish finish) {
    (void)exchange;
    (void)finish;
}
void record_shadow(struct worker *worker, const struct record_shadow *shadow) {
    (void)worker;
    (void)shadow;
}
void record_fallback(struct exchange *exchange, unsigned status, enum error_reason reason) {
    (void)exchange;
    (void)status;
    (void)reason;
}
