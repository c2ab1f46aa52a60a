// adoption: who waits until every worker uses a certain plan. Control thread.
#pragma once
#include "base/list.h"
#include <stdint.h>

struct adoption {
    struct link waiting; // in no order: there are never many
    uint64_t reached;    // the newest plan that every worker uses
};
void adoption_init(struct adoption *adoption);
void adoption_free(struct adoption *adoption); // who still waits is not called; contexts are not owned
// Calls `then` when plan `number` or a newer one is in use everywhere; at once when it is already.
void adoption_wait(struct adoption *adoption, uint64_t number, void (*then)(void *context), void *context);
void adoption_note(struct adoption *adoption, uint64_t number);
