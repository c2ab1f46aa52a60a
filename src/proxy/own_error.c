#include "proxy/own_error.h"
#include "base/mem.h"
#include "http/reject.h"

struct info {
    unsigned status;
    const char *name, *text;
    const char *counter; // what it raises besides sluice_requests_total
    const char *when, *advice;
};
#define REJECTED(reason) "`sluice_rejected_requests_total{reason=\"" reason "\"}`"
#define FAILED(reason)   "`sluice_request_errors_total{reason=\"" reason "\"}`"

static const struct info infos[OWN_ERRORS] = {
    [OWN_ERROR_NO_ROUTE] = {404, "no_route", "no route matches this request", REJECTED("no_route"),
                            "no route's `match` holds",
                            "compare host, path, method and headers with `routes`"},
    [OWN_ERROR_BODY_TOO_LARGE] = {413, "body_too_large", "the request body is larger than allowed",
                                  REJECTED("body_too_large"), "the body is past `limits.body_bytes`",
                                  "raise the limit if such bodies are meant"},
    [OWN_ERROR_BODY_TOO_LARGE_TO_EDIT] =
        {413, "body_too_large_to_edit", "the request body is larger than what can be prepared for this model",
         REJECTED("body_too_large_to_edit"),
         "the variant edits the body, and it is past `limits.buffered_body_bytes`", "raise the limit"},
    [OWN_ERROR_BODY_CODED] = {415, "body_coded", "the request body must come without Content-Encoding",
                              REJECTED("body_coded"),
                              "the variant edits the body, and it has a `Content-Encoding`",
                              "let clients send it plain"},
    [OWN_ERROR_BODY_NOT_JSON] = {400, "body_not_json", "the request body is not valid JSON",
                                 REJECTED("body_not_json"),
                                 "the variant edits the body, and it is no JSON to its end",
                                 "correct the client, or its Content-Type when it is no JSON at all"},
    [OWN_ERROR_BODY_TOO_DEEP] = {400, "body_too_deep", "the request body is nested too deeply",
                                 REJECTED("body_too_deep"),
                                 "the variant edits the body, and it has more than 128 levels of nesting",
                                 "a broken or a hostile client"},
    [OWN_ERROR_BODY_NO_PLACE] =
        {400, "body_no_place", "a field of the request body has another type than it should have",
         REJECTED("body_no_place"),
         "a pointer of `request.json` leads through a field that is neither object nor array, or past an "
         "array's end",
         "see whether the pointer or the client is wrong"},
    [OWN_ERROR_HEADER_TIMEOUT] = {408, "header_timeout", "the request head did not arrive in time",
                                  REJECTED("header_timeout"),
                                  "a request head was begun and not finished within `timeouts.client_header`",
                                  "a slow or a hostile client; nothing to do for few of them"},
    [OWN_ERROR_BODY_TIMEOUT] = {408, "body_timeout", "the request body did not arrive in time",
                                REJECTED("body_timeout"),
                                "the client was silent inside its body for `timeouts.client_idle`, or its "
                                "body was not there when `timeouts.total` passed",
                                "a slow client, or a body shorter than its Content-Length"},
    [OWN_ERROR_CONNECTIONS] = {503, "connections", "too many connections", REJECTED("connections"),
                               "`limits.connections` clients are connected, or three quarters of what the "
                               "limit of open files leaves to the "
                               "data path; under TLS the connection is only closed",
                               "raise the limit (and the limit of open files), or add instances"},
    [OWN_ERROR_REQUESTS] = {503, "requests", "too many requests at once; try again later",
                            REJECTED("requests"), "`limits.requests` are under way",
                            "raise the limit, or add instances"},
    [OWN_ERROR_MEMORY] = {503, "memory", "too much is held in memory; try again later", REJECTED("memory"),
                          "buffers and bodies take `limits.memory`: new requests, heads that come in pieces "
                          "and bodies that are still being collected are refused; what was sent on goes on",
                          "raise the limit, lower `buffered_body_bytes`, or add instances"},
    [OWN_ERROR_QUEUE_FULL] = {503, "queue_full", "the model servers are busy; try again later",
                              FAILED("overloaded"),
                              "every endpoint is at `max_inflight` and `queue.size` wait",
                              "add endpoints, or raise `max_inflight`"},
    [OWN_ERROR_QUEUE_TIMEOUT] = {503, "queue_timeout", "the model servers are busy; try again later",
                                 FAILED("overloaded"), "it waited for `queue.timeout`",
                                 "add endpoints, or raise `max_inflight`"},
    [OWN_ERROR_DESCRIPTORS] = {503, "descriptors", "no connection can be opened; try again later",
                               FAILED("overloaded"),
                               "the limit of open files is reached, and no idle connection was left to close",
                               "raise the limit of open files (`LimitNOFILE`)"},
    [OWN_ERROR_NO_ENDPOINT] = {503, "no_endpoint", "no model server is available", FAILED("connect"),
                               "every endpoint of the pool is unhealthy, drained or ejected",
                               "`sluice status` says which and why"},
    [OWN_ERROR_CONNECT_FAILED] = {502, "connect_failed", "the model server cannot be reached",
                                  FAILED("connect"), "the endpoint refused the connection or is unreachable",
                                  "see whether it runs and listens where the pool says"},
    [OWN_ERROR_CONNECT_TIMEOUT] =
        {504, "connect_timeout", "the model server did not accept a connection in time",
         FAILED("connect_timeout"), "no connection, or no TLS handshake, within `timeouts.connect`",
         "a firewall that drops, or an endpoint whose queue of connections is full"},
    [OWN_ERROR_TLS_FAILED] =
        {502, "tls_failed", "the model server cannot be reached under TLS", FAILED("tls"),
         "the endpoint's handshake failed or its certificate is not to be trusted",
         "the log says why (`TLS handshake with an endpoint failed`); see the pool's `tls`"},
    [OWN_ERROR_UPSTREAM_RESET] = {502, "upstream_reset",
                                  "the model server closed the connection without an answer", FAILED("reset"),
                                  "the connection ended before a whole response head",
                                  "the endpoint crashed or was stopped; see its own log"},
    [OWN_ERROR_BAD_RESPONSE] = {502, "bad_response", "the model server's answer is malformed",
                                FAILED("bad_response"), "the answer could be read in two ways, or not at all",
                                "the log says what is wrong with it (`response refused`)"},
    [OWN_ERROR_FIRST_BYTE_TIMEOUT] = {504, "first_byte_timeout", "the model server did not answer in time",
                                      FAILED("timeout"), "no response began within `timeouts.first_byte`",
                                      "a stuck or an overloaded model; or raise the time-out"},
    [OWN_ERROR_TOTAL_TIMEOUT] = {504, "total_timeout", "the request took longer than it may",
                                 FAILED("timeout"), "`timeouts.total` passed before the response began",
                                 "as above; past the beginning the response is cut short instead"},
};

static const struct info *info_of(enum own_error error) {
    must((unsigned)error < OWN_ERRORS);
    return &infos[error];
}

unsigned own_error_status(enum own_error error) {
    return info_of(error)->status;
}

const char *own_error_name(enum own_error error) {
    return info_of(error)->name;
}

const char *own_error_text(enum own_error error) {
    return info_of(error)->text;
}

static const char introduction[] =
    "# The proxy's own errors\n\n"
    "What the proxy answers by itself, and nothing else, carries `X-Sluice-Error: NAME`. The same name "
    "stands in the "
    "answer's\nJSON (`{\"error\":{\"code\":\"NAME\",\"message\":…,\"request_id\":…}}` for clients that "
    "accept JSON, else "
    "one line of text), in\nthe access log's `reply` (its `error` is what the variant is charged with) and, "
    "for refusals, in the counter's `reason`. An answer "
    "with 503 "
    "carries `Retry-After`. Every one\nis counted in `sluice_requests_total` by its class (`4xx`, `5xx`) as "
    "well. This "
    "page is generated from the program's own\ntables; every row is produced by a test.\n\n";

static const char refusals[] =
    "\n## Requests that are refused as malformed\n\n"
    "Nothing of a malformed head reaches an upstream. Where chunks turn out malformed, what "
    "came before may have,\nbut not their end: the upstream sees its connection "
    "close. Either way the client's connection ends. Each raises\n"
    "`sluice_rejected_requests_total{reason=\"NAME\"}`.\n\n"
    "| status | X-Sluice-Error, log `reply` | when |\n| --- | --- | --- |\n";

static const char unanswered[] =
    "\n## Connections that end without an answer\n\n"
    "| reason | when | log line |\n| --- | --- | --- |\n"
    "| `handshakes` | more TLS handshakes than `limits.handshakes` at once | none |\n"
    "| `tls_handshake` | the TLS handshake failed or took longer than `timeouts.handshake` | `TLS handshake "
    "failed` "
    "with `client` and `reason` |\n"
    "| `proxy_protocol` | on a listener with `proxy_protocol: true`: no or no valid PROXY header, late, or "
    "from a peer "
    "outside `trusted_proxies` | `PROXY protocol: connection refused` with `client` and `reason` |\n"
    "\nEach raises `sluice_rejected_requests_total{reason=…}`. A response that breaks off behind its head "
    "cannot be "
    "answered any\nmore: the client sees a body without its end (`cut_short` in "
    "`sluice_request_errors_total` and in the "
    "log's `end`).\n";

void own_error_reference(struct strbuf *out) {
    strbuf_string(out, introduction);
    strbuf_literal(out, "| status | X-Sluice-Error, log `reply` | counter | when | what to do |\n"
                        "| --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < OWN_ERRORS; i++)
        strbuf_format(out, "| %u | `%s` | %s | %s | %s |\n", infos[i].status, infos[i].name, infos[i].counter,
                      infos[i].when, infos[i].advice);
    strbuf_string(out, refusals);
    for (int i = REJECT_NONE + 1; i < REJECT_COUNT; i++)
        if (reject_status((enum reject)i) != 502) // of responses: the client is told `bad_response`
            strbuf_format(out, "| %u | `%s` | %s |\n", reject_status((enum reject)i),
                          reject_name((enum reject)i), reject_text((enum reject)i));
    strbuf_string(out, unanswered);
}
