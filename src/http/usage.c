#include "http/usage.h"

#include "find.h"
#include "usage_keys.h"

// More tokens than an answer can have: not believed.
#define TOKENS_MOST UINT64_C(1000000000000)

// What an event has. TGI's errors are two strings that make one together.
enum {
    SEEN_CHOICES = 1,
    SEEN_TYPE = 2,
    SEEN_TOKEN = 4,
    SEEN_OTHER = 8, // tokens, an error, an end: no content by themselves
    SEEN_CONTENT = 16,
    SEEN_ERROR = 32,
    SEEN_ERROR_TYPE = 64,
    SEEN_INCOMPLETE = 128,
};

// ---- one `usage`

static bool knows(const struct usage_numbers *object, enum usage_number which) {
    return object->known >> which & 1;
}

static void set(struct usage_numbers *object, enum usage_number which, uint64_t value) {
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

// ---- why it ended

static enum finish_reason finish_of(struct slice text) {
    static const struct {
        struct slice word;
        enum finish_reason finish;
    } words[] = {
        {{"stop", 4}, FINISH_REASON_STOP},
        {{"end_turn", 8}, FINISH_REASON_STOP},
        {{"stop_sequence", 13}, FINISH_REASON_STOP},
        {{"eos_token", 9}, FINISH_REASON_STOP},
        {{"length", 6}, FINISH_REASON_LENGTH},
        {{"max_tokens", 10}, FINISH_REASON_LENGTH},
        {{"max_output_tokens", 17}, FINISH_REASON_LENGTH},
        {{"tool_calls", 10}, FINISH_REASON_TOOL_CALLS},
        {{"tool_use", 8}, FINISH_REASON_TOOL_CALLS},
        {{"function_call", 13}, FINISH_REASON_TOOL_CALLS},
        {{"content_filter", 14}, FINISH_REASON_CONTENT_FILTER},
        {{"refusal", 7}, FINISH_REASON_CONTENT_FILTER},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_equal(text, words[i].word))
            return words[i].finish;
    return FINISH_REASON_OTHER;
}

// Of OpenAI's responses. Other objects have a status too: it counts only beside tokens.
static void take_status(struct usage *usage, struct slice status) {
    if (slice_equal(status, SLICE("completed"))) {
        usage->status = FINISH_REASON_STOP;
    } else if (slice_equal(status, SLICE("incomplete"))) {
        usage->status = FINISH_REASON_OTHER; // unless its details say more
        usage->seen |= SEEN_INCOMPLETE;
    } else if (!slice_equal(status, SLICE("failed")) && !slice_equal(status, SLICE("cancelled"))) {
        return;
    }
    usage->ended = true;
    usage->seen |= SEEN_OTHER;
}

// ---- values

static void see(struct usage *usage, unsigned what) {
    usage->seen |= what;
    if ((usage->seen & (SEEN_ERROR | SEEN_ERROR_TYPE)) == (SEEN_ERROR | SEEN_ERROR_TYPE))
        usage->failed = true;
}

static void take_string(struct usage *usage, int id, struct slice text) {
    bool empty = text.at && !text.len;
    switch (id) {
    case ID_TEXT:
    case ID_DELTA: // of OpenAI's responses
        see(usage, empty ? 0 : SEEN_CONTENT);
        break;
    case ID_FINISH:
        usage->finish = finish_of(text);
        usage->ended = true;
        see(usage, SEEN_OTHER);
        break;
    case ID_STATUS:
        take_status(usage, text);
        break;
    case ID_REASON:
        usage->reason = finish_of(text);
        break;
    case ID_OVER:
        usage->ended = true;
        see(usage, SEEN_OTHER);
        break;
    case ID_ERROR:
        see(usage, SEEN_ERROR);
        break;
    case ID_ERROR_TYPE:
        see(usage, SEEN_ERROR_TYPE);
        break;
    case ID_TYPE:
        see(usage, SEEN_TYPE);
        usage->failed = usage->failed || slice_equal(text, SLICE("error"));
        break;
    default:
        break;
    }
}

static void take_object(struct usage *usage, int id) {
    switch (id) {
    case ID_USAGE:
        usage->object = (struct usage_numbers){0};
        see(usage, SEEN_OTHER);
        break;
    case ID_ERROR:
        usage->failed = true;
        see(usage, SEEN_OTHER);
        break;
    case ID_CALL:
        see(usage, SEEN_CONTENT);
        break;
    case ID_TOKEN:
        see(usage, SEEN_TOKEN);
        break;
    default:
        break;
    }
}

static void take_value(void *context, const struct skim_value *value) {
    struct usage *usage = context;
    switch (value->kind) {
    case SKIM_COUNT:
        if (value->id <= ID_TOTAL && value->count <= TOKENS_MOST)
            set(&usage->object, (enum usage_number)value->id, value->count);
        break;
    case SKIM_STRING:
        take_string(usage, value->id, value->text);
        break;
    case SKIM_OBJECT:
        take_object(usage, value->id);
        break;
    case SKIM_OBJECT_END:
        if (value->id == ID_USAGE)
            take(usage);
        break;
    case SKIM_ARRAY:
        if (value->id == ID_CHOICES)
            see(usage, SEEN_CHOICES);
        break;
    }
}

// ---- events

// Whether a colon stands before `at`: what begins there is a value. A key stands behind a comma or a brace.
static bool is_value(const char *begin, const char *at) {
    if (at > begin && (at[-1] == ',' || at[-1] == '{'))
        return false;
    while (at > begin && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    return at > begin && at[-1] == ':';
}

// Whether a word stands at the rest's begin that can tell something: as a string, or as a key with a value
// other than null, which some servers send with every event. What looks like such a key may be a value still,
// with garbage behind it; `begin` is where the event does.
static bool is_telling(const char *begin, struct slice rest, struct slice word) {
    if (!slice_starts(rest, word))
        return false;
    struct slice behind = slice_from(rest, word.len);
    if (!slice_starts(behind, SLICE(":null")) && !slice_starts(behind, SLICE(": null")))
        return true;
    return is_value(begin, rest.at);
}

static bool telling(const char *begin, struct slice rest) {
    switch (rest.at[1]) {
    case 'f':
        return is_telling(begin, rest, SLICE("\"finish_reason\""));
    case 'u':
        return is_telling(begin, rest, SLICE("\"usage\""));
    case 'e':
        return is_telling(begin, rest, SLICE("\"error\""));
    case 'd':
        return is_telling(begin, rest, SLICE("\"details\""));
    case 'g':
        return is_telling(begin, rest, SLICE("\"generated_text\""));
    default: // s
        return is_telling(begin, rest, SLICE("\"stop_reason\"")) ||
               is_telling(begin, rest, SLICE("\"status\""));
    }
}

// Whether the data of a whole event can tell anything. Nearly all events of a stream cannot, and are looked
// through many bytes at a time, for the first letters of what events of that shape may have.
static bool may_tell(const struct usage *usage, struct slice data) {
    const char *at = data.at, *end = data.at + data.len;
    for (; (at = find_pair(at, end, '"', usage_event_keys[usage->shape].letters)) < end; at++)
        if (telling(data.at, slice_make(at, (size_t)(end - at))))
            return true;
    return false;
}

// [DONE] is the mark of a stream's end; an event that is an array is not known otherwise.
static void look_at_first_byte(struct usage *usage, struct slice data) {
    while (data.len && data.at[0] == ' ')
        data = slice_from(data, 1);
    if (!data.len || usage->first_byte)
        return;
    usage->first_byte = true;
    if (data.at[0] == '[') {
        see(usage, SEEN_OTHER);
        usage->ended = true;
    }
}

static void feed_data(struct usage *usage, struct slice data) {
    if (!usage->begun) {
        skim_start(&usage->skim, usage_event_keys[usage->shape].keys);
        usage->seen = 0;
        usage->reason = FINISH_REASON_NONE;
        usage->first_byte = false;
        usage->begun = true;
    }
    look_at_first_byte(usage, data);
    skim_feed(&usage->skim, data, take_value, usage);
}

static enum usage_shape shape_of(unsigned seen) {
    if (seen & SEEN_CHOICES)
        return SHAPE_CHOICES;
    if (seen & SEEN_TOKEN)
        return SHAPE_TOKEN;
    return seen & SEEN_TYPE ? SHAPE_TYPED : SHAPE_UNKNOWN;
}

// Content, or what must be taken for it: until the first content came an event of a known shape is looked at
// closely (the first of OpenAI's has a role and no text); later ones only when they may tell something else.
static bool has_content(const struct usage *usage) {
    unsigned beside = SEEN_OTHER | SEEN_ERROR;
    if (usage->seen & SEEN_CONTENT)
        return true;
    if (!usage->contents)
        beside |= SEEN_CHOICES | SEEN_TYPE | SEEN_TOKEN;
    return usage->first_byte && !(usage->seen & beside);
}

// Why a response is incomplete, when it says both.
static enum finish_reason incomplete(const struct usage *usage) {
    return usage->seen & SEEN_INCOMPLETE ? usage->reason : FINISH_REASON_NONE;
}

static void end_event(struct usage *usage) {
    if (!usage->begun)
        return;
    usage->begun = false;
    if (incomplete(usage) != FINISH_REASON_NONE)
        usage->finish = incomplete(usage);
    usage->contents += has_content(usage);
    if (usage->shape == SHAPE_UNKNOWN)
        usage->shape = shape_of(usage->seen);
}

static void feed_whole(struct usage *usage, struct slice data) {
    struct slice text = data;
    while (text.len && text.at[0] == ' ')
        text = slice_from(text, 1);
    bool in_passing = usage->contents && usage->shape != SHAPE_UNKNOWN && text.len && text.at[0] != '[';
    if (in_passing && !may_tell(usage, data)) {
        usage->contents++;
        return;
    }
    feed_data(usage, data);
    end_event(usage);
}

static void feed_events(struct usage *usage, struct slice bytes) {
    struct slice data;
    for (;;) {
        switch (sse_next(&usage->sse, &bytes, &data)) {
        case SSE_NONE:
            return;
        case SSE_WHOLE:
            feed_whole(usage, data);
            break;
        case SSE_DATA:
            feed_data(usage, data);
            break;
        case SSE_END:
            end_event(usage);
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
        skim_start(&usage->skim, usage_body_keys);
    else
        sse_start(&usage->sse);
    if (gzip && usage->source != USAGE_NONE)
        usage->unzip = unzip_new();
}

// Nearly all that comes is one event in one piece, with content and nothing else, behind the first one with
// content: one look at its bytes tells so. False: nothing was done.
static bool feed_in_passing(struct usage *usage, struct slice bytes) {
    static const struct slice front = {"data: ", 6};
    const char *end = bytes.at + bytes.len;
    if (!usage->contents || usage->shape == SHAPE_UNKNOWN || usage->begun || !sse_between(&usage->sse) ||
        bytes.len < front.len + 4 || memcmp(end - 2, "\n\n", 2) != 0 || !slice_starts(bytes, front) ||
        bytes.at[front.len] == '[' || bytes.at[front.len] == ' ')
        return false;
    const char *at = bytes.at + front.len, *letters = usage_event_keys[usage->shape].letters;
    end--; // the event's own end is not looked for
    const char *begin = at;
    while ((at = find_notable(at, end, letters)) < end) {
        if (*at != '"' || telling(begin, slice_make(at, (size_t)(end - at))))
            return false;
        at++;
    }
    usage->contents++;
    return true;
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
    if (usage->source == USAGE_EVENTS && !usage->unzip && feed_in_passing(usage, bytes))
        return;
    if (usage->unzip ? !unzip_feed(usage->unzip, bytes, feed_text, usage) : !feed_text(usage, bytes))
        usage_end(usage);
}

void usage_end(struct usage *usage) {
    unzip_free(usage->unzip);
    usage->unzip = NULL;
    usage->source = USAGE_NONE;
}

enum finish_reason usage_finish(const struct usage *usage) {
    if (usage->finish != FINISH_REASON_NONE)
        return usage->finish;
    if (incomplete(usage) != FINISH_REASON_NONE) // of a body
        return usage->reason;
    return usage->counted ? usage->status : FINISH_REASON_NONE;
}

bool usage_unfinished(const struct usage *usage) {
    return usage->source == USAGE_EVENTS && usage->shape != SHAPE_UNKNOWN && usage->contents &&
           !usage->ended && !usage->failed;
}
