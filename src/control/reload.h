// reload: from a file to a running plan, in two phases. Everything is prepared first (names are resolved
// meanwhile without blocking), touching nothing live; a failure anywhere frees what was prepared. What
// follows cannot fail. The first load goes the same way.
#pragma once
#include "control.h"
#include "control/loaded.h"

struct reloader *reloader_new(struct control *control);
void reloader_free(struct reloader *reloader); // who waits is not called; contexts are not owned
// Asks for the addresses of new names, then applies what was loaded (it moves in); `done` is called later,
// never from inside this call. outcome->success: it runs; else nothing has changed and outcome says why. One
// at a time: reloads come only after the first load.
void reload_apply(struct reloader *reloader, struct loaded *take_loaded, struct outcome *outcome,
                  void (*done)(void *context), void *context);

// Loads the file and applies it; `done` (may be NULL) is called when every worker uses it, or when it failed.
// A request made while another is under way waits for it and then loads the file anew.
void reloader_request(struct reloader *reloader, void (*done)(const struct outcome *outcome, void *context),
                      void *context);
// No reload begins any more; `held` is called as soon as none is under way. Until the reloader is let go.
void reloader_hold(struct reloader *reloader, void (*held)(void *context), void *context);
void reloader_let_go(struct reloader *reloader);
// Instead: whoever waits is told that it cannot be. True: somebody had asked.
bool reloader_refuse(struct reloader *reloader, const char *why);
const struct outcome *reloader_last(const struct reloader *reloader);
bool reloader_failed(const struct reloader *reloader);                  // the last one that has ended
uint64_t reloader_count(const struct reloader *reloader, bool success); // reloads, the first load not counted
