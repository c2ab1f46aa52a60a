#include "http/usage.h"

#include "find.h"

// More tokens than an answer can have: not believed.
#define TOKENS_MOST UINT64_C(1000000000000)

enum number { PROMPT, COMPLETION, TOTAL };
enum {
    ID_PROMPT = PROMPT,
    ID_COMPLETION = COMPLETION,
    ID_TOTAL = TOTAL,
    ID_USAGE,
    ID_ENVELOPE,
    ID_ERROR,
    ID_ERROR_TYPE,
    ID_TYPE
};

// What two strings of TGI's events make together.
enum { TEXT_ERROR = 1, TEXT_ERROR_TYPE = 2, TEXT_BOTH = 3 };

static const struct skim_key usage_keys[] = {
    {"prompt_tokens", ID_PROMPT, NULL},         {"input_tokens", ID_PROMPT, NULL},
    {"completion_tokens", ID_COMPLETION, NULL}, {"output_tokens", ID_COMPLETION, NULL},
    {"total_tokens", ID_TOTAL, NULL},           {NULL, 0, NULL},
};
static const struct skim_key details_keys[] = {
    {"input_length", ID_PROMPT, NULL}, {"generated_tokens", ID_COMPLETION, NULL}, {NULL, 0, NULL}};
static const struct skim_key message_keys[] = {{"usage", ID_USAGE, usage_keys}, {NULL, 0, NULL}};
static const struct skim_key response_keys[] = {
    {"usage", ID_USAGE, usage_keys}, {"error", ID_ERROR, NULL}, {NULL, 0, NULL}};
static const struct skim_key body_keys[] = {
    {"usage", ID_USAGE, usage_keys}, {"details", ID_USAGE, details_keys}, {NULL, 0, NULL}};
static const struct skim_key event_keys[] = {
    {"usage", ID_USAGE, usage_keys},
    {"details", ID_USAGE, details_keys},
    {"message", ID_ENVELOPE, message_keys},
    {"response", ID_ENVELOPE, response_keys},
    {"error", ID_ERROR, NULL},
    {"error_type", ID_ERROR_TYPE, NULL},
    {"type", ID_TYPE, NULL},
    {NULL, 0, NULL},
};

// ---- one `usage`

static bool knows(const struct usage_numbers *object, enum number which) {
    return object->known >> which & 1;
}

static void set(struct usage_numbers *object, enum number which, uint64_t value) {
    object->value[which] = value;
    object->known |= 1u << which;
}

// Embeddings have no completion, some servers only a total.
static void derive(struct usage_numbers *object) {
    uint64_t total = object->value[TOTAL];
    if (!knows(object, TOTAL))
        return;
    if (!knows(object, PROMPT) && total >= object->value[COMPLETION])
        set(object, PROMPT, total - object->value[COMPLETION]);
    else if (!knows(object, COMPLETION) && total >= object->value[PROMPT])
        set(object, COMPLETION, total - object->value[PROMPT]);
}

static void take(struct usage *usage) {
    struct usage_numbers *object = &usage->object;
    derive(object);
    if (knows(object, PROMPT))
        usage->prompt = object->value[PROMPT];
    if (knows(object, COMPLETION))
        usage->completion = object->value[COMPLETION];
    if (knows(object, PROMPT) || knows(object, COMPLETION))
        usage->counted = true;
}

static void note_text(struct usage *usage, unsigned text) {
    usage->error_texts |= text;
    if (usage->error_texts == TEXT_BOTH)
        usage->failed = true;
}

static void take_value(void *context, const struct skim_value *value) {
    struct usage *usage = context;
    if (value->id == ID_USAGE && value->kind == SKIM_OBJECT)
        usage->object = (struct usage_numbers){0};
    else if (value->id == ID_USAGE && value->kind == SKIM_OBJECT_END)
        take(usage);
    else if (value->id <= ID_TOTAL && value->kind == SKIM_COUNT && value->count <= TOKENS_MOST)
        set(&usage->object, (enum number)value->id, value->count);
    else if (value->id == ID_ERROR && value->kind == SKIM_OBJECT)
        usage->failed = true;
    else if (value->id == ID_ERROR && value->kind == SKIM_STRING)
        note_text(usage, TEXT_ERROR);
    else if (value->id == ID_ERROR_TYPE && value->kind == SKIM_STRING)
        note_text(usage, TEXT_ERROR_TYPE);
    else if (value->id == ID_TYPE && value->kind == SKIM_STRING && slice_equal(value->text, SLICE("error")))
        usage->failed = true;
}

// ---- events

// Whether a word stands here that can tell something: as a string, or as a key with a value other than null,
// which some servers send with every event.
static bool telling(struct slice rest) {
    static const struct slice words[] = {{"\"usage\"", 7}, {"\"error\"", 7}, {"\"details\"", 9}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!slice_starts(rest, words[i]))
            continue;
        rest = slice_from(rest, words[i].len);
        return !slice_starts(rest, SLICE(":null")) && !slice_starts(rest, SLICE(": null"));
    }
    return false;
}

// Whether the data of a whole event can tell anything. Nearly all events of a stream cannot, and are looked
// through many bytes at a time.
static bool may_tell(struct slice data) {
    const char *at = data.at, *end = data.at + data.len;
    for (; (at = find_pair(at, end, '"', "ued")) < end; at++)
        if (telling(slice_make(at, (size_t)(end - at))))
            return true;
    return false;
}

static void feed_data(struct usage *usage, struct slice data) {
    if (!usage->begun) {
        skim_start(&usage->skim, event_keys);
        usage->error_texts = 0;
        usage->begun = true;
    }
    skim_feed(&usage->skim, data, take_value, usage);
}

static void feed_events(struct usage *usage, struct slice bytes) {
    struct slice data;
    for (;;) {
        switch (sse_next(&usage->sse, &bytes, &data)) {
        case SSE_NONE:
            return;
        case SSE_WHOLE:
            if (may_tell(data))
                feed_data(usage, data);
            usage->begun = false;
            break;
        case SSE_DATA:
            feed_data(usage, data);
            break;
        case SSE_END:
            usage->begun = false;
            break;
        }
    }
}

// ----

static enum usage_source source_of(struct slice content_type) {
    struct slice type = slice_trim(slice_cut(&content_type, ';'));
    if (slice_equal_fold(type, SLICE("application/json")))
        return USAGE_JSON;
    return slice_equal_fold(type, SLICE("text/event-stream")) ? USAGE_EVENTS : USAGE_NONE;
}

void usage_start(struct usage *usage, struct slice content_type, struct slice content_encoding) {
    bool gzip = slice_equal_fold(content_encoding, SLICE("gzip")) ||
                slice_equal_fold(content_encoding, SLICE("x-gzip"));
    usage_end(usage);
    *usage = (struct usage){.source = source_of(content_type)};
    if (content_encoding.len && !gzip && !slice_equal_fold(content_encoding, SLICE("identity")))
        usage->source = USAGE_NONE;
    if (usage->source == USAGE_JSON)
        skim_start(&usage->skim, body_keys);
    else
        sse_start(&usage->sse);
    if (gzip && usage->source != USAGE_NONE)
        usage->unzip = unzip_new();
}

// False: nothing more will be found.
static bool feed_text(void *context, struct slice text) {
    struct usage *usage = context;
    if (usage->source == USAGE_JSON)
        return skim_feed(&usage->skim, text, take_value, usage);
    feed_events(usage, text);
    return true;
}

void usage_feed(struct usage *usage, struct slice bytes) {
    if (usage->source == USAGE_NONE)
        return;
    if (usage->unzip ? !unzip_feed(usage->unzip, bytes, feed_text, usage) : !feed_text(usage, bytes))
        usage_end(usage);
}

void usage_end(struct usage *usage) {
    unzip_free(usage->unzip);
    usage->unzip = NULL;
    usage->source = USAGE_NONE;
}
