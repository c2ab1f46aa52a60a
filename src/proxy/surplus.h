// surplus: requests past `limits.requests` and `limits.memory` are answered 503 before anything is done for
// them. The worker's thread only.
#pragma once
#include "exchange.h"

// True: it was refused (and may be gone).
bool surplus_refuse(struct exchange *exchange);
void surplus_refuse_memory(struct exchange *exchange); // for want of memory
