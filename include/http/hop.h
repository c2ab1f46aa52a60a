// hop: marks the fields that must not be forwarded (RFC 9110 7.6.1): hop-by-hop ones, those that Connection
// names (never Host, Content-Length, X-Forwarded-*, Via … which it cannot name away), and in requests the
// client's X-Sluice-* and, from peers that are not trusted, X-Forwarded-* and Forwarded (trusted ones: only
// their twins with '_'), and the twins of Content-Length and Transfer-Encoding. In responses also X-Sluice-*,
// which only we say, and Content-Length on 1xx and 204. Pure. Marks only; what replaces a field is for the
// writer of the new head.
#pragma once
#include "http/head.h"

void hop_mark_request(struct head *head, bool trusted_peer);
void hop_mark_response(struct head *head);
