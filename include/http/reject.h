// reject: why a message was refused. One table (reject.c) gives each its name (logs, X-Sluice-Error) and, for
// requests, the status of RFC 9110; a refused response is always 502. Pure; any thread.
#pragma once

enum reject {
    REJECT_NONE,
    REJECT_BAD_START_LINE,
    REJECT_BAD_METHOD,
    REJECT_BAD_TARGET,
    REJECT_TARGET_TOO_LONG,
    REJECT_CONNECT,
    REJECT_TRACE,
    REJECT_BAD_VERSION,
    REJECT_BAD_STATUS,
    REJECT_BARE_LF,
    REJECT_BARE_CR,
    REJECT_BAD_FIELD_NAME,
    REJECT_BAD_FIELD_VALUE,
    REJECT_FOLDED_FIELD,
    REJECT_TOO_MANY_FIELDS,
    REJECT_HEAD_TOO_LARGE,
    REJECT_BAD_HOST,
    REJECT_BAD_LENGTH,
    REJECT_LENGTH_AND_CODING,
    REJECT_BAD_CODING,
    REJECT_UNKNOWN_CODING,
    REJECT_BAD_CHUNK,
    REJECT_BAD_TRAILER,
    REJECT_EXPECTATION,
    REJECT_MISDIRECTED,
    REJECT_PARSERS_DISAGREE,
    REJECT_UNEXPECTED_SWITCH,
    REJECT_TOO_MANY_INTERIM,
    REJECT_COUNT
};

const char *reject_name(enum reject reject); // "bad_chunk"; stable, used in logs and metrics
unsigned reject_status(enum reject reject);  // 400, 405, 414, 417, 421, 431, 501, 505
const char *reject_text(enum reject reject); // one sentence for the client
