// usage_keys: what an answer's JSON is looked through for (http/usage.h), by kind of answer. Pure.
#pragma once
#include "http/usage.h"

enum usage_number { PROMPT, COMPLETION, TOTAL };
enum usage_id {
    ID_PROMPT = PROMPT,
    ID_COMPLETION = COMPLETION,
    ID_TOTAL = TOTAL,
    ID_USAGE,
    ID_ENVELOPE,
    ID_ERROR,
    ID_ERROR_TYPE,
    ID_TYPE,
    ID_CHOICES,
    ID_DELTA,
    ID_TEXT, // content when it is a text that is not empty
    ID_CALL, // content when it is an object
    ID_TOKEN,
    ID_FINISH,
    ID_STATUS,
    ID_REASON, // why it is incomplete
    ID_OVER,   // a text: the stream's last event
};

extern const struct skim_key usage_body_keys[]; // of a JSON body
// Of an event, by the stream's shape.
struct usage_event_keys {
    const struct skim_key *keys;
    char letters[4]; // that the names of the telling ones begin with; empty: every event is read
};
extern const struct usage_event_keys usage_event_keys[];
