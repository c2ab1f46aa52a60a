// proxy_protocol: the header by which a balancer says who is behind it, versions 1 and 2 of "The PROXY
// protocol" (HAProxy Technologies, proxy-protocol.txt). Pure; any thread. Version 1 is what section 2.1
// allows and nothing else; of version 2 the address of TCP and of unix sockets is taken, the rest (LOCAL,
// UNSPEC, datagrams) leaves the connection its own. TLVs are skipped; their lengths, and the checksum
// (PP2_TYPE_CRC32C) when there is one, must be right.
#pragma once
#include "base/slice.h"
#include "io/address.h"

// A longer header is malformed. Balancers send some hundred bytes; with a client certificate some thousand.
#define PROXY_PROTOCOL_MOST 16384

enum proxy_protocol_result { PROXY_PROTOCOL_MORE, PROXY_PROTOCOL_DONE, PROXY_PROTOCOL_MALFORMED };
struct proxy_protocol_header {
    size_t length;         // bytes it takes
    bool told;             // who the client is; else the connection's own address counts
    struct address source; // when told; of a unix socket without its path
};
// Reads the header at the start of `bytes`. MORE: call again with more, from the start. The verdict does not
// depend on how the bytes were cut.
enum proxy_protocol_result proxy_protocol_read(struct slice bytes, struct proxy_protocol_header *header);
