#include "model.h"

#include <math.h>

#define LATENCY_MOST 20.0 // times the median: the tail ends somewhere

// 0 < result <= 1
static double uniform(struct model *model) {
    return (double)((random_next(&model->random) >> 11) + 1) * 0x1p-53;
}

uint64_t model_latency(struct model *model) {
    double median = (double)model->latency_us;
    if (model->latency_us == 0 || model->jitter_us == 0)
        return model->latency_us;
    double sigma = fmin((double)model->jitter_us / median, 1.0);
    double normal = sqrt(-2 * log(uniform(model))) * cos(2 * 3.14159265358979 * uniform(model));
    return (uint64_t)(median * fmin(exp(sigma * normal), LATENCY_MOST));
}

bool model_fails(struct model *model) {
    return model->error_rate > 0 && uniform(model) * 100 <= model->error_rate;
}
