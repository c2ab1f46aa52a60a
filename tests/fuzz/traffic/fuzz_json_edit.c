// json_edit: a JSON body and what is done to it. The input: lines "sPOINTER VALUE" (set), "rPOINTER" (remove)
// and "fPOINTER VALUE" (in front of an array), an empty line, the text. What is JSON stays JSON; the value is
// where it was put; all else means what it meant, byte for byte where one value is replaced; the model is a
// tree of jansson's.
#include "../fuzz.h"
#include "../strict_json.h"
#include "base/arena.h"
#include "config/config.h"
#include "http/rewrite.h"
#include "model.h"
#include "traffic/body_edit.h"
#include "traffic/pointer.h"

#include <stdlib.h>

#define EDITS      4
#define DEPTH_MOST 128

struct job {
    struct rewrite edits[EDITS];
    size_t count;
    struct slice text;
    char *lines[EDITS];
};

// False: the line is no edit that a configuration could hold.
static bool read_edit(char *line, struct rewrite *edit) {
    char *space = strchr(line, ' ');
    unsigned depth;
    if (*line != 'r' && !space)
        return false;
    if (*line != 'r') {
        *space = '\0';
        edit->value = space + 1;
        size_t len = strlen(edit->value);
        if (!len || strchr(" \t\r\n", *edit->value) || strchr(" \t\r\n", edit->value[len - 1]) ||
            !strict_json(slice_of(edit->value), &depth) || !strict_utf8(slice_of(edit->value)) || depth > 20)
            return false;
    }
    edit->pointer = line + 1;
    edit->in_front = *line == 'f';
    return (*line == 's' || *line == 'f' || *line == 'r') && *edit->pointer && pointer_valid(edit->pointer) &&
           strict_utf8(slice_of(edit->pointer));
}

static bool read_job(struct slice input, struct job *job) {
    bool valid = true;
    job->count = 0;
    for (struct slice line; (line = fuzz_line(&input)).len && valid && job->count < EDITS; job->count++) {
        job->edits[job->count] = (struct rewrite){0};
        job->lines[job->count] = strndup(line.at, line.len);
        valid = read_edit(job->lines[job->count], &job->edits[job->count]);
    }
    job->text = input;
    return valid;
}

// What is not replaced stays byte for byte.
static void check_replaced(const struct job *job, struct slice out) {
    const struct rewrite *edit = &job->edits[0];
    struct slice before = rewrite_find(job->text, edit->pointer);
    if (!edit->value || edit->in_front || !before.at || model_has_twins(job->text))
        return;
    size_t front = (size_t)(before.at - job->text.at), back = job->text.len - front - before.len;
    must(out.len == front + strlen(edit->value) + back);
    must(memcmp(out.at, job->text.at, front) == 0);
    must(memcmp(out.at + out.len - back, before.at + before.len, back) == 0);
}

static void check_found(const struct rewrite *edit, struct slice out) {
    struct slice found = rewrite_find(out, edit->pointer);
    size_t len = strlen(edit->pointer);
    if (edit->in_front || (len > 1 && strcmp(edit->pointer + len - 2, "/-") == 0))
        return; // leads behind the last element
    if (edit->value)
        must(found.at && slice_equal(found, slice_of(edit->value)));
}

static bool readable_values(const struct job *job) {
    for (size_t i = 0; i < job->count; i++)
        if (job->edits[i].value && model_has_twins(slice_of(job->edits[i].value)))
            return false;
    return true;
}

static void check_edits(const struct job *job) {
    struct strbuf out = {0};
    unsigned depth, depth_after = 0;
    bool json = strict_json(job->text, &depth);
    strbuf_literal(&out, "before");
    enum rewrite_result result = rewrite(job->text, job->edits, job->count, &out);
    must(result != REWRITE_INVALID || !json);
    must(json || result == REWRITE_INVALID || result == REWRITE_TOO_DEEP);
    must(result != REWRITE_TOO_DEEP || depth + 40 * job->count > DEPTH_MOST ||
         model_deep(job->edits, job->count));
    must((result == REWRITE_DONE) || out.len == 6);
    must(memcmp(out.at, "before", 6) == 0);
    struct slice after = slice_from(strbuf_as_slice(&out), 6);
    if (result == REWRITE_DONE)
        must(strict_json(after, &depth_after));
    if (json && result != REWRITE_TOO_DEEP && !model_has_twins(job->text) && readable_values(job))
        model_check(job->text, job->edits, job->count, result, after);
    if (result == REWRITE_DONE && job->count == 1)
        check_replaced(job, after);
    if (result == REWRITE_DONE && job->count && depth_after <= DEPTH_MOST)
        check_found(&job->edits[job->count - 1], after);
    strbuf_free(&out);
}

// ---- what a variant and the counting of tokens do

static struct slice text_at(struct slice json, const char *pointer, struct arena *arena) {
    struct document *document = document_parse(json);
    struct slice text = document ? document_text(document, pointer, arena) : SLICE_NONE;
    document_free(document);
    return text.at ? text : SLICE_NONE;
}

static void check_prompt(struct slice text, struct arena *arena) {
    static const struct {
        struct slice path;
        const char *place;
    } apis[] = {{{"/v1/messages", 12}, "/system"},
                {{"/v1/responses", 13}, "/instructions"},
                {{"/v1/chat/completions", 20}, "/messages/0/content"}};
    struct request_edit_config edit = {.system_prompt = "\"be kind\""};
    for (size_t i = 0; i < 3; i++) {
        struct strbuf out = {0};
        unsigned depth;
        if (body_edit(&edit, apis[i].path, text, &out) == REWRITE_DONE) {
            must(strict_json(strbuf_as_slice(&out), &depth));
            struct slice put = text_at(strbuf_as_slice(&out), apis[i].place, arena);
            struct slice messages = rewrite_find(text, "/messages");
            bool placed = i < 2 || (messages.at && messages.at[0] == '[');
            // (jansson refuses more than we do)
            if (placed && put.at)
                must(slice_equal(put, SLICE("be kind")));
            if (!placed)
                must(slice_equal(text, strbuf_as_slice(&out)));
        }
        strbuf_free(&out);
    }
}

// The same edits as a variant has them: what is removed goes first.
static void check_variant(const struct job *job) {
    const char *removed[EDITS];
    struct pointer_config set[EDITS];
    struct request_edit_config edit = {.remove_json.items = removed, .json.items = set};
    struct rewrite edits[EDITS];
    struct strbuf out = {0}, expected = {0};
    size_t count = 0;
    for (size_t i = 0; i < job->count; i++)
        if (!job->edits[i].value)
            removed[edit.remove_json.count++] = (edits[count++] = job->edits[i]).pointer;
    for (size_t i = 0; i < job->count; i++) {
        if (!job->edits[i].value || job->edits[i].in_front)
            continue;
        edits[count++] = job->edits[i];
        set[edit.json.count++] = (struct pointer_config){job->edits[i].pointer, job->edits[i].value};
    }
    must(body_edit_wanted(&edit) == (count > 0));
    must(body_edit(&edit, SLICE("/x"), job->text, &out) == rewrite(job->text, edits, count, &expected));
    must(slice_equal(strbuf_as_slice(&out), strbuf_as_slice(&expected)));
    strbuf_free(&out);
    strbuf_free(&expected);
}

static void check_head(struct slice text) {
    static const char *const types[] = {"application/json", "application/ld+json; x", "text/plain", ""};
    struct head head = {.field_count = 2,
                        .present = FIELD_BIT(FIELD_CONTENT_TYPE) | FIELD_BIT(FIELD_CONTENT_ENCODING)};
    const char *type = types[text.len % 4];
    head.fields[0] = (struct field){.name = SLICE("a"), .value = slice_of(type), .id = FIELD_CONTENT_TYPE};
    head.fields[1] = (struct field){.name = SLICE("b"),
                                    .value = text.len % 8 < 4 ? SLICE("identity") : SLICE("gzip"),
                                    .id = FIELD_CONTENT_ENCODING};
    must(body_edit_applies(&head) == (text.len % 4 != 2));
    must(body_edit_coded(&head) == (text.len % 8 >= 4));
    must(body_edit_may_stream(SLICE("/v1/completions")) && !body_edit_may_stream(SLICE("/v1/embeddings")));
}

static void check_ask(struct slice text, struct arena *arena) {
    struct strbuf out = {0};
    unsigned depth;
    if (body_edit_ask_usage(text, &out)) {
        must(strict_json(strbuf_as_slice(&out), &depth));
        must(
            slice_equal(rewrite_find(strbuf_as_slice(&out), "/stream_options/include_usage"), SLICE("true")));
        must(!body_edit_ask_usage(strbuf_as_slice(&out), &out));
        struct slice asked = text_at(strbuf_as_slice(&out), "/stream_options/include_usage", arena);
        must(!asked.at || slice_equal(asked, SLICE("true")));
    } else {
        must(out.len == 0);
    }
    strbuf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct job job;
    struct arena arena;
    arena_init(&arena, 4096);
    if (read_job(slice_make((const char *)data, size), &job)) {
        check_edits(&job);
        check_variant(&job);
        check_head(job.text);
        check_prompt(job.text, &arena);
        check_ask(job.text, &arena);
    }
    for (size_t i = 0; i < job.count; i++)
        free(job.lines[i]);
    arena_free(&arena);
    return 0;
}
