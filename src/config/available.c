// What a file may say and this build cannot do yet.
#include "check.h"

static void not_yet(struct report *report, struct place place, const char *what) {
    report_add(report, place, NULL, "%s: not available yet", what);
}

static void look_at_variant(struct report *report, const struct variant_config *variant) {
    if (variant->request && variant->request->json.count)
        not_yet(report, variant->place, "a variant's `request.json`");
    if (variant->request && variant->request->system_prompt_file)
        not_yet(report, variant->place, "a variant's `request.system_prompt_file`");
}

static void look_at_route(struct report *report, const struct route_config *route) {
    if (route->mirror)
        not_yet(report, route->mirror->place, "`mirror`");
    for (size_t i = 0; i < route->variant_count; i++)
        look_at_variant(report, &route->variants[i]);
}

bool config_available(const struct config *config, struct diagnostics *diagnostics) {
    struct report report = {0};
    for (size_t i = 0; i < config->route_count; i++)
        look_at_route(&report, &config->routes[i]);
    report_take(&report, diagnostics);
    return diagnostics->count == 0;
}
