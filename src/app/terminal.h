// terminal: what stdout is: a terminal that can be redrawn, how large, of which characters. Pure but for what
// it asks.
#pragma once
#include <stdbool.h>

struct terminal_size {
    unsigned columns, rows;
};

bool terminal_live(void);                                       // it is one, and no dumb one
struct terminal_size terminal_size(struct terminal_size usual); // `usual` where it does not tell
bool terminal_unicode(void);                                    // its locale is UTF-8
