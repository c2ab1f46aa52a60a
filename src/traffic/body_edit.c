#include "traffic/body_edit.h"

#include "base/mem.h"

static bool ends(struct slice text, struct slice end) {
    return text.len >= end.len && slice_equal(slice_from(text, text.len - end.len), end);
}

bool body_edit_wanted(const struct request_edit_config *edit) {
    return edit && (edit->json.count || edit->remove_json.count || edit->system_prompt);
}

bool body_edit_applies(const struct head *head) {
    const struct field *field = head_find(head, FIELD_CONTENT_TYPE);
    if (!field)
        return true;
    struct slice rest = field->value, type = slice_trim(slice_cut(&rest, ';'));
    if (type.len > 5 && slice_equal_fold(slice_from(type, type.len - 5), SLICE("+json")))
        return true;
    return type.len == 0 || slice_equal_fold(type, SLICE("application/json"));
}

bool body_edit_coded(const struct head *head) {
    const struct field *field = head_find(head, FIELD_CONTENT_ENCODING);
    return field && field->value.len && !slice_equal_fold(field->value, SLICE("identity"));
}

// ---- a variant's edits

static bool is_system(struct slice role) {
    return slice_equal(role, SLICE("\"system\"")) || slice_equal(role, SLICE("\"developer\""));
}

static enum rewrite_result set(struct slice body, const char *pointer, const char *value,
                               struct strbuf *out) {
    struct rewrite edit = {.pointer = pointer, .value = value};
    return rewrite(body, &edit, 1, out);
}

static enum rewrite_result put_first_message(struct slice body, const char *prompt, struct strbuf *out) {
    struct strbuf message = {0};
    strbuf_literal(&message, "{\"role\":\"system\",\"content\":");
    strbuf_string(&message, prompt);
    strbuf_char(&message, '}');
    struct rewrite edit = {.pointer = "/messages", .value = strbuf_text(&message), .in_front = true};
    enum rewrite_result result = rewrite(body, &edit, 1, out);
    strbuf_free(&message);
    return result;
}

static enum rewrite_result set_prompt(const char *prompt, struct slice path, struct slice body,
                                      struct strbuf *out) {
    if (ends(path, SLICE("/messages")))
        return set(body, "/system", prompt, out);
    if (ends(path, SLICE("/responses")))
        return set(body, "/instructions", prompt, out);
    struct slice messages = rewrite_find(body, "/messages");
    if (!messages.at || messages.at[0] != '[')
        return rewrite(body, NULL, 0, out);
    if (is_system(rewrite_find(body, "/messages/0/role")))
        return set(body, "/messages/0/content", prompt, out);
    return put_first_message(body, prompt, out);
}

static enum rewrite_result edit_fields(const struct request_edit_config *edit, struct slice body,
                                       struct strbuf *out) {
    size_t count = edit->remove_json.count + edit->json.count, made = 0;
    struct rewrite *edits = mem_zero(count + 1, sizeof *edits);
    for (size_t i = 0; i < edit->remove_json.count; i++)
        edits[made++].pointer = edit->remove_json.items[i];
    for (size_t i = 0; i < edit->json.count; i++)
        edits[made++] =
            (struct rewrite){.pointer = edit->json.items[i].pointer, .value = edit->json.items[i].json};
    enum rewrite_result result = rewrite(body, edits, made, out);
    mem_free(edits);
    return result;
}

enum rewrite_result body_edit(const struct request_edit_config *edit, struct slice path, struct slice body,
                              struct strbuf *out) {
    if (!edit->system_prompt)
        return edit_fields(edit, body, out);
    struct strbuf fields = {0};
    enum rewrite_result result = edit_fields(edit, body, &fields);
    if (result == REWRITE_DONE)
        result = set_prompt(edit->system_prompt, path, strbuf_as_slice(&fields), out);
    strbuf_free(&fields);
    return result;
}

// ---- asking a stream for its tokens

bool body_edit_may_stream(struct slice path) {
    return ends(path, SLICE("/completions"));
}

bool body_edit_ask_usage(struct slice body, struct strbuf *out) {
    if (!slice_equal(rewrite_find(body, "/stream"), SLICE("true")) ||
        slice_equal(rewrite_find(body, "/stream_options/include_usage"), SLICE("true")))
        return false;
    // Clients also send null for what they do not want to say.
    bool null = slice_equal(rewrite_find(body, "/stream_options"), SLICE("null"));
    return set(body, null ? "/stream_options" : "/stream_options/include_usage",
               null ? "{\"include_usage\":true}" : "true", out) == REWRITE_DONE;
}
