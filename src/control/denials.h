// denials: changes that were refused at the admin API: how many, for which reason, and who tries wrong tokens
// again and again. A right token is never kept waiting (docs/decisions/0017-wrong-tokens.md). Control thread.
#pragma once
#include "access.h"
#include "metrics/exposition.h"

#define DENIALS_BURST     5  // wrong tokens of one address that are answered 401 …
#define DENIALS_REFILL_S  12 // … and one more each so many seconds; those past it are answered 429
#define DENIALS_ADDRESSES 256

struct denials;
struct denials *denials_new(void);
void denials_free(struct denials *denials); // NULL is allowed
// Counts one refusal and writes it to the log, rationed. 0, or after how many seconds the next wrong token of
// this address is not one too many.
unsigned denials_note(struct denials *denials, enum access_verdict verdict, const struct ip *from,
                      uint64_t now_ns);
void denials_write(const struct denials *denials, struct exposition *out); // their metric
