// keys: what is typed while a picture stands on the terminal. From keys_begin on each key comes at once and
// is not shown. keys_end makes the terminal as it was, and so does a signal that ends or stops the process;
// one that continues it takes the terminal again. One user at a time, one thread.
#pragma once
#include <stdbool.h>

bool keys_ours(void); // false: stdin is a terminal that somebody else reads now: this is a background job
// `parting` is written to stdout at the end, also by a signal: what takes back a last line that is only true
// before. It stays the caller's and is not to change.
void keys_begin(const char *parting);
void keys_end(void);
// Waits that long, or until the window has another size or something is typed. True: it was q, or nobody can
// type any more.
bool keys_quit(int ms);
// True once after the process was stopped and goes on: what stood there has other lines below it.
bool keys_resumed(void);
