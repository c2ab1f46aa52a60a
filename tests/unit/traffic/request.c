#include "request.h"

#include "base/strbuf.h"
#include "unit.h"

void request_open(struct request *request, const char *lines, const char *body) {
    *request = (struct request){0};
    arena_init(&request->arena, 4096);
    struct strbuf raw = {0};
    for (; *lines; lines++)
        *lines == '\n' ? strbuf_literal(&raw, "\r\n") : strbuf_char(&raw, *lines);
    strbuf_literal(&raw, "\r\n\r\n");
    struct slice bytes = arena_copy(&request->arena, strbuf_as_slice(&raw));
    strbuf_free(&raw);

    const struct head_limits limits = {.target_bytes = 64 * 1024, .head_bytes = 256 * 1024};
    enum reject reject = REJECT_NONE;
    assert_int_equal(head_read_request(bytes, &limits, &request->head, &reject), HEAD_COMPLETE);
    struct request_view *view = &request->view;
    view->head = &request->head;
    view->arena = &request->arena;
    assert_true(uri_split(request->head.target, &view->uri));
    view->path = uri_normal_path(view->uri.path_only, &request->arena);
    const struct field *host = head_find(&request->head, FIELD_HOST);
    if (host)
        assert_true(uri_host(host->value, &view->host));
    view->client_ip = SLICE("203.0.113.9");
    view->body = slice_of(body);
}

void request_close(struct request *request) {
    arena_free(&request->arena);
}
