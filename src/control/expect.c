#include "expect.h"

#include "traffic/pointer.h"

#include <stdio.h>

static bool status_met(const struct probe_expect_config *expect, long status) {
    if (expect->status_count == 0)
        return status >= 200 && status < 300;
    for (size_t i = 0; i < expect->status_count; i++)
        if (expect->status[i] == status)
            return true;
    return false;
}

static bool contains(struct slice body, const char *text) {
    size_t len = strlen(text);
    return len == 0 || (body.len >= len && memmem(body.at, body.len, text, len) != NULL);
}

static bool pointers_met(const struct pointer_list *wanted, struct slice body, char *why, size_t why_size) {
    if (wanted->count == 0)
        return true;
    struct document *document = document_parse(body);
    if (!document) {
        snprintf(why, why_size, "the body is not JSON");
        return false;
    }
    bool met = true;
    for (size_t i = 0; met && i < wanted->count; i++) {
        met = document_equals(document, wanted->items[i].pointer, wanted->items[i].json);
        if (!met)
            snprintf(why, why_size, "%s in the body is not %s", wanted->items[i].pointer,
                     wanted->items[i].json);
    }
    document_free(document);
    return met;
}

bool expect_met(const struct probe_expect_config *expect, const struct expect_answer *answer, char *why,
                size_t why_size) {
    if (answer->error && answer->error[0]) {
        snprintf(why, why_size, "%s", answer->error);
        return false;
    }
    if (!status_met(expect, answer->status)) {
        snprintf(why, why_size, "status %ld", answer->status);
        return false;
    }
    bool looks_inside = expect->body_contains || expect->json.count;
    if (answer->truncated && looks_inside) {
        snprintf(why, why_size, "the body is longer than 1 MiB");
        return false;
    }
    if (expect->body_contains && !contains(answer->body, expect->body_contains)) {
        snprintf(why, why_size, "the body does not contain \"%s\"", expect->body_contains);
        return false;
    }
    if (!pointers_met(&expect->json, answer->body, why, why_size))
        return false;
    if (expect->latency > 0 && answer->took_ms > expect->latency) {
        snprintf(why, why_size, "took %lld ms, more than %lld ms", (long long)answer->took_ms,
                 (long long)expect->latency);
        return false;
    }
    snprintf(why, why_size, "ok");
    return true;
}
