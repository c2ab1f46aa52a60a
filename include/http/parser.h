// parser: llhttp's opinion of a head that head.h and framing.h have accepted. The two must agree, else the
// message is ambiguous and refused (REJECT_PARSERS_DISAGREE). It is asked about every head that is not
// framing->plain; that it agrees about those is what the tests ask it. Pure; any thread. The one place that
// wraps llhttp.
#pragma once
#include "http/framing.h"

bool parser_agrees_on_request(struct slice head_bytes, const struct head *head,
                              const struct framing *framing);
bool parser_agrees_on_response(struct slice head_bytes, const struct head *head,
                               const struct framing *framing, bool to_head);
bool parser_is_strict(void); // llhttp was built with LLHTTP_STRICT_MODE; asserted by a test
