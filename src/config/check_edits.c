// What a variant changes in its requests: headers, fields of the body, the system prompt.
#include "base/file.h"
#include "check.h"
#include "value.h"
#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#define EDITS_MOST  64           // fields of the body that one variant sets, and that it removes
#define PROMPT_MOST (256 * 1024) // bytes

static bool frames_message(const char *name) {
    static const char *const framing[] = {
        "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "TE", "Trailer"};
    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
        if (strcasecmp(name, framing[i]) == 0)
            return true;
    return false;
}

static void check_headers(struct check *check, const struct variant_config *variant) {
    const struct request_edit_config *edit = variant->request;
    for (size_t i = 0; i < edit->set_headers.count; i++) {
        const struct header_config *header = &edit->set_headers.items[i];
        if (frames_message(header->name))
            report_add(check->report, place_of_field(check, header, variant->place), NULL,
                       "`%s` frames the message and cannot be set", header->name);
    }
    for (size_t i = 0; i < edit->remove_headers.count; i++) {
        const char **name = &edit->remove_headers.items[i];
        struct place place = place_of_field(check, name, variant->place);
        if (!token_valid(*name))
            report_add(check->report, place, NULL, "\"%.100s\" is not a header name", *name);
        else if (frames_message(*name))
            report_add(check->report, place, NULL, "`%s` frames the message and cannot be removed", *name);
        else if (strcasecmp(*name, "Host") == 0)
            report_add(check->report, place, NULL, "a request needs `Host`: it can be set, not removed");
    }
}

static void too_many(struct check *check, const void *field, const struct variant_config *variant,
                     const char *key, size_t count) {
    if (count > EDITS_MOST)
        report_add(check->report, place_of_field(check, field, variant->place), NULL,
                   "`%s` has %zu entries; at most %d are possible", key, count, EDITS_MOST);
}

static void check_fields(struct check *check, const struct variant_config *variant) {
    const struct request_edit_config *edit = variant->request;
    too_many(check, &edit->json, variant, "json", edit->json.count);
    too_many(check, &edit->remove_json, variant, "remove_json", edit->remove_json.count);
    for (size_t i = 0; i < edit->json.count; i++)
        if (!edit->json.items[i].pointer[0])
            report_add(check->report, place_of_field(check, &edit->json, variant->place), "write /field",
                       "the whole body cannot be set");
    for (size_t i = 0; i < edit->remove_json.count; i++) {
        const char **pointer = &edit->remove_json.items[i];
        struct place place = place_of_field(check, pointer, variant->place);
        if (!pointer_valid(*pointer))
            report_add(check->report, place, "write /field/0/field", "\"%.100s\" is not a JSON pointer",
                       *pointer);
        else if (!**pointer)
            report_add(check->report, place, "write /field", "the whole body cannot be removed");
        for (size_t k = 0; k < edit->json.count; k++)
            if (**pointer && strcmp(*pointer, edit->json.items[k].pointer) == 0)
                report_add(check->report, place, NULL, "`%.100s` is set by `json` as well", *pointer);
    }
}

// ---- the system prompt

static bool is_text(struct slice text) {
    while (text.len) {
        size_t len = text.at[0] ? slice_utf8(text) : 0;
        if (!len)
            return false;
        text = slice_from(text, len);
    }
    return true;
}

// Editors end a file with a line's end, which is none of the prompt.
static struct slice without_line_end(struct slice text) {
    if (text.len && text.at[text.len - 1] == '\n')
        text.len--;
    if (text.len && text.at[text.len - 1] == '\r')
        text.len--;
    return text;
}

static const char *as_json(struct check *check, struct slice text) {
    struct strbuf json = {0};
    strbuf_json(&json, text);
    const char *result = arena_string(check->arena, strbuf_as_slice(&json));
    strbuf_free(&json);
    return result;
}

static void read_prompt(struct check *check, const struct variant_config *variant) {
    struct request_edit_config *edit = variant->request;
    const char *path = edit->system_prompt_file;
    struct place place = place_of_field(check, &edit->system_prompt_file, variant->place);
    struct strbuf text = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || !file_read_all(fd, &text, PROMPT_MOST)) {
        report_add(check->report, place, NULL, "cannot read system_prompt_file %.300s: %s", path,
                   errno == EFBIG ? "it is larger than 256 KiB" : strerror(errno));
    } else if (!is_text(strbuf_as_slice(&text))) {
        report_add(check->report, place, NULL, "system_prompt_file %.300s is not UTF-8 text", path);
    } else {
        struct slice prompt = without_line_end(strbuf_as_slice(&text));
        edit->system_prompt = as_json(check, prompt);
        if (!prompt.len)
            report_add(check->report, place, NULL, "system_prompt_file %.300s is empty", path);
    }
    if (fd >= 0)
        close(fd);
    strbuf_free(&text);
}

void check_edits(struct check *check, const struct variant_config *variant) {
    if (!variant->request)
        return;
    check_headers(check, variant);
    check_fields(check, variant);
    if (variant->request->system_prompt_file)
        read_prompt(check, variant);
}
