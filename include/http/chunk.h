// chunk: the chunked transfer coding (RFC 9112 7.1), read strictly and incrementally. Pure; one message each.
// Sizes: 1 to 16 hex digits, nothing before or after but an extension (dropped, at most 256 bytes a line and
// 16 KiB a message); every line ends in CRLF. Trailers (at most 16 KiB) are checked as fields, and dropped
// unless somebody collects them.
#pragma once
#include "base/strbuf.h"
#include "http/reject.h"

struct chunk_decoder {
    uint64_t left;            // of the current chunk's data
    uint32_t extension_bytes; // in this message
    uint32_t line_bytes;      // of the current line
    uint32_t trailer_bytes;
    struct strbuf *trailers; // NULL, or gets the trailer section's lines as they come; set after chunk_start
    uint8_t state;
    uint8_t digits;
};

enum chunk_result { CHUNK_MORE, CHUNK_DONE, CHUNK_REJECTED };

void chunk_start(struct chunk_decoder *decoder);
// Consumes bytes[0..len): data bytes are moved together to the front of `bytes` (*data of them); *used input
// bytes were consumed (all of them unless CHUNK_DONE, when what follows belongs to the next message).
enum chunk_result chunk_decode(struct chunk_decoder *decoder, char *bytes, size_t len, size_t *data,
                               size_t *used, enum reject *reject);

// The size line of a chunk with `size` bytes, ending in CRLF, written to end at `end`; returns its length (at
// most CHUNK_LINE_BYTES). The data then follows at `end`, and CRLF after it.
#define CHUNK_LINE_BYTES 18
size_t chunk_line_before(char *end, uint64_t size);
#define CHUNK_LAST "0\r\n\r\n"
