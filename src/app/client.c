#include "app/client.h"

#include "app/version.h"
#include "control/fetch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 60000 // a reload of a large file answers when every worker uses it
#define LOOK_MS     10000 // who looks again and again wants to know that it hangs

void client_encode(struct strbuf *path, const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     strchr("-._~", *c);
        if (plain)
            strbuf_char(path, (char)*c);
        else
            strbuf_format(path, "%%%02X", *c);
    }
}

// The token of --token-file or the environment; false when the file cannot be read.
static bool find_token(const struct invocation *invocation, char *token, size_t size, const char **found) {
    *found = getenv("SLUICE_TOKEN");
    if (!invocation->token_file) {
        if (*found && !**found)
            *found = NULL;
        return true;
    }
    FILE *file = fopen(invocation->token_file, "re");
    bool read = file && fgets(token, (int)size, file);
    int code = errno;
    if (file)
        fclose(file);
    if (!read) {
        fprintf(stderr, "sluice: cannot read the token file %s: %s\n", invocation->token_file,
                file ? "it is empty" : strerror(code));
        return false;
    }
    token[strcspn(token, "\r\n")] = '\0';
    *found = token;
    return true;
}

static void make_url(const struct invocation *invocation, const char *path, struct strbuf *url,
                     const char **unix_path) {
    struct slice admin = slice_of(invocation->admin);
    *unix_path = NULL;
    if (slice_starts(admin, SLICE("unix:"))) {
        *unix_path = admin.at + 5;
        strbuf_format(url, "http://localhost%s", path);
        return;
    }
    while (admin.len && admin.at[admin.len - 1] == '/')
        admin.len--;
    bool complete = slice_starts(admin, SLICE("http://")) || slice_starts(admin, SLICE("https://"));
    const char *scheme = complete ? "" : "http://";
    strbuf_format(url, "%s%.*s%s", scheme, (int)admin.len, admin.at, path);
}

static int judge(const struct invocation *invocation, bool answered, const struct fetch_answer *answer,
                 bool quietly) {
    if (!answered) {
        if (!quietly)
            fprintf(stderr, "sluice: cannot reach the daemon at %s: %s\n", invocation->admin, answer->error);
        return EXIT_UNREACHABLE;
    }
    return answer->status >= 200 && answer->status < 300 ? EXIT_DONE : EXIT_REFUSED;
}

struct manner {
    bool quietly;
    int64_t timeout_ms;
};

static int call(const struct invocation *invocation, const char *path, const char *body, struct manner manner,
                struct strbuf *out) {
    struct strbuf url = {0};
    char token_text[4096];
    const char *token, *unix_path;
    static struct header_config json_body = {"Content-Type", "application/json"};
    struct header_list headers = {&json_body, body ? 1 : 0};
    if (!find_token(invocation, token_text, sizeof token_text, &token))
        return EXIT_USAGE;
    make_url(invocation, path, &url, &unix_path);
    struct pool_tls_config tls = {.ca = invocation->ca,
                                  .certificate = invocation->certificate,
                                  .private_key = invocation->certificate,
                                  .verify = true};
    char agent[64];
    snprintf(agent, sizeof agent, "sluice/%s", version_text());
    struct fetch_request request = {
        .method = body ? "POST" : "GET",
        .url = strbuf_text(&url),
        .headers = &headers,
        .body = slice_of(body),
        .user_agent = agent,
        .bearer = token,
        .unix_path = unix_path,
        .tls = &tls,
        .timeout_ms = manner.timeout_ms,
        .most_body = (size_t)256 << 20,
    };
    struct fetch_answer answer = {0};
    fetch_setup();
    int result = judge(invocation, fetch_wait(&request, &answer), &answer, manner.quietly);
    *out = answer.body;
    explicit_bzero(token_text, sizeof token_text);
    strbuf_free(&url);
    return result;
}

static const struct manner patient = {.timeout_ms = PATIENCE_MS};

int client_call_quietly(const struct invocation *invocation, const char *path, const char *body,
                        struct strbuf *out) {
    return call(invocation, path, body, patient, out);
}

static void print_refusal(const struct invocation *invocation, const struct strbuf *body) {
    json_t *root = body->len ? json_loadb(body->at, body->len, 0, NULL) : NULL;
    const char *message = json_string_value(json_object_get(json_object_get(root, "error"), "message"));
    fprintf(stderr, "sluice %s: %s\n", invocation->command->name,
            message ? message : "the daemon refused without saying why (is this its admin address?)");
    json_decref(root);
}

int client_tell(const struct invocation *invocation, int result, const struct strbuf *out) {
    if (result == EXIT_REFUSED && invocation->json)
        fwrite(out->at ? out->at : "", 1, out->len, stdout);
    else if (result == EXIT_REFUSED)
        print_refusal(invocation, out);
    return result;
}

int client_call(const struct invocation *invocation, const char *path, const char *body, struct strbuf *out) {
    return client_tell(invocation, call(invocation, path, body, patient, out), out);
}

int client_ask(const struct invocation *invocation, const char *path, struct strbuf *out, bool quietly) {
    return call(invocation, path, NULL, (struct manner){quietly, LOOK_MS}, out);
}

int client_print(const struct invocation *invocation, const char *path,
                 void (*write)(struct strbuf *out, const json_t *answer)) {
    struct strbuf answer = {0}, text = {0};
    int result = client_call(invocation, path, NULL, &answer);
    if (result == EXIT_DONE && invocation->json) {
        fwrite(answer.at, 1, answer.len, stdout);
    } else if (result == EXIT_DONE) {
        json_t *root = json_loadb(answer.at, answer.len, 0, NULL);
        write(&text, root);
        fwrite(text.at ? text.at : "", 1, text.len, stdout);
        json_decref(root);
    }
    strbuf_free(&answer);
    strbuf_free(&text);
    return result;
}

void client_route_path(struct strbuf *path, const struct invocation *invocation, const char *tail) {
    strbuf_literal(path, "/api/v1/routes/");
    client_encode(path, invocation->arguments[0]);
    strbuf_format(path, "%s%s", *tail ? "/" : "", tail);
}
