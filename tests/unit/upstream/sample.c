#include "sample.h"
#include "unit.h"
#include <stdio.h>

void sample_init(struct sample *sample, size_t count, enum balance balance) {
    memset(sample, 0, sizeof *sample);
    for (size_t i = 0; i < count; i++) {
        snprintf(sample->urls[i], sizeof sample->urls[i], "http://127.0.0.1:%zu", 9000 + i);
        sample->endpoints[i] = (struct endpoint_config){
            .url = sample->urls[i], .host = "127.0.0.1", .port = (uint16_t)(9000 + i), .weight = 1};
    }
    sample->pool = (struct pool_config){.name = "blue",
                                        .endpoints = sample->endpoints,
                                        .endpoint_count = count,
                                        .balance = balance,
                                        .keepalive = 8,
                                        .queue = {.size = 4, .timeout = 1000}};
    sample->config = (struct config){.pools = &sample->pool, .pool_count = 1};
    sample->directory = directory_new(1);
    random_seed_fixed(&sample->random, 42);
    sample_apply(sample);
}

void sample_apply(struct sample *sample) {
    struct error error;
    struct directory_change *change =
        directory_prepare(sample->directory, &sample->config, NULL, NULL, &error);
    assert_non_null(change);
    const struct prepared_pool *prepared = directory_prepared(change, 0);
    struct pool_view *view =
        pool_view_new(prepared->pool, prepared->endpoints, prepared->endpoint_count, &sample->pool);
    directory_commit(sample->directory, change);
    if (sample->view)
        pool_view_unref(sample->view);
    sample->view = view;
}

void sample_free(struct sample *sample) {
    pool_view_unref(sample->view);
    directory_free(sample->directory);
}

struct endpoint *sample_endpoint(struct sample *sample, size_t index) {
    return directory_pool(sample->directory, 0)->endpoints[index];
}
