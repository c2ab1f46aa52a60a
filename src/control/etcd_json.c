#include "etcd_json.h"

#include "base/base64.h"
#include "control/emit.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

// ---- requests

static void put_number(struct emit *emit, const char *name, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    emit_text(emit_name(emit, name), text);
}

static void put_bytes(struct emit *emit, const char *name, struct slice bytes) {
    struct strbuf text = {0};
    base64_write(bytes, &text);
    emit_slice(emit_name(emit, name), strbuf_as_slice(&text));
    strbuf_free(&text);
}

// Keys from `key` up to, not with, range_end. After all keys with a prefix comes the prefix whose last byte
// that can be is one greater; where there is none, "\0" stands for the end of all keys.
static void put_end(struct emit *emit, struct slice key) {
    static const struct slice zero = {"", 1};
    while (key.len && (unsigned char)key.at[key.len - 1] == 0xff)
        key.len--;
    if (!key.len) {
        put_bytes(emit, "range_end", zero);
        return;
    }
    struct strbuf end = {0};
    strbuf_slice(&end, key);
    end.at[end.len - 1] = (char)((unsigned char)end.at[end.len - 1] + 1);
    put_bytes(emit, "range_end", strbuf_as_slice(&end));
    strbuf_free(&end);
}

// The first key after another one is that one and a zero byte.
static void put_keys(struct emit *emit, const struct etcd_range *range) {
    struct strbuf first = {0};
    strbuf_slice(&first, range->prefix && range->after.len ? range->after : range->key);
    if (range->prefix && (range->after.len || !range->key.len))
        strbuf_char(&first, '\0');
    put_bytes(emit, "key", strbuf_as_slice(&first));
    if (range->prefix && range->before.len)
        put_bytes(emit, "range_end", range->before);
    else if (range->prefix)
        put_end(emit, range->key);
    strbuf_free(&first);
}

void etcd_json_grant(int64_t ttl_s, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    put_number(&emit, "TTL", ttl_s);
    emit_end(&emit, '}');
}

void etcd_json_lease(int64_t lease, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    put_number(&emit, "ID", lease);
    emit_end(&emit, '}');
}

static void put_range(struct emit *emit, const struct etcd_range *range) {
    emit_object(emit);
    put_keys(emit, range);
    if (range->limit)
        put_number(emit, "limit", range->limit);
    if (range->revision)
        put_number(emit, "revision", range->revision);
    if (range->descending)
        emit_text(emit_name(emit, "sort_order"), "DESCEND");
    emit_end(emit, '}');
}

void etcd_json_range(const struct etcd_range *range, struct strbuf *out) {
    struct emit emit = {.out = out};
    put_range(&emit, range);
}

static void put_compare(struct emit *emit, const struct etcd_compare *compare) {
    static const struct {
        const char *target, *field;
    } names[] = {
        [ETCD_CREATE_REVISION] = {"CREATE", "create_revision"},
        [ETCD_MOD_REVISION] = {"MOD", "mod_revision"},
        [ETCD_LEASE] = {"LEASE", "lease"},
        [ETCD_VALUE] = {"VALUE", "value"},
        [ETCD_ALL_OLDER] = {"MOD", "mod_revision"},
    };
    emit_object(emit);
    put_keys(emit, &(struct etcd_range){.key = compare->key, .prefix = compare->what == ETCD_ALL_OLDER});
    emit_text(emit_name(emit, "result"), compare->what == ETCD_ALL_OLDER ? "LESS" : "EQUAL");
    emit_text(emit_name(emit, "target"), names[compare->what].target);
    if (compare->what == ETCD_VALUE)
        put_bytes(emit, names[compare->what].field, compare->value);
    else
        put_number(emit, names[compare->what].field, compare->number);
    emit_end(emit, '}');
}

static void put_operation(struct emit *emit, const struct etcd_operation *operation) {
    emit_object(emit);
    if (operation->verb == ETCD_RANGE) {
        put_range(emit_name(emit, "request_range"), &operation->at);
    } else if (operation->verb == ETCD_DELETE) {
        emit_object(emit_name(emit, "request_delete_range"));
        put_keys(emit, &operation->at);
        emit_end(emit, '}');
    } else {
        emit_object(emit_name(emit, "request_put"));
        put_bytes(emit, "key", operation->at.key);
        put_bytes(emit, "value", operation->value);
        if (operation->lease)
            put_number(emit, "lease", operation->lease);
        emit_end(emit, '}');
    }
    emit_end(emit, '}');
}

static void put_branch(struct emit *emit, const char *name, const struct etcd_operation *at, size_t count) {
    emit_array(emit_name(emit, name));
    for (size_t i = 0; i < count; i++)
        put_operation(emit, &at[i]);
    emit_end(emit, ']');
}

void etcd_json_txn(const struct etcd_txn *txn, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_array(emit_name(&emit, "compare"));
    for (size_t i = 0; i < txn->compare_count; i++)
        put_compare(&emit, &txn->compares[i]);
    emit_end(&emit, ']');
    put_branch(&emit, "success", txn->then, txn->then_count);
    put_branch(&emit, "failure", txn->otherwise, txn->otherwise_count);
    emit_end(&emit, '}');
}

void etcd_json_authenticate(const char *username, const char *password, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "name"), username);
    emit_text(emit_name(&emit, "password"), password);
    emit_end(&emit, '}');
}

// fragment: what does not fit into one message of etcd's comes in several, instead of one of any size.
void etcd_json_watch(struct slice prefix, int64_t from_revision, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_object(emit_name(&emit, "create_request"));
    put_keys(&emit, &(struct etcd_range){.key = prefix, .prefix = true});
    if (from_revision)
        put_number(&emit, "start_revision", from_revision);
    emit_bool(emit_name(&emit, "progress_notify"), true);
    emit_bool(emit_name(&emit, "fragment"), true);
    emit_end(&emit, '}');
    emit_end(&emit, '}');
    strbuf_char(out, '\n');
}

void etcd_json_ask(struct strbuf *out) {
    strbuf_literal(out, "{\"progress_request\":{}}\n");
}

// ---- answers. What is absent, or null, is zero, false or empty.

static json_t *member(const json_t *object, const char *name) {
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static bool get_number(const json_t *object, const char *name, int64_t *number) {
    const json_t *value = member(object, name);
    *number = 0;
    if (!value)
        return true;
    if (json_is_integer(value)) {
        *number = json_integer_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    if (!text || (text[0] != '-' && (text[0] < '0' || text[0] > '9')))
        return false;
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && json_string_length(value) == (size_t)(end - text);
}

static bool get_bool(const json_t *object, const char *name, bool *is) {
    const json_t *value = member(object, name);
    *is = json_is_true(value);
    return !value || json_is_boolean(value);
}

static bool get_bytes(const json_t *object, const char *name, struct arena *arena, struct slice *bytes) {
    const json_t *value = member(object, name);
    *bytes = SLICE_NONE;
    if (!value)
        return true;
    struct slice text = slice_make(json_string_value(value), json_string_length(value));
    if (!text.at)
        return false;
    char *at = arena_alloc(arena, BASE64_BYTES(text.len) + 1);
    bytes->at = at;
    return base64_read(text, at, &bytes->len);
}

static bool get_text(const json_t *object, const char *name, struct arena *arena, const char **text) {
    const json_t *value = member(object, name);
    *text = NULL;
    if (!value)
        return true;
    if (!json_is_string(value))
        return false;
    *text = arena_string(arena, slice_make(json_string_value(value), json_string_length(value)));
    return true;
}

// NULL: it is no object.
static json_t *load(struct slice json, size_t flags) {
    json_t *root = json.at ? json_loadb(json.at, json.len, flags, NULL) : NULL;
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

static bool get_pair(const json_t *value, struct arena *arena, struct etcd_pair *pair) {
    return json_is_object(value) && get_bytes(value, "key", arena, &pair->key) &&
           get_bytes(value, "value", arena, &pair->value) &&
           get_number(value, "create_revision", &pair->create_revision) &&
           get_number(value, "mod_revision", &pair->mod_revision) && get_number(value, "lease", &pair->lease);
}

// Without the member "header" it is no answer of etcd's.
static bool get_revision(const json_t *object, int64_t *revision) {
    const json_t *header = member(object, "header");
    return json_is_object(header) && get_number(header, "revision", revision);
}

// ---- ranges

static bool count_pairs(const json_t *range, size_t *count) {
    const json_t *list = member(range, "kvs");
    *count += json_array_size(list);
    return json_is_object(range) && (!list || json_is_array(list));
}

static bool add_pairs(const json_t *range, struct arena *arena, struct etcd_pair *pairs,
                      struct etcd_answer *answer) {
    const json_t *list = member(range, "kvs");
    bool more;
    if (!get_bool(range, "more", &more))
        return false;
    answer->more |= more;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!get_pair(json_array_get(list, i), arena, &pairs[answer->pair_count++]))
            return false;
    return true;
}

static bool get_range(const json_t *root, struct arena *arena, struct etcd_answer *answer) {
    size_t count = 0;
    if (!count_pairs(root, &count))
        return false;
    struct etcd_pair *pairs = arena_zero(arena, count, sizeof *pairs);
    answer->pairs = pairs;
    return add_pairs(root, arena, pairs, answer);
}

static bool get_txn(const json_t *root, struct arena *arena, struct etcd_answer *answer) {
    const json_t *list = member(root, "responses");
    size_t count = 0;
    if (!get_bool(root, "succeeded", &answer->succeeded) || (list && !json_is_array(list)))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *range = member(json_array_get(list, i), "response_range");
        if (range && !count_pairs(range, &count))
            return false;
    }
    struct etcd_pair *pairs = arena_zero(arena, count, sizeof *pairs);
    answer->pairs = pairs;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!add_pairs(member(json_array_get(list, i), "response_range"), arena, pairs, answer))
            return false;
    return true;
}

// ---- whole answers

static bool get_lease(const json_t *object, struct etcd_answer *answer) {
    return get_number(object, "ID", &answer->lease) && get_number(object, "TTL", &answer->ttl_s) &&
           answer->lease != 0;
}

bool etcd_json_answer(enum etcd_kind kind, struct slice json, struct arena *arena,
                      struct etcd_answer *answer) {
    *answer = (struct etcd_answer){0};
    bool stream = kind == ETCD_CALL_KEEP_ALIVE; // of one answer; something may follow it
    json_t *root = load(json, stream ? JSON_DISABLE_EOF_CHECK : 0);
    const json_t *object = stream ? member(root, "result") : root;
    bool good = get_revision(object, &answer->revision);
    if (good && (kind == ETCD_CALL_GRANT || kind == ETCD_CALL_KEEP_ALIVE))
        good = get_lease(object, answer);
    else if (good && kind == ETCD_CALL_RANGE)
        good = get_range(object, arena, answer);
    else if (good && kind == ETCD_CALL_TXN)
        good = get_txn(object, arena, answer);
    json_decref(root);
    return good;
}

bool etcd_json_token(struct slice json, struct arena *arena, const char **token) {
    json_t *root = load(json, 0);
    bool good = get_text(root, "token", arena, token) && *token && **token;
    json_decref(root);
    return good;
}

// {"error":"…","code":5} of a call, {"error":{"grpc_code":14,"message":"…"}} of a stream.
static bool get_refusal(const json_t *root, struct arena *arena, struct etcd_refusal *refusal) {
    const json_t *error = member(root, "error");
    bool whole = json_is_object(error) ? get_number(error, "grpc_code", &refusal->code) &&
                                             get_text(error, "message", arena, &refusal->message)
                                       : get_number(root, "code", &refusal->code) &&
                                             get_text(root, "error", arena, &refusal->message);
    return whole && refusal->message;
}

bool etcd_json_refusal(struct slice json, struct arena *arena, struct etcd_refusal *refusal) {
    *refusal = (struct etcd_refusal){0};
    json_t *root = load(json, 0);
    bool good = get_refusal(root, arena, refusal);
    json_decref(root);
    return good;
}

// ---- watches

static bool get_events(const json_t *result, struct arena *arena, struct etcd_news *news) {
    const json_t *list = member(result, "events");
    if (list && !json_is_array(list))
        return false;
    news->pair_count = json_array_size(list);
    struct etcd_pair *pairs = arena_zero(arena, news->pair_count, sizeof *pairs);
    news->pairs = pairs;
    for (size_t i = 0; i < news->pair_count; i++) {
        const json_t *event = json_array_get(list, i);
        const char *type = json_string_value(member(event, "type"));
        pairs[i].deleted = type && strcmp(type, "DELETE") == 0;
        if (type && !pairs[i].deleted && strcmp(type, "PUT") != 0)
            return false;
        if (!get_pair(member(event, "kv"), arena, &pairs[i]))
            return false;
    }
    return true;
}

static bool get_news(const json_t *result, struct arena *arena, struct etcd_news *news) {
    int64_t watch;
    bool good = get_revision(result, &news->revision) && get_number(result, "watch_id", &watch) &&
                get_bool(result, "created", &news->created) &&
                get_bool(result, "canceled", &news->canceled) &&
                get_bool(result, "fragment", &news->fragment) &&
                get_number(result, "compact_revision", &news->compact_revision) &&
                get_text(result, "cancel_reason", arena, &news->reason) && get_events(result, arena, news);
    if (good)
        news->broadcast = watch == -1 && !news->created && !news->canceled;
    return good;
}

bool etcd_json_news(struct slice json, struct arena *arena, struct etcd_news *news) {
    *news = (struct etcd_news){0};
    json_t *root = load(json, 0);
    const json_t *result = member(root, "result");
    bool good = result ? get_news(result, arena, news) : get_refusal(root, arena, &news->error);
    json_decref(root);
    return good;
}
