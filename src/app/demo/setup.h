// setup: the configuration file of the demo. Pure.
#pragma once
#include "base/strbuf.h"
#include "stage.h"

void setup_write(struct strbuf *yaml, const struct settings *settings, const struct scratch *scratch,
                 const unsigned model_ports[STAGE_MODELS]);
