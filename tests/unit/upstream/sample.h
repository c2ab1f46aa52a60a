// sample: a pool with its configuration, made through the directory as the daemon does it.
#pragma once
#include "upstream/directory.h"

#define SAMPLE_MOST 64
struct sample {
    struct endpoint_config endpoints[SAMPLE_MOST];
    char urls[SAMPLE_MOST][40];
    struct pool_config pool;
    struct config config;
    struct directory *directory;
    struct pool_view *view;
    struct random_state random;
};
// `count` endpoints on 127.0.0.1 from port 9000 on, of weight 1, one worker.
void sample_init(struct sample *sample, size_t count, enum balance balance);
void sample_apply(struct sample *sample); // after edits: prepare, commit, a new view
void sample_free(struct sample *sample);
struct endpoint *sample_endpoint(struct sample *sample, size_t index);
