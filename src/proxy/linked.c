#include "linked.h"
#include "http/baggage.h"
#include "traffic/edit.h"

void linked_write(const struct exchange *exchange, struct head *head, bool came, struct strbuf *out) {
    const struct route_config *route = exchange->route->live.config;
    const struct variant_config *variant = exchange_variant(exchange)->config;
    bool strip = !exchange->peer_trusted;
    // A variant that sets or removes the field has the last word.
    bool ours = route->baggage && !edit_touches(variant->request, SLICE("baggage"));
    if (!ours && !(came && strip && baggage_has_ours(head)))
        return;
    // The fallback answers as itself: whoever is asked next on its behalf is of its arm.
    struct baggage_arm arm = {
        slice_of(variant->name),
        exchange->decision.by_tester && exchange->serving == exchange->decision.variant,
    };
    baggage_write(head, strip, ours ? slice_of(route->baggage) : SLICE_NONE, &arm, out);
}
