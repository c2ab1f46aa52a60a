#include "http/writer.h"
#include "base/mem.h"

static const char *const reasons[600] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [511] = "Network Authentication Required",
};

const char *status_reason(unsigned status) {
    const char *reason = status < sizeof reasons / sizeof *reasons ? reasons[status] : NULL;
    return reason ? reason : "";
}

void write_request_line(struct strbuf *out, struct slice method, struct slice target) {
    strbuf_reserve(out, method.len + target.len + sizeof "  HTTP/1.1\r\n");
    strbuf_slice(out, method);
    strbuf_char(out, ' ');
    strbuf_slice(out, target);
    strbuf_literal(out, " HTTP/1.1\r\n");
}

void write_status_line(struct strbuf *out, unsigned status, struct slice reason) {
    must(status >= 100 && status <= 999);
    if (reason.len == 0)
        reason = slice_of(status_reason(status));
    char *at = strbuf_reserve(out, sizeof "HTTP/1.1 200 \r\n" + reason.len);
    memcpy(at, "HTTP/1.1 ", 9);
    at[9] = (char)('0' + status / 100);
    at[10] = (char)('0' + status / 10 % 10);
    at[11] = (char)('0' + status % 10);
    at[12] = ' ';
    out->len += 13;
    strbuf_slice(out, reason);
    strbuf_literal(out, "\r\n");
}

void write_kept_fields(struct strbuf *out, const struct head *head) {
    for (size_t i = 0; i < head->field_count; i++)
        if (!head->fields[i].drop)
            write_field(out, head->fields[i].name, head->fields[i].value);
}
