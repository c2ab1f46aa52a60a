#include "share_record.h"

#include "base/base64.h"
#include "base/mem.h"
#include "control/emit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1

void share_record_free(struct share_record *record) {
    mem_free(record->version);
    strbuf_free(&record->text);
    *record = (struct share_record){0};
}

static void emit_hex(struct emit *emit, const char *name, uint64_t value) {
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)value);
    emit_text(emit_name(emit, name), text);
}

void share_record_write(const struct share_record *record, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_u64(emit_name(&emit, "format"), FORMAT);
    emit_u64(emit_name(&emit, "serial"), record->serial);
    emit_hex(&emit, "nonce", record->nonce);
    emit_text(emit_name(&emit, "by"), record->by);
    emit_u64(emit_name(&emit, "epoch"), record->epoch);
    emit_u64(emit_name(&emit, "shares"), record->shares);
    emit_hex(&emit, "spec", record->spec);
    emit_text(emit_name(&emit, "version"), record->version);
    emit_raw(emit_name(&emit, "record"), strbuf_as_slice(&record->text));
    emit_end(&emit, '}');
}

static bool read_hex(const json_t *root, const char *key, uint64_t *value) {
    const char *text = json_string_value(json_object_get(root, key));
    char *end;
    if (!text || strlen(text) != 16)
        return false;
    *value = strtoull(text, &end, 16);
    return !*end;
}

static bool read_count(const json_t *root, const char *key, uint64_t most, uint64_t *value) {
    const json_t *number = json_object_get(root, key);
    json_int_t read = json_integer_value(number);
    if (!json_is_integer(number) || read < 0 || (uint64_t)read > most)
        return false;
    *value = (uint64_t)read;
    return true;
}

static bool read_all(struct share_record *record, const json_t *root) {
    const char *by = json_string_value(json_object_get(root, "by"));
    const char *version = json_string_value(json_object_get(root, "version"));
    const json_t *text = json_object_get(root, "record");
    uint64_t epoch, shares;
    if (!by || strlen(by) >= SHARE_BY_BYTES || !version || !json_is_object(text) ||
        !read_count(root, "serial", INT64_MAX, &record->serial) ||
        !read_count(root, "epoch", UINT32_MAX, &epoch) || !read_count(root, "shares", UINT32_MAX, &shares) ||
        !read_hex(root, "nonce", &record->nonce) || !read_hex(root, "spec", &record->spec))
        return false;
    record->epoch = (uint32_t)epoch;
    record->shares = (uint32_t)shares;
    memcpy(record->by, by, strlen(by) + 1);
    record->version = mem_copy_string(version);
    char *dumped = json_dumps(text, JSON_COMPACT | JSON_REAL_PRECISION(17));
    strbuf_string(&record->text, dumped);
    free(dumped);
    return true;
}

bool share_record_read(struct share_record *record, struct slice text, struct error *error) {
    json_t *root = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
    *record = (struct share_record){0};
    bool read = json_is_object(root) || error_set(error, "it is no JSON object");
    if (read && json_integer_value(json_object_get(root, "format")) != FORMAT)
        read = error_set(error, "its format is not %d", FORMAT);
    if (read && !read_all(record, root))
        read = error_set(error, "something is missing in it, or cannot be");
    json_decref(root);
    return read;
}

// ---- the ledger

void share_ledger_write(uint64_t serial, struct slice ledger, struct strbuf *out) {
    strbuf_format(out, "%llu ", (unsigned long long)serial);
    base64_write(ledger, out);
}

uint64_t share_ledger_serial(struct slice text) {
    uint64_t serial = 0;
    for (size_t i = 0; i < text.len && i < 19 && text.at[i] >= '0' && text.at[i] <= '9'; i++)
        serial = serial * 10 + (uint64_t)(text.at[i] - '0');
    return serial;
}

bool share_ledger_read(struct slice text, uint64_t serial, struct strbuf *ledger) {
    char wanted[24];
    size_t len = (size_t)snprintf(wanted, sizeof wanted, "%llu ", (unsigned long long)serial), bytes;
    if (text.len < len || memcmp(text.at, wanted, len) != 0)
        return false;
    struct slice coded = slice_make(text.at + len, text.len - len);
    char *room = mem_alloc(BASE64_BYTES(coded.len) + 1);
    bool read = base64_read(coded, room, &bytes);
    if (read)
        strbuf_append(ledger, room, bytes);
    mem_free(room);
    return read;
}
