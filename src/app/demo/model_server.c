#include "model_server.h"

#include "answer.h"
#include "chat.h"
#include "embedding.h"
#include "plain.h"

#include <event2/buffer.h>
#include <event2/http.h>

#define BODY_MOST (256 << 20)
#define HEAD_MOST 65536
#define ANY       0xffff

enum what { CHAT, COMPLETION, EMBEDDING, MODELS, HEALTH, BYTES, ECHO, HEADERS, SETTINGS, CHANGE };
struct rule {
    const char *path; // one that ends with / takes an argument
    unsigned methods; // evhttp's bits; GET stands for HEAD too
    enum what what;
    const char *allow;
};
static const struct rule rules[] = {
    {"/v1/chat/completions", EVHTTP_REQ_POST, CHAT, "POST"},
    {"/v1/completions", EVHTTP_REQ_POST, COMPLETION, "POST"},
    {"/v1/embeddings", EVHTTP_REQ_POST, EMBEDDING, "POST"},
    {"/v1/models", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, MODELS, "GET, HEAD"},
    {"/health", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, HEALTH, "GET, HEAD"},
    {"/b/", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, BYTES, "GET, HEAD"},
    {"/echo", ANY, ECHO, ""},
    {"/headers", ANY, HEADERS, ""},
    {"/simulate", EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, SETTINGS, "GET, HEAD, POST"},
    {"/simulate", EVHTTP_REQ_POST, CHANGE, "GET, HEAD, POST"},
};
#define RULES (sizeof rules / sizeof *rules)

static bool fits(const struct rule *rule, const char *path) {
    size_t len = strlen(rule->path);
    return rule->path[len - 1] == '/' ? strncmp(path, rule->path, len) == 0 : strcmp(path, rule->path) == 0;
}

// The rule of this path and method; with NULL *allow says what the path takes (NULL: there is no such path).
static const struct rule *find(const char *path, unsigned method, const char **allow) {
    *allow = NULL;
    for (size_t i = 0; i < RULES; i++) {
        if (!fits(&rules[i], path))
            continue;
        if (rules[i].methods & method)
            return &rules[i];
        *allow = rules[i].allow;
    }
    return NULL;
}

// NULL when it is not JSON.
static json_t *read_json(struct evhttp_request *request) {
    struct evbuffer *bytes = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(bytes);
    const char *text = (const char *)evbuffer_pullup(bytes, -1);
    return text ? json_loadb(text, len, 0, NULL) : NULL;
}

static void fail_on_purpose(struct answer *answer) {
    answer_error(answer, 500, "server_error", "this simulated model server fails on purpose");
}

static void answer_model(struct answer *answer, enum what what, const json_t *body) {
    if (!body && what != MODELS) {
        answer_error(answer, 400, "invalid_request_error", "the body is not JSON");
    } else if (model_fails(answer->model)) {
        answer->model->errors++;
        answer_after(answer, model_latency(answer->model), fail_on_purpose);
    } else if (what == MODELS) {
        plain_models(answer);
    } else if (what == EMBEDDING) {
        embedding_answer(answer, body);
    } else {
        chat_answer(answer, body, what == CHAT);
    }
}

static void answer_plain(struct answer *answer, const struct rule *rule, const char *path) {
    json_t *body;
    switch (rule->what) {
    case HEALTH:
        plain_health(answer);
        break;
    case BYTES:
        plain_bytes(answer, path + strlen(rule->path));
        break;
    case ECHO:
        plain_echo(answer);
        break;
    case HEADERS:
        plain_headers(answer);
        break;
    case SETTINGS:
        plain_settings(answer);
        break;
    default:
        body = read_json(answer->request);
        plain_change(answer, body);
        json_decref(body);
    }
}

static void refuse(struct answer *answer, const char *allow) {
    if (allow) {
        answer_header(answer, "Allow", allow);
        answer_error(answer, 405, "invalid_request_error", "this path takes another method");
    } else {
        answer_error(answer, 404, "invalid_request_error", "there is no such path");
    }
}

static void on_request(struct evhttp_request *request, void *context) {
    struct answer *answer = answer_begin(context, request);
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request)), *allow;
    const struct rule *rule = find(path ? path : "", evhttp_request_get_command(request), &allow);
    if (!rule) {
        refuse(answer, allow);
    } else if (rule->what > MODELS) {
        answer_plain(answer, rule, path);
    } else {
        json_t *body = rule->what == MODELS ? NULL : read_json(request);
        answer_model(answer, rule->what, body);
        json_decref(body);
    }
}

void model_server_attach(struct evhttp *http, struct model *model) {
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                         EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
    evhttp_set_max_headers_size(http, HEAD_MOST);
    evhttp_set_max_body_size(http, BODY_MOST);
    evhttp_set_default_content_type(http, NULL);
    evhttp_set_gencb(http, on_request, model);
}
