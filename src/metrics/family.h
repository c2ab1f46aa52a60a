// family: what each metric is called, its type, labels and help, in one table. Pure; any thread.
#pragma once
#include "metrics/exposition.h"

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM, FAMILY_SUMMARY };

struct family_info {
    const char *name;
    enum family_type type;
    const char *labels; // for the reference, separated by ", "; "" for none
    const char *help;   // one sentence, without characters that need escaping
};

const struct family_info *family_info(enum family family);
const char *family_type_name(enum family_type type);
