// stage: the processes of the demo: three model servers in two pools, and the proxy in front of them, with
// its configuration file. Owner: demo_main; one thread.
#pragma once
#include "child.h"
#include "scratch.h"
#include "settings.h"

enum { STAGE_BLUE_1, STAGE_BLUE_2, STAGE_GREEN, STAGE_MODELS };

struct stage {
    struct scratch scratch;
    struct child models[STAGE_MODELS];
    unsigned model_ports[STAGE_MODELS];
    struct child proxy;
    char config_path[SCRATCH_PATH];
};

// Starts everything and returns when the proxy answers. `waiting` is called in between, often; when it
// returns false starting is given up (the error is empty then). stage_close is needed in any case.
bool stage_open(struct stage *stage, const struct settings *settings, bool (*waiting)(void *context),
                void *context, struct error *error);
// Everything has ended on return and nothing is left on disk. False when a process did not end in order; that
// has been said on stderr with the end of its output.
bool stage_close(struct stage *stage);
// The end of the proxy's log, for when it failed.
void stage_log(const struct stage *stage, char *text, size_t size);
