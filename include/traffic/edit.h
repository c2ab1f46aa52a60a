// edit: what a variant changes in the head that goes upstream. Pure.
#pragma once
#include "base/strbuf.h"
#include "config/config.h"
#include "http/head.h"

// Marks (drop) the fields that the variant sets or removes; NULL edit: nothing.
void edit_mark(const struct request_edit_config *edit, struct head *head);
// Whether the variant sets or removes the field of that name.
bool edit_touches(const struct request_edit_config *edit, struct slice name);
void edit_write(const struct request_edit_config *edit, struct strbuf *out); // the fields it sets
