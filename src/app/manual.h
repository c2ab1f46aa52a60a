// manual: the page sluice(1), from the table of commands and options (docs/man/sluice.1).
#pragma once
#include "app/options.h"
#include "base/strbuf.h"

void manual_write(struct strbuf *out, const struct command *commands, int count);
