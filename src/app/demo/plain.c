#include "plain.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/emit.h"

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <strings.h>
#include <sys/queue.h>

#define JSON        "application/json"
#define BYTES_MOST  (1ull << 30)
#define BLOCK       65536
#define MS_MOST     600000.0
#define TOKENS_MOST 1000000

void plain_health(struct answer *answer) {
    struct emit emit = {.out = &answer->body};
    emit_object(&emit);
    emit_text(emit_name(&emit, "status"), "ok");
    emit_end(&emit, '}');
    answer_send(answer, 200, JSON);
}

void plain_models(struct answer *answer) {
    struct emit emit = {.out = &answer->body};
    emit_object(&emit);
    emit_text(emit_name(&emit, "object"), "list");
    emit_array(emit_name(&emit, "data"));
    emit_object(&emit);
    emit_text(emit_name(&emit, "id"), answer->model->id);
    emit_text(emit_name(&emit, "object"), "model");
    emit_u64(emit_name(&emit, "created"), 0);
    emit_text(emit_name(&emit, "owned_by"), answer->model->name);
    emit_end(&emit, '}');
    emit_end(&emit, ']');
    emit_end(&emit, '}');
    answer_send(answer, 200, JSON);
}

void plain_bytes(struct answer *answer, const char *count) {
    static char block[BLOCK];
    uint64_t left;
    if (!slice_to_u64(slice_of(count), &left) || left > BYTES_MOST) {
        answer_error(answer, 400, "invalid_request_error", "/b/N takes a number of bytes, at most 1 GiB");
        return;
    }
    if (!block[0])
        memset(block, 'x', sizeof block);
    struct evbuffer *bytes = evbuffer_new();
    must(bytes != NULL);
    while (left) { // references: a gigabyte costs no memory
        size_t part = left < BLOCK ? (size_t)left : BLOCK;
        must(evbuffer_add_reference(bytes, block, part, NULL, NULL) == 0);
        left -= part;
    }
    answer_send_bytes(answer, 200, "application/octet-stream", bytes);
    evbuffer_free(bytes);
}

void plain_echo(struct answer *answer) {
    const char *type = evhttp_find_header(evhttp_request_get_input_headers(answer->request), "Content-Type");
    answer_send_bytes(answer, 200, type ? type : "application/octet-stream",
                      evhttp_request_get_input_buffer(answer->request));
}

// A header that came several times is shown once, with its values joined as HTTP allows.
static void join(struct strbuf *value, const struct evkeyvalq *headers, const struct evkeyval *first) {
    const struct evkeyval *next;
    strbuf_clear(value);
    TAILQ_FOREACH(next, headers, next) {
        if (strcasecmp(next->key, first->key) != 0)
            continue;
        if (next != first)
            strbuf_literal(value, ", ");
        strbuf_string(value, next->value);
    }
}

static bool is_first(const struct evkeyvalq *headers, const struct evkeyval *header) {
    const struct evkeyval *other;
    TAILQ_FOREACH(other, headers, next) {
        if (strcasecmp(other->key, header->key) == 0)
            return other == header;
    }
    return true;
}

void plain_headers(struct answer *answer) {
    struct emit emit = {.out = &answer->body};
    struct strbuf value = {0};
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(answer->request);
    const struct evkeyval *header;
    emit_object(&emit);
    emit_text(emit_name(&emit, "server"), answer->model->name);
    emit_text(emit_name(&emit, "target"), evhttp_request_get_uri(answer->request));
    emit_object(emit_name(&emit, "headers"));
    TAILQ_FOREACH(header, headers, next) {
        if (!is_first(headers, header))
            continue;
        join(&value, headers, header);
        emit_slice(emit_name(&emit, header->key), strbuf_as_slice(&value));
    }
    emit_end(&emit, '}');
    emit_end(&emit, '}');
    strbuf_free(&value);
    answer_send(answer, 200, JSON);
}

void plain_settings(struct answer *answer) {
    const struct model *model = answer->model;
    struct emit emit = {.out = &answer->body};
    emit_object(&emit);
    emit_text(emit_name(&emit, "name"), model->name);
    emit_text(emit_name(&emit, "model"), model->id);
    emit_number(emit_name(&emit, "latency_ms"), (double)model->latency_us / 1e3, 3);
    emit_number(emit_name(&emit, "jitter_ms"), (double)model->jitter_us / 1e3, 3);
    emit_number(emit_name(&emit, "token_delay_ms"), (double)model->token_delay_us / 1e3, 3);
    emit_u64(emit_name(&emit, "tokens"), model->tokens);
    emit_number(emit_name(&emit, "error_rate"), model->error_rate, 2);
    emit_u64(emit_name(&emit, "requests"), model->requests);
    emit_u64(emit_name(&emit, "errors"), model->errors);
    emit_u64(emit_name(&emit, "aborted"), model->aborted);
    emit_u64(emit_name(&emit, "active"), model->active - 1); // besides this one
    emit_end(&emit, '}');
    answer_send(answer, 200, JSON);
}

static bool set_us(uint64_t *us, const json_t *value) {
    double ms = json_number_value(value);
    if (!json_is_number(value) || !(ms >= 0) || ms > MS_MOST)
        return false;
    *us = (uint64_t)(ms * 1e3);
    return true;
}

static bool set_one(struct model *model, const char *name, const json_t *value) {
    if (strcmp(name, "latency_ms") == 0)
        return set_us(&model->latency_us, value);
    if (strcmp(name, "jitter_ms") == 0)
        return set_us(&model->jitter_us, value);
    if (strcmp(name, "token_delay_ms") == 0)
        return set_us(&model->token_delay_us, value);
    if (strcmp(name, "tokens") == 0) {
        json_int_t tokens = json_integer_value(value);
        if (!json_is_integer(value) || tokens < 0 || tokens > TOKENS_MOST)
            return false;
        model->tokens = (unsigned)tokens;
        return true;
    }
    if (strcmp(name, "error_rate") == 0 && json_is_number(value)) {
        double rate = json_number_value(value);
        if (!(rate >= 0) || rate > 100)
            return false;
        model->error_rate = rate;
        return true;
    }
    return false;
}

// All of it or nothing.
void plain_change(struct answer *answer, const json_t *body) {
    struct model changed = *answer->model;
    const char *name;
    json_t *value;
    bool good = json_is_object(body);
    json_object_foreach((json_t *)(uintptr_t)body, name, value) {
        good = good && set_one(&changed, name, value);
    }
    if (!good) {
        answer_error(answer, 400, "invalid_request_error",
                     "settings are latency_ms, jitter_ms, token_delay_ms, tokens, error_rate (percent)");
        return;
    }
    *answer->model = changed;
    plain_settings(answer);
}
