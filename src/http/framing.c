#include "http/framing.h"
#include "octet.h"

#define CONNECTION_OPTIONS 64 // more are nobody's; bounds what hop_mark has to compare

#define FRAMING                                                                                           \
    (FIELD_BIT(FIELD_CONTENT_LENGTH) | FIELD_BIT(FIELD_TRANSFER_ENCODING) | FIELD_BIT(FIELD_CONNECTION) | \
     FIELD_BIT(FIELD_UPGRADE) | FIELD_BIT(FIELD_EXPECT))

// What the fields that frame a message say, gathered in one pass.
struct clues {
    struct slice length, coding, upgrade; // the last one of each
    unsigned lengths, codings, upgrades, options;
    bool close, keep_alive, connection_upgrade;
    bool expects, expects_other;
};

static void read_connection(struct clues *clues, struct slice rest) {
    while (rest.at) {
        struct slice option = slice_trim(slice_cut(&rest, ','));
        clues->options += option.len > 0;
        if (slice_equal_fold(option, SLICE("close")))
            clues->close = true;
        else if (slice_equal_fold(option, SLICE("keep-alive")))
            clues->keep_alive = true;
        else if (slice_equal_fold(option, SLICE("upgrade")))
            clues->connection_upgrade = true;
    }
}

static void read_expect(struct clues *clues, struct slice rest) {
    while (rest.at) {
        struct slice expectation = slice_trim(slice_cut(&rest, ','));
        if (slice_equal_fold(expectation, SLICE("100-continue")))
            clues->expects = true;
        else
            clues->expects_other = true;
    }
}

static void gather(const struct head *head, struct clues *clues) {
    *clues = (struct clues){0};
    if (!head_has(head, FRAMING))
        return;
    for (const struct field *field = head->fields, *end = field + head->field_count; field < end; field++) {
        switch (field->id) {
        case FIELD_CONTENT_LENGTH:
            clues->length = field->value;
            clues->lengths++;
            break;
        case FIELD_TRANSFER_ENCODING:
            clues->coding = field->value;
            clues->codings++;
            break;
        case FIELD_CONNECTION:
            read_connection(clues, field->value);
            break;
        case FIELD_UPGRADE:
            clues->upgrade = field->value;
            clues->upgrades++;
            break;
        case FIELD_EXPECT:
            read_expect(clues, field->value);
            break;
        default:
            break;
        }
    }
}

// Why a Transfer-Encoding that is not "chunked" is refused: 501 when it is well formed and would frame the
// body if only we knew the other codings, else 400. A lone unknown coding is refused as unknown as well.
static enum reject judge_coding(struct slice value) {
    bool chunked = false, single = true;
    for (struct slice rest = value; rest.at;) {
        struct slice coding = slice_trim(slice_cut(&rest, ','));
        if (coding.len == 0 || chunked) // an empty element, or something after chunked
            return REJECT_BAD_CODING;
        size_t name = 0;
        while (name < coding.len && octet_is(coding.at[name], OCTET_TOKEN))
            name++;
        chunked = slice_equal_fold(slice_make(coding.at, name), SLICE("chunked"));
        bool parameters = name < coding.len && slice_trim(slice_from(coding, name)).at[0] == ';';
        if (name == 0 || (name < coding.len && (chunked || !parameters)))
            return REJECT_BAD_CODING;
        single = single && !rest.at;
    }
    return chunked || single ? REJECT_UNKNOWN_CODING : REJECT_BAD_CODING;
}

static bool is_plain(const struct head *head, const struct clues *clues) {
    return clues->codings == 0 && clues->lengths <= 1 && clues->options <= 1 &&
           clues->options == (unsigned)clues->close + clues->keep_alive &&
           !head_has(head,
                     FIELD_BIT(FIELD_UPGRADE) | FIELD_BIT(FIELD_EXPECT) | FIELD_BIT(FIELD_FRAMING_TWIN));
}

// llhttp knows others, too, and of some it has ideas of its own.
static bool is_usual_method(struct slice method) {
    switch (method.len) {
    case 3:
        return memcmp(method.at, "GET", 3) == 0 || memcmp(method.at, "PUT", 3) == 0;
    case 4:
        return memcmp(method.at, "POST", 4) == 0 || memcmp(method.at, "HEAD", 4) == 0;
    case 6:
        return memcmp(method.at, "DELETE", 6) == 0;
    default:
        return false;
    }
}

static enum reject frame(const struct head *head, const struct clues *clues, struct framing *framing) {
    *framing = (struct framing){.kind = BODY_NONE};
    if (clues->options > CONNECTION_OPTIONS)
        return REJECT_BAD_FIELD_VALUE;
    framing->keep_alive = !clues->close && (head->minor == 1 || clues->keep_alive);
    if (clues->lengths && clues->codings)
        return REJECT_LENGTH_AND_CODING;
    if (clues->codings) {
        if (clues->codings > 1 || head->minor == 0)
            return REJECT_BAD_CODING;
        if (!slice_equal_fold(clues->coding, SLICE("chunked")))
            return judge_coding(clues->coding);
        framing->kind = BODY_CHUNKED;
    } else if (clues->lengths) {
        // Repeated lengths are refused even when equal: no honest sender repeats them.
        if (clues->lengths > 1 || !slice_to_u64(clues->length, &framing->length) ||
            framing->length > INT64_MAX)
            return REJECT_BAD_LENGTH;
        framing->kind = BODY_LENGTH;
    }
    return REJECT_NONE;
}

// Only WebSocket: h2c is removed from HTTP (RFC 9113 3.1) and would carry requests past us.
static bool names_websocket(const struct head *head, const struct clues *clues) {
    return clues->connection_upgrade && clues->upgrades == 1 && head->minor == 1 &&
           slice_equal_fold(clues->upgrade, SLICE("websocket"));
}

enum reject framing_of_request(const struct head *head, struct framing *framing) {
    struct clues clues;
    gather(head, &clues);
    enum reject reject = frame(head, &clues, framing);
    if (reject != REJECT_NONE)
        return reject;
    if (clues.expects_other)
        return REJECT_EXPECTATION;
    bool body = framing->kind == BODY_CHUNKED || framing->length > 0;
    framing->expect_continue = clues.expects && head->minor == 1 && body;
    framing->upgrade = names_websocket(head, &clues) && !body && slice_equal(head->method, SLICE("GET"));
    framing->plain = is_plain(head, &clues) && is_usual_method(head->method);
    return REJECT_NONE;
}

enum reject framing_of_response(const struct head *head, bool to_head, struct framing *framing) {
    struct clues clues;
    gather(head, &clues);
    enum reject reject = frame(head, &clues, framing);
    if (reject != REJECT_NONE)
        return reject;
    framing->upgrade = head->status == 101 && names_websocket(head, &clues);
    framing->plain = is_plain(head, &clues) && head->status >= 200;
    if (to_head || head->status < 200 || head->status == 204 || head->status == 304) {
        framing->kind = BODY_NONE;
        framing->length = 0;
    } else if (framing->kind == BODY_NONE) {
        framing->kind = BODY_UNTIL_CLOSE;
        framing->keep_alive = false;
    }
    return REJECT_NONE;
}
