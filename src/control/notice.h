// notice: the text of a notification, made of a decision's JSON record (controller_emit_decision). Pure.
#pragma once
#include "config/rollout.h"

// NOTIFY_JSON: the record as it is. NOTIFY_SLACK: {"text": "*chat* rollback, canary 5 % → 0 %, … — because"}.
struct strbuf;
void notice_write(enum notify_format format, struct slice record, struct strbuf *out);
