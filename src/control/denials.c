#include "denials.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define REFILL_NS (DENIALS_REFILL_S * (uint64_t)NS_PER_S)

struct guesser {
    struct ip from;
    uint64_t clear_ns; // when nothing is held against it any more; each wrong token adds REFILL_NS
};
struct denials {
    struct guesser guessers[DENIALS_ADDRESSES];
    size_t count;
    uint64_t denied[ACCESS_VERDICTS], limited;
    struct log_ration ration;
};

struct denials *denials_new(void) {
    return mem_zero(1, sizeof(struct denials));
}

void denials_free(struct denials *denials) {
    mem_free(denials);
}

// Who has an IPv6 network has all addresses of its /64.
static struct ip network_of(const struct ip *from) {
    struct ip network = *from;
    if (network.family == IP_6)
        memset(network.bytes + 8, 0, 8);
    return network;
}

// The guesser's place, or the one that is forgotten for it: whose time is over first.
static struct guesser *find(struct denials *denials, const struct ip *from) {
    struct guesser *oldest = denials->guessers;
    for (size_t i = 0; i < denials->count; i++) {
        struct guesser *guesser = &denials->guessers[i];
        if (guesser->from.family == from->family &&
            memcmp(guesser->from.bytes, from->bytes, sizeof from->bytes) == 0)
            return guesser;
        if (guesser->clear_ns < oldest->clear_ns)
            oldest = guesser;
    }
    if (denials->count < DENIALS_ADDRESSES)
        oldest = &denials->guessers[denials->count++];
    *oldest = (struct guesser){.from = *from};
    return oldest;
}

static unsigned wrong_token(struct denials *denials, const struct ip *from, uint64_t now_ns) {
    struct ip network = network_of(from);
    struct guesser *guesser = find(denials, &network);
    uint64_t most = now_ns + DENIALS_BURST * REFILL_NS;
    if (guesser->clear_ns < now_ns)
        guesser->clear_ns = now_ns;
    guesser->clear_ns += REFILL_NS;
    if (guesser->clear_ns <= most)
        return 0;
    guesser->clear_ns = most; // one who goes on is let off as soon as one who stops
    return DENIALS_REFILL_S;
}

static void log_one(struct denials *denials, enum access_verdict verdict, const struct ip *from,
                    uint64_t now_ns) {
    char text[IP_TEXT];
    ip_text(from, text);
    log_rationed(&denials->ration, now_ns, "a change was refused at the admin API", "client=%s reason=%s",
                 text, access_reason_name(verdict));
}

unsigned denials_note(struct denials *denials, enum access_verdict verdict, const struct ip *from,
                      uint64_t now_ns) {
    must(verdict != ACCESS_ALLOWED && verdict < ACCESS_VERDICTS);
    unsigned wait_s = verdict == ACCESS_TOKEN_WRONG ? wrong_token(denials, from, now_ns) : 0;
    *(wait_s ? &denials->limited : &denials->denied[verdict]) += 1;
    log_one(denials, verdict, from, now_ns);
    return wait_s;
}

void denials_write(const struct denials *denials, struct exposition *out) {
    exposition_family(out, FAMILY_ADMIN_DENIED);
    for (int verdict = ACCESS_ALLOWED + 1; verdict < ACCESS_VERDICTS; verdict++)
        exposition_u64(out, FAMILY_ADMIN_DENIED,
                       &(struct label){"reason", access_reason_name((enum access_verdict)verdict)}, 1,
                       denials->denied[verdict]);
    exposition_u64(out, FAMILY_ADMIN_DENIED, &(struct label){"reason", "rate_limited"}, 1, denials->limited);
}
