// sample: the parts of a line of Prometheus text that the writers inside this layer share. Pure.
#pragma once
#include "metrics/exposition.h"

// "name_suffix{label=\"value\",…} "; no braces without labels.
void sample_name(struct exposition *out, enum family family, const char *suffix, const struct label *labels,
                 size_t label_count);
