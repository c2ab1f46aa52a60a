// unzip: gzip bytes (RFC 1952) of any cut to the text inside, a few KiB at a time. One per message; about 48
// KiB until it is freed. Any one thread.
#pragma once
#include "base/slice.h"

// More text than this for each byte that came is no answer but an attack on whoever unpacks it.
#define UNZIP_RATIO 100

struct unzip;
struct unzip *unzip_new(void);
void unzip_free(struct unzip *unzip); // NULL is allowed

// Gives all text that the bytes make, piece by piece; `give` answers false when it wants no more. False: no
// more can come (damaged, more than UNZIP_RATIO, or `give` said so).
bool unzip_feed(struct unzip *unzip, struct slice bytes, bool (*give)(void *context, struct slice text),
                void *context);
