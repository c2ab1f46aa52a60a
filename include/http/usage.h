// usage: what an answer itself says of the tokens it took, of how it ended and, in a stream, when its content
// came; read while its body passes by. Pure; one per response; takes no memory but its own (and an unzip's
// for gzip), never fails, and what it does not understand is simply not counted. docs/tokens.md has all
// shapes.
//
// JSON bodies: `usage` at the top of chat completions, completions, embeddings and responses of OpenAI and of
// whoever speaks like it (vLLM, TGI, llama.cpp), and of Anthropic's messages; `details` of TGI's own
// /generate. Streams of server-sent events: the same in the data of any event, `response.usage` of OpenAI's
// responses and `message.usage` of Anthropic's message_start; of what comes more than once the last counts,
// for each number by itself. An event also tells when the answer has failed after its head.
#pragma once
#include "http/skim.h"
#include "http/sse.h"
#include "http/unzip.h"
#include "metrics/variant.h"

enum usage_source { USAGE_NONE, USAGE_JSON, USAGE_EVENTS };

// What a stream's events look like, from the first one with content on.
enum usage_shape {
    SHAPE_UNKNOWN,
    SHAPE_CHOICES, // `choices`: OpenAI's chat completions and completions
    SHAPE_TYPED,   // `type`: Anthropic's messages, OpenAI's responses
    SHAPE_TOKEN,   // `token`: TGI's own
};

struct usage_numbers {
    uint64_t value[3]; // prompt, completion, total
    unsigned known;    // bits
};

struct usage {
    enum usage_source source; // USAGE_NONE: nothing is read (any more)
    bool counted;             // tokens were told: the two numbers mean something
    bool failed;              // an event carried an error
    bool ended;               // the stream said that it was over
    uint64_t prompt, completion;
    uint64_t contents; // events with content so far; those of an unknown shape all count
    // inside
    enum finish_reason finish, status; // told as such; as the status of a response
    enum finish_reason reason;         // of an incomplete response: counts beside that status
    enum usage_shape shape;
    bool begun, first_byte;      // the event has data that is being read; … its first byte was looked at
    unsigned seen;               // bits: what the event has
    struct usage_numbers object; // of the `usage` that is open
    struct skim skim;
    struct sse sse;
    struct unzip *unzip; // of gzip, while it is read
};

// Of a response's head: Content-Type and Content-Encoding, empty when absent. The struct is zeroed, or was
// used before.
void usage_start(struct usage *usage, struct slice content_type, struct slice content_encoding);
// The next bytes of the body, of any cut, without chunk framing.
void usage_feed(struct usage *usage, struct slice bytes);
// Gives back what reading took; the results stay.
void usage_end(struct usage *usage);
// Why the model stopped, when the answer has told; of several choices the last that told.
enum finish_reason usage_finish(const struct usage *usage);
// Before usage_end: the stream is over, had content of a known shape, and nothing of it said that it was
// over.
bool usage_unfinished(const struct usage *usage);
