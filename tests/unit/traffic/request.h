// request: a request as the decision sees it, made from its text. For tests.
#pragma once
#include "traffic/view.h"

struct request {
    struct head head;
    struct arena arena;
    struct request_view view;
};
// `lines`: the head without its final empty line, "\n" ends a line ("GET / HTTP/1.1\nHost: a"). body NULL:
// not collected.
void request_open(struct request *request, const char *lines, const char *body);
void request_close(struct request *request);
