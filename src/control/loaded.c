#include "control/loaded.h"

#include "credentials.h"

static void warn_of(struct outcome *outcome, const struct diagnostics *diagnostics) {
    for (size_t i = 0; i < diagnostics->count; i++)
        outcome_warn(outcome, diagnostics->items[i].place, "%s", diagnostics->items[i].text);
}

static bool read_all(struct loaded *loaded, const char *path, struct tls_tickets *tickets, bool lenient,
                     struct outcome *outcome) {
    struct diagnostics diagnostics = {0};
    size_t before = outcome->mistake_count;
    *loaded = (struct loaded){config_load(path, &diagnostics), NULL};
    if (loaded->config && !config_available(loaded->config, &diagnostics) && lenient)
        warn_of(outcome, &diagnostics);
    else
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

bool loaded_read(struct loaded *loaded, const char *path, struct tls_tickets *tickets,
                 struct outcome *outcome) {
    return read_all(loaded, path, tickets, false, outcome);
}

void loaded_free(struct loaded *loaded) {
    credentials_free(loaded->credentials);
    config_unref(loaded->config);
    *loaded = (struct loaded){NULL, NULL};
}

bool loaded_check(const char *path, bool lenient, struct outcome *outcome) {
    struct loaded loaded;
    struct tls_tickets *tickets = tls_tickets_new();
    bool ok = read_all(&loaded, path, tickets, lenient, outcome);
    if (ok)
        loaded_free(&loaded);
    tls_tickets_unref(tickets);
    return ok;
}
