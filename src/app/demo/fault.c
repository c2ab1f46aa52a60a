#include "fault.h"

#include "opinion.h"

#include <stddef.h>
#include <string.h>

static const struct fault faults[] = {
    {"errors", "{\"error_rate\":20}", "now answers 20 % of its requests with 500", true, OPINION_USUAL},
    {"latency", "{\"latency_ms\":200,\"jitter_ms\":60,\"token_delay_ms\":30}",
     "now needs 200 ms to its first byte, not 70, and 30 ms for each further token, not 15", false,
     OPINION_USUAL},
    {"cost", "{\"tokens\":48,\"token_delay_ms\":7.5}", // as fast as before: cost is all that gets worse
     "now writes 48 tokens where it wrote 24", false, OPINION_USUAL},
    {"quality", NULL, "now gives answers that visitors score 0.5 of 1, not 0.8", false, 0.5},
};

const struct fault *fault_find(const char *name) {
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp(faults[i].name, name) == 0)
            return &faults[i];
    return NULL;
}
