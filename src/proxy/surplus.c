#include "surplus.h"
#include "crew.h"

static void refuse(struct exchange *exchange, enum refusal refusal, enum own_error error) {
    counter_add(&exchange->worker->refused[refusal], 1);
    reply_error(exchange, error);
}

void surplus_refuse_memory(struct exchange *exchange) {
    refuse(exchange, REFUSED_MEMORY, OWN_ERROR_MEMORY);
}

bool surplus_refuse(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    bool busy = crew_busy(worker->plane, exchange_config(exchange)->limits.requests);
    if (!busy && !worker_starved(worker))
        return false;
    if (busy)
        refuse(exchange, REFUSED_REQUESTS, OWN_ERROR_REQUESTS);
    else
        surplus_refuse_memory(exchange);
    return true;
}
