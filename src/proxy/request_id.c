#include "request_id.h"
#include "base/hex.h"
#include "proxy/issued.h"

// Ids that clients may give: short and harmless in logs and headers.
static bool sane_id(struct slice id) {
    if (id.len == 0 || id.len > 128)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
              c == '_' || c == '.' || c == ':' || c == '/' || c == '+' || c == '='))
            return false;
    }
    return true;
}

struct slice request_id_make(struct exchange *exchange, const struct head *head) {
    const struct field *given = head_find(head, FIELD_X_REQUEST_ID);
    if (given && sane_id(given->value))
        return arena_copy(&exchange->arena, given->value);
    char *id = arena_alloc(&exchange->arena, ISSUED_DIGITS); // with room for what is known later
    exchange->issued_id = id;
    hex_u64(id, random_next(&exchange->worker->random));
    hex_u64(id + 16, random_next(&exchange->worker->random));
    return slice_make(id, 32);
}

void request_id_decided(struct exchange *exchange) {
    const struct decision *decision = &exchange->decision;
    struct seal *seal = worker_seal(exchange->worker);
    if (!exchange->issued_id || !seal)
        return;
    struct issued issued = {
        .arm = exchange->route->variants[decision->variant].arm,
        .unit = (uint16_t)(exchange->unit_hash >> 48),
        .has_unit = decision->unit.source != UNIT_RANDOM,
        .by_choice = decision->by_tester || decision->reason == DECIDED_BY_TASK,
    };
    issued_write(seal, random_next(&exchange->worker->random), &issued, exchange->issued_id);
    exchange->request_id = slice_make(exchange->issued_id, ISSUED_DIGITS);
}
