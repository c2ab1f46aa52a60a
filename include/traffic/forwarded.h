// forwarded: what trusted proxies say of the client (X-Forwarded-For, -Proto, -Host). Pure. For a peer that
// is not trusted, nothing of this counts.
#pragma once
#include "base/strbuf.h"
#include "config/network.h"
#include "http/head.h"

// Walks the chain from its end, the peer, towards its beginning, through addresses that are trusted: the
// first that is not is the client; when all are, the one at the beginning. An element that is no address (a
// port behind it, and brackets, are allowed) ends the walk: what stands before it may be anybody's.
struct ip forwarded_client(const struct head *head, const struct ip *peer,
                           const struct network_list *trusted);
// All X-Forwarded-For lines in order, joined; nothing when there are none.
void forwarded_chain(const struct head *head, struct strbuf *out);
// "http" or "https"; at == NULL when there is none, several, or something else.
struct slice forwarded_proto(const struct head *head);
// A host with or without a port, as it came; at == NULL as above.
struct slice forwarded_host(const struct head *head);
