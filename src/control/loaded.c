#include "control/loaded.h"

#include "config/rollout.h"
#include "credentials.h"
#include "identity.h"

bool loaded_read(struct loaded *loaded, const char *path, struct tls_tickets *tickets,
                 struct outcome *outcome) {
    struct diagnostics diagnostics = {0};
    size_t before = outcome->mistake_count;
    *loaded = (struct loaded){config_load(path, &diagnostics), NULL};
    outcome_add(outcome, &diagnostics);
    diagnostics_free(&diagnostics);
    if (loaded->config)
        loaded->credentials = credentials_load(loaded->config, tickets, outcome);
    outcome_sort(outcome);
    if (outcome->mistake_count == before)
        return true;
    loaded_free(loaded);
    return false;
}

void loaded_free(struct loaded *loaded) {
    credentials_free(loaded->credentials);
    config_unref(loaded->config);
    *loaded = (struct loaded){NULL, NULL};
}

bool loaded_check(const char *path, struct outcome *outcome) {
    struct loaded loaded;
    struct tls_tickets *tickets = tls_tickets_new();
    struct identity identity;
    bool ok = loaded_read(&loaded, path, tickets, outcome);
    if (ok) {
        ok = identity_find(&identity, loaded.config, outcome);
        identity_warn(&identity, loaded.config, outcome);
        identity_free(&identity);
        loaded_free(&loaded);
    }
    tls_tickets_unref(tickets);
    return ok;
}
