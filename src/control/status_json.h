// status_json: what is running, as JSON (docs/api.md). Control thread; changes nothing.
#pragma once
#include "control.h"
#include "control/emit.h"

void status_write(const struct control *control, struct strbuf *out); // GET /api/v1/status
void status_write_route(const struct control *control, size_t route, struct strbuf *out); // …/routes/ROUTE
// …/routes/ROUTE/history: of the last hour, the points later than `since` (seconds since 1970).
void status_write_history(const struct control *control, size_t route, uint32_t since, struct strbuf *out);
