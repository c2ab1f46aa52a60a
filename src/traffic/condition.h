// condition: the part of a route's match that no index answers: methods, headers, JSON. Pure; any thread.
#pragma once
#include "config/config.h"
#include "traffic/pointer.h"
#include "traffic/view.h"

bool condition_head(const struct match_config *match, const struct head *head);
// `document` may be NULL: then only a match without JSON conditions holds.
bool condition_json(const struct match_config *match, const struct document *document);
