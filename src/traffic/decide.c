#include "traffic/decide.h"

#include "base/hash.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "http/baggage.h"

// Another line of buckets: on the split's own the share would be of the first candidate's users.
static uint64_t mirror_seed(const char *salt) {
    struct strbuf text = {0};
    strbuf_format(&text, "%s/mirror", salt);
    uint64_t seed = split_seed(strbuf_as_slice(&text));
    strbuf_free(&text);
    return seed;
}

void live_route_init(struct live_route *route, const struct route_config *config) {
    uint16_t weights[SPLIT_ARMS];
    must(config->variant_count <= SPLIT_ARMS);
    for (size_t i = 0; i < config->variant_count; i++)
        weights[i] = (uint16_t)config->variants[i].weight;
    *route = (struct live_route){.config = config};
    route->seed = split_seed(slice_of(config->sticky.salt));
    route->mirror_seed = mirror_seed(config->sticky.salt);
    split_build(&route->split, weights, config->variant_count, config->baseline);
}

const char *decision_reason_name(enum decision_reason reason) {
    static const char *const names[] = {"unit", "pin", "override", "random", "task", "baggage"};
    must((unsigned)reason < sizeof names / sizeof *names);
    return names[reason];
}

static size_t variant_named(const struct route_config *route, struct slice name) {
    for (size_t i = 0; i < route->variant_count; i++)
        if (slice_equal(slice_of(route->variants[i].name), name))
            return i;
    return route->variant_count;
}

// True when a tester's header chooses the variant; *denied when there is one that must not.
static bool overridden(const struct route_config *route, const struct request_view *view, size_t *variant,
                       bool *denied) {
    const struct override_config *override = route->override;
    const struct field *field = override ? head_find_name(view->head, slice_of(override->header)) : NULL;
    if (!field)
        return false;
    struct slice token = field->value;
    struct slice name = slice_trim(slice_cut(&token, ';'));
    bool allowed = !override->token_file;
    if (!allowed && override->token && token.at)
        allowed = secret_equal(slice_trim(token), slice_of(override->token));
    size_t index = variant_named(route, name);
    *denied = !allowed || index == route->variant_count;
    if (!*denied)
        *variant = index;
    return !*denied;
}

// True when a trusted peer tells which arm of the experiment the unit has. A variant that was withdrawn here
// takes nobody, wherever the unit comes from, but testers where the route lets testers choose.
static bool carried(const struct route_config *route, const struct split *split,
                    const struct request_view *view, struct decision *decision) {
    struct baggage_arm arm = baggage_find(view->head, slice_of(route->baggage));
    for (size_t i = 0; arm.variant.at && i < route->variant_count; i++) {
        if (!baggage_says(arm.variant, slice_of(route->variants[i].name)))
            continue;
        if (split->weight[i] == 0 && !(arm.by_override && route->override))
            return false;
        decision->variant = i;
        decision->by_tester = arm.by_override;
        return true;
    }
    return false;
}

static struct unit issue(const struct request_view *view, const uint64_t random[2]) {
    char *text = arena_alloc(view->arena, 32);
    hex_u64(text, random[0]);
    hex_u64(text + 16, random[1]);
    return (struct unit){.value = slice_make(text, 32), .source = UNIT_ISSUED};
}

// What the cookie calls the unit: an issued one is there anyway; one that came from the request is a user's
// name or address and is written as its hash.
static struct slice unit_in_cookie(const struct unit *unit, char hex[16]) {
    if (unit->source == UNIT_ISSUED)
        return unit->value;
    hex_u64(hex, hash_bytes(0, unit->value));
    return slice_make(hex, 16);
}

static bool pin_holds(const struct live_route *route, const struct split *split, const struct pin *pin,
                      struct slice unit, size_t *variant) {
    if (!pin->variant.at || !slice_equal(pin->unit, unit))
        return false;
    size_t index = variant_named(route->config, pin->variant);
    if (index == route->config->variant_count || split->weight[index] == 0)
        return false; // weight 0 withdraws a variant from everybody at once
    char stamp[9];
    sticky_stamp(&route->config->variants[index], stamp);
    if (!slice_equal(pin->stamp, slice_of(stamp)))
        return false;
    *variant = index;
    return true;
}

static struct slice pin_text(const struct variant_config *variant, struct slice unit, struct arena *arena) {
    size_t name = strlen(variant->name);
    char *text = arena_alloc(arena, unit.len + name + 11), *to = text;
    memcpy(to, unit.at, unit.len);
    to += unit.len;
    *to++ = '~';
    memcpy(to, variant->name, name);
    to += name;
    *to++ = '~';
    sticky_stamp(variant, to); // and its NUL
    return slice_make(text, unit.len + name + 10);
}

static void decide_session(const struct live_route *route, const struct split *split,
                           const struct request_view *view, struct decision *decision) {
    char hex[16];
    struct slice unit = unit_in_cookie(&decision->unit, hex);
    struct slice value = sticky_cookie(&route->config->sticky, view);
    struct pin pin = sticky_read_cookie(value);
    if (pin_holds(route, split, &pin, unit, &decision->variant)) {
        decision->reason = DECIDED_BY_PIN;
        return;
    }
    decision->cookie_value = pin_text(&route->config->variants[decision->variant], unit, view->arena);
    decision->set_cookie = true;
}

void decide(const struct live_route *route, const struct request_view *view, const uint64_t random[2],
            struct decision *decision) {
    const struct sticky_config *sticky = &route->config->sticky;
    *decision = (struct decision){.unit = sticky_unit(sticky, view)};
    const struct split *split = live_split(route);
    decision->by_tester = overridden(route->config, view, &decision->variant, &decision->override_denied);
    bool by_header = decision->by_tester;
    bool by_baggage = route->config->baggage && view->peer_trusted && !by_header &&
                      carried(route->config, split, view, decision);
    bool chosen = by_header || by_baggage;
    bool issued = decision->unit.source == UNIT_RANDOM && sticky->cookie && !chosen;
    if (issued)
        decision->unit = issue(view, random);
    bool known = decision->unit.source != UNIT_RANDOM;
    decision->bucket =
        known ? split_bucket(route->seed, decision->unit.value) : (uint16_t)(random[0] % BUCKETS);
    if (chosen) {
        decision->reason = by_header ? DECIDED_BY_OVERRIDE : DECIDED_BY_BAGGAGE;
        return;
    }
    decision->variant = split_variant(split, decision->bucket);
    decision->reason = known ? DECIDED_BY_UNIT : DECIDED_AT_RANDOM;
    if (known && sticky->cookie && sticky->mode == STICKY_SESSION) {
        decide_session(route, split, view, decision);
    } else if (issued) {
        decision->cookie_value = decision->unit.value;
        decision->set_cookie = true;
    }
}

void decide_unit(const struct live_route *route, struct slice unit, struct decision *decision) {
    const struct sticky_config *sticky = &route->config->sticky;
    *decision = (struct decision){
        .unit = {.value = unit, .source = sticky->by_count ? sticky->by[0].kind : UNIT_ISSUED},
        .bucket = split_bucket(route->seed, unit),
        .reason = DECIDED_BY_UNIT,
    };
    decision->variant = split_variant(live_split(route), decision->bucket);
}

bool decide_mirror(const struct live_route *route, const struct decision *decision, uint64_t random) {
    const struct mirror_config *mirror = route->config->mirror;
    if (decision->variant == mirror->index)
        return false;
    uint64_t bucket = decision->unit.source == UNIT_RANDOM
                          ? random % BUCKETS
                          : split_bucket(route->mirror_seed, decision->unit.value);
    return bucket < (uint64_t)mirror->share;
}
