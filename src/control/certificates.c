#include "certificates.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/exposition.h"

#define DAY_S    86400
#define NOTICE_S (14 * DAY_S) // before the end

void certificates_add(struct certificates *certificates, const struct certificate *certificate) {
    for (size_t i = 0; i < certificates->count; i++) {
        const struct certificate *known = &certificates->items[i];
        if (known->listener == certificate->listener && known->pool == certificate->pool &&
            strcmp(known->path, certificate->path) == 0)
            return;
    }
    certificates->items =
        mem_resize(certificates->items, (certificates->count + 1) * sizeof *certificates->items);
    certificates->items[certificates->count++] = *certificate;
}

void certificates_free(struct certificates *certificates) {
    mem_free(certificates->items);
    *certificates = (struct certificates){0};
}

// ---- warnings

enum state { STATE_GOOD, STATE_EARLY, STATE_ENDING, STATE_OVER };

static enum state state_at(const struct certificate *certificate, int64_t now) {
    if (certificate->validity.until <= now)
        return STATE_OVER;
    if (certificate->validity.from > now)
        return STATE_EARLY;
    return certificate->validity.until - now < NOTICE_S ? STATE_ENDING : STATE_GOOD;
}

static const char *time_text(int64_t seconds, char text[CLOCK_ISO_BYTES]) {
    clock_iso(seconds > 0 ? (uint64_t)seconds * 1000 : 0, text);
    return text;
}

static void warn(const struct certificate *certificate, int64_t now, struct outcome *outcome) {
    char text[CLOCK_ISO_BYTES];
    int64_t until = certificate->validity.until;
    switch (state_at(certificate, now)) {
    case STATE_OVER:
        outcome_warn(outcome, certificate->place, "certificate %s has expired, at %s", certificate->path,
                     time_text(until, text));
        break;
    case STATE_EARLY:
        outcome_warn(outcome, certificate->place, "certificate %s is not valid before %s", certificate->path,
                     time_text(certificate->validity.from, text));
        break;
    case STATE_ENDING:
        outcome_warn(outcome, certificate->place, "certificate %s expires at %s, %lld days from now",
                     certificate->path, time_text(until, text), (long long)((until - now) / DAY_S));
        break;
    case STATE_GOOD:
        break;
    }
}

void certificates_warn(const struct certificates *certificates, uint64_t now_ms, struct outcome *outcome) {
    for (size_t i = 0; i < certificates->count; i++)
        warn(&certificates->items[i], (int64_t)(now_ms / 1000), outcome);
}

static void log_one(const struct certificate *certificate, int64_t now) {
    char text[CLOCK_ISO_BYTES];
    const char *kind = certificate->listener ? "listener" : "pool";
    const char *name = certificate->listener ? certificate->listener : certificate->pool;
    int64_t until = certificate->validity.until;
    switch (state_at(certificate, now)) {
    case STATE_OVER:
        log_warn("certificate has expired", "%s=%s certificate=%s expired=%s", kind, name, certificate->path,
                 time_text(until, text));
        break;
    case STATE_EARLY:
        log_warn("certificate is not valid yet", "%s=%s certificate=%s valid_from=%s", kind, name,
                 certificate->path, time_text(certificate->validity.from, text));
        break;
    case STATE_ENDING:
        log_warn("certificate expires soon", "%s=%s certificate=%s expires=%s days=%lld", kind, name,
                 certificate->path, time_text(until, text), (long long)((until - now) / DAY_S));
        break;
    case STATE_GOOD:
        break;
    }
}

bool certificates_tick(struct certificates *certificates, uint64_t now_ms) {
    // A clock that was set back starts the day anew.
    if (certificates->told_ms && now_ms >= certificates->told_ms &&
        now_ms - certificates->told_ms < DAY_S * UINT64_C(1000))
        return false;
    certificates->told_ms = now_ms;
    for (size_t i = 0; i < certificates->count; i++)
        log_one(&certificates->items[i], (int64_t)(now_ms / 1000));
    return true;
}

// ---- metric

void certificates_write(const struct certificates *certificates, struct exposition *out) {
    exposition_family(out, FAMILY_CERTIFICATE_EXPIRY);
    for (size_t i = 0; i < certificates->count; i++) {
        const struct certificate *certificate = &certificates->items[i];
        struct label labels[] = {{certificate->listener ? "listener" : "pool",
                                  certificate->listener ? certificate->listener : certificate->pool},
                                 {"certificate", certificate->path}};
        exposition_double(out, FAMILY_CERTIFICATE_EXPIRY, labels, 2, (double)certificate->validity.until);
    }
}
