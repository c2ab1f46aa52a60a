// baggage: the W3C `baggage` field (https://www.w3.org/TR/baggage/) as far as the arm of a linked experiment
// travels in it: `sluice.NAME=VARIANT`, with the property `override` when a tester chose it. Pure; any
// thread. Members that are not ours are never read and stay byte for byte. A member is ours when its key
// begins with BAGGAGE_OURS once percent-encoding is undone: who carries baggage on may undo it.
#pragma once
#include "base/strbuf.h"
#include "http/head.h"

#define BAGGAGE_OURS    "sluice."
#define BAGGAGE_MEMBERS 64   // 3.3.2: so many are passed on by everybody
#define BAGGAGE_BYTES   8192 // … and so many bytes

struct baggage_arm {
    struct slice variant; // as it stands there; compare by baggage_says. at == NULL: there is none
    bool by_override;
};

// What the request says of `key` ("sluice.NAME"), in any of its lines; of several the last counts. Dropped
// fields are read too: they are not for the next hop, but for us.
struct baggage_arm baggage_find(const struct head *head, struct slice key);
// Whether a value, percent-encoded or not, is that text.
bool baggage_says(struct slice value, struct slice text);
// Whether a field that is passed on has a member of ours, of whatever experiment.
bool baggage_has_ours(const struct head *head);

// Writes one field `baggage` in place of all that the head has, which are marked (drop): their members,
// joined in order, those of ours left out when `strip`, and `key` = arm in its place, or at the end. Without
// key.at nothing is set. What would pass BAGGAGE_MEMBERS or BAGGAGE_BYTES is not set: the others go on
// without it. Nothing is written when nothing is left.
void baggage_write(struct head *head, bool strip, struct slice key, const struct baggage_arm *arm,
                   struct strbuf *out);
