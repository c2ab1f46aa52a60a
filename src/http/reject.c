#include "http/reject.h"
#include "base/mem.h"

struct verdict {
    unsigned status;
    const char *name, *text;
};

static const struct verdict verdicts[REJECT_COUNT] = {
    [REJECT_NONE] = {200, "none", "Nothing is wrong."},
    [REJECT_BAD_START_LINE] = {400, "bad_start_line", "The first line of the message is malformed."},
    [REJECT_BAD_METHOD] = {400, "bad_method", "The method is malformed."},
    [REJECT_BAD_TARGET] = {400, "bad_target", "The request target is malformed."},
    [REJECT_TARGET_TOO_LONG] = {414, "target_too_long", "The request target is too long."},
    [REJECT_CONNECT] = {405, "connect", "CONNECT is not offered here."},
    [REJECT_TRACE] = {405, "trace", "TRACE is not offered here."},
    [REJECT_BAD_VERSION] = {505, "bad_version", "Only HTTP/1.0 and HTTP/1.1 are understood."},
    [REJECT_BAD_STATUS] = {502, "bad_status", "The status code is malformed."},
    [REJECT_BARE_LF] = {400, "bare_lf", "A line ends in LF without CR."},
    [REJECT_BARE_CR] = {400, "bare_cr", "A CR stands where no line ends."},
    [REJECT_BAD_FIELD_NAME] = {400, "bad_field_name", "A header field name is malformed."},
    [REJECT_BAD_FIELD_VALUE] = {400, "bad_field_value", "A header field value is malformed."},
    [REJECT_FOLDED_FIELD] = {400, "folded_field", "A header line starts with white space."},
    [REJECT_TOO_MANY_FIELDS] = {431, "too_many_fields", "The message has too many header fields."},
    [REJECT_HEAD_TOO_LARGE] = {431, "head_too_large", "The header section is too large."},
    [REJECT_BAD_HOST] = {400, "bad_host", "Host is missing, repeated or malformed."},
    [REJECT_BAD_LENGTH] = {400, "bad_length", "Content-Length is repeated or not a number."},
    [REJECT_LENGTH_AND_CODING] = {400, "length_and_coding",
                                  "Content-Length and Transfer-Encoding exclude each other."},
    [REJECT_BAD_CODING] = {400, "bad_coding", "Transfer-Encoding is malformed or out of place."},
    [REJECT_UNKNOWN_CODING] = {501, "unknown_coding", "Only the chunked transfer coding is supported."},
    [REJECT_BAD_CHUNK] = {400, "bad_chunk", "The chunked body is malformed."},
    [REJECT_BAD_TRAILER] = {400, "bad_trailer", "The trailer section is malformed or too large."},
    [REJECT_EXPECTATION] = {417, "expectation", "Only the expectation 100-continue can be met."},
    [REJECT_MISDIRECTED] = {421, "misdirected", "The request is for https, and came without."},
    [REJECT_PARSERS_DISAGREE] = {400, "parsers_disagree", "The message can be read in two ways."},
    [REJECT_UNEXPECTED_SWITCH] = {502, "unexpected_switch", "The protocol was switched without being asked."},
    [REJECT_TOO_MANY_INTERIM] = {502, "too_many_interim", "Too many interim responses came."},
};

const char *reject_name(enum reject reject) {
    must((unsigned)reject < REJECT_COUNT);
    return verdicts[reject].name;
}

unsigned reject_status(enum reject reject) {
    must((unsigned)reject < REJECT_COUNT);
    return verdicts[reject].status;
}

const char *reject_text(enum reject reject) {
    must((unsigned)reject < REJECT_COUNT);
    return verdicts[reject].text;
}
