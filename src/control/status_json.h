// status_json: what is running, as JSON (docs/api.md). Control thread; changes nothing.
#pragma once
#include "control.h"
#include "control/emit.h"

void status_write(const struct control *control, struct strbuf *out); // GET /api/v1/status
void status_write_route(const struct control *control, size_t route, struct strbuf *out); // …/routes/ROUTE
