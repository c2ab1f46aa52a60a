// cookie: reads a Cookie field (RFC 6265 4.2.1, 5.4) leniently, writes a Set-Cookie strictly. Pure.
#pragma once
#include "base/strbuf.h"
#include "http/head.h"

// The first cookie with that name over all Cookie fields, quotes removed; at == NULL when absent.
struct slice cookie_find(const struct head *head, struct slice name);
// False, and nothing written, when name is no token or value has bytes that a cookie cannot carry.
// "Set-Cookie: name=value; Path=/; Max-Age=…; HttpOnly; SameSite=Lax[; Secure]\r\n"
bool cookie_set(struct strbuf *out, struct slice name, struct slice value, unsigned max_age_s, bool secure);
