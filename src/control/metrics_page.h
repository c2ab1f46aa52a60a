// metrics_page: GET /metrics. Control thread; changes nothing.
#pragma once
#include "control.h"
#include "metrics/exposition.h"

void metrics_page_write(const struct control *control, struct exposition *out);
