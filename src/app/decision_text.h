// decision_text: decisions of the controller and of people, for people, from the API's JSON (docs/api.md).
// Appended to a text, with colours where stdout has them.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

// With all that was known when it was taken: the lines of `sluice explain`.
void decision_text_whole(struct strbuf *out, const json_t *decision);
// In one line without its end: "rollback by the controller: step 2 (…) -> rolled_back (…): because".
void decision_text_line(struct strbuf *out, const json_t *decision);
// What a person's command did: "chat: rolled back from 5 % to 0 %", and why in a second line. `answer` is the
// API's to the command.
void decision_text_done(struct strbuf *out, const json_t *answer);
