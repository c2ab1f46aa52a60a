// What every request does, one piece at a time, to be counted by callgrind: subjects NAME TIMES. Prints what
// it has done, so that nothing is optimised away and every count is of work that was right.
#include "base/mem.h"
#include "config/config.h"
#include "http/body.h"
#include "http/hop.h"
#include "http/parser.h"
#include "http/usage.h"
#include "http/writer.h"
#include "io/outbox.h"
#include "traffic/decide.h"
#include "traffic/match.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char request_bytes[] =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: models.example.com\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nUser-Agent: AsyncOpenAI/Python 1.52.0\r\nX-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 1.52.0\r\nAuthorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n"
    "X-User-Id: user-4711\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nContent-Length: "
    "1024\r\n\r\n";
static const char response_bytes[] =
    "HTTP/1.1 200 OK\r\ndate: Tue, 24 Nov 2026 10:00:00 GMT\r\nserver: uvicorn\r\ncontent-length: 1024\r\n"
    "content-type: application/json\r\nx-request-id: 0123456789abcdef\r\n\r\n";
static const char chunked_bytes[] =
    "HTTP/1.1 200 OK\r\ndate: Tue, 24 Nov 2026 10:00:00 GMT\r\nserver: uvicorn\r\n"
    "content-type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char event_bytes[] =
    "data: "
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1795514400,\"model\":\"m\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
    "word\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
static const char config_text[] =
    "listeners: [{address: '127.0.0.1:0'}]\npools:\n  blue: {endpoints: ['http://127.0.0.1:1']}\n"
    "  green: {endpoints: ['http://127.0.0.1:2']}\nroutes:\n  - name: chat\n    match: {path_prefix: /v1/}\n"
    "    sticky: {by: [header X-User-Id]}\n    variants:\n      blue: {pool: blue, weight: 95}\n"
    "      green: {pool: green, weight: 5}\n";

#define TEXT(bytes) slice_make((bytes), sizeof(bytes) - 1)

static const struct head_limits limits = {8192, 32768};
static struct head head;
static struct framing framing;

static void read_request(void) {
    enum reject reject;
    must(head_read_request(TEXT(request_bytes), &limits, &head, &reject) == HEAD_COMPLETE);
}

static size_t parse_request(size_t times) {
    for (size_t i = 0; i < times; i++) {
        read_request();
        must(framing_of_request(&head, &framing) == REJECT_NONE && framing.plain && framing.length == 1024);
    }
    return head.field_count;
}

static size_t parse_answer(size_t times, struct slice bytes, enum body_kind kind) {
    enum reject reject;
    for (size_t i = 0; i < times; i++) {
        must(head_read_response(bytes, &limits, &head, &reject) == HEAD_COMPLETE);
        must(framing_of_response(&head, false, &framing) == REJECT_NONE && framing.kind == kind);
        must(framing.plain || parser_agrees_on_response(bytes, &head, &framing, false));
    }
    return head.field_count;
}

static size_t parse_response(size_t times) {
    return parse_answer(times, TEXT(response_bytes), BODY_LENGTH);
}

// With the second opinion.
static size_t parse_chunked_response(size_t times) {
    return parse_answer(times, TEXT(chunked_bytes), BODY_CHUNKED);
}

// The route, the unit, its bucket and variant.
static size_t split(size_t times) {
    struct diagnostics diagnostics = {0};
    struct config *config = config_parse("subjects.yaml", TEXT(config_text), &diagnostics);
    must(config != NULL);
    struct matcher *matcher = matcher_new(config);
    struct live_route route;
    struct arena arena;
    arena_init(&arena, 4096);
    read_request();
    live_route_init(&route, &config->routes[0]);
    struct request_view view = {
        .head = &head, .arena = &arena, .host = SLICE("models.example.com"), .path = head.target};
    must(uri_split(head.target, &view.uri));
    const uint64_t numbers[2] = {1, 2};
    struct decision decision;
    for (size_t i = 0; i < times; i++) {
        bool needs_body;
        must(matcher_route(matcher, &view, &needs_body) == 0 && !needs_body);
        decide(&route, &view, numbers, &decision);
    }
    arena_free(&arena);
    matcher_free(matcher);
    config_unref(config);
    return decision.bucket;
}

// The head as it goes on.
static size_t headers(size_t times) {
    struct strbuf out = {0};
    read_request();
    for (size_t i = 0; i < times; i++) {
        strbuf_clear(&out);
        hop_mark_request(&head, false);
        write_request_line(&out, head.method, head.target);
        write_kept_fields(&out, &head);
        write_field(&out, SLICE("Via"), SLICE("1.1 sluice"));
    }
    size_t len = out.len;
    strbuf_free(&out);
    return len;
}

// A head and a body of 1 KiB to a socket; what the kernel does is not counted.
static size_t write_answer(size_t times) {
    static char body[1024], thrown[4096];
    int pair[2];
    size_t total = 0;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    struct stream stream = {.fd = pair[0]};
    struct outbox outbox = {0};
    for (size_t i = 0; i < times; i++) {
        struct segment segments[] = {segment_copied(TEXT(response_bytes)), segment_stays(TEXT(body))};
        must(outbox_send(&outbox, &stream, segments, 2) == STREAM_DONE);
        ssize_t n = read(pair[1], thrown, sizeof thrown);
        must(n > 0);
        total += (size_t)n;
    }
    close(pair[0]);
    close(pair[1]);
    return total / times;
}

static size_t chunks(size_t times) {
    static char bytes[1100];
    struct body body;
    enum reject reject;
    size_t data, used, total = 0;
    int line = snprintf(bytes, sizeof bytes, "400\r\n");
    framing = (struct framing){.kind = BODY_CHUNKED};
    for (size_t i = 0; i < times; i++) {
        memcpy(bytes, "400\r\n", (size_t)line);
        memcpy(bytes + line + 1024, "\r\n", 2);
        body_start(&body, &framing);
        must(body_feed(&body, bytes, (size_t)line + 1026, &data, &used, &reject) == BODY_MORE);
        total += data;
    }
    return total / times;
}

// A stream's event, read for its tokens.
static size_t event(size_t times) {
    struct usage usage = {0};
    usage_start(&usage, SLICE("text/event-stream"), SLICE_NONE);
    for (size_t i = 0; i < times; i++)
        usage_feed(&usage, TEXT(event_bytes));
    size_t contents = usage.contents;
    usage_end(&usage);
    return contents / times;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        size_t (*run)(size_t times);
    } subjects[] = {
        {"parse_request", parse_request},
        {"parse_response", parse_response},
        {"parse_chunked_response", parse_chunked_response},
        {"split", split},
        {"headers", headers},
        {"write", write_answer},
        {"chunks", chunks},
        {"event", event},
    };
    for (size_t i = 0; argc == 3 && i < sizeof subjects / sizeof *subjects; i++) {
        if (strcmp(argv[1], subjects[i].name) != 0)
            continue;
        printf("%zu\n", subjects[i].run(strtoul(argv[2], NULL, 10)));
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        printf("%s\n", subjects[i].name);
    return argc == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
