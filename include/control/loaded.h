// loaded: a configuration with all that it names read: what a start and a reload begin with, and all that
// `sluice check` does. No port is opened, nothing is written, no name is resolved. Any thread.
#pragma once
#include "control/outcome.h"
#include "io/tls.h"

struct credentials;
struct loaded {
    struct config *config; // with a reference
    struct credentials *credentials;
};
// False with every mistake added to the outcome, in the file's order.
bool loaded_read(struct loaded *loaded, const char *path, struct tls_tickets *tickets,
                 struct outcome *outcome);
void loaded_free(struct loaded *loaded);
// Whether the file would be loaded.
bool loaded_check(const char *path, struct outcome *outcome);
