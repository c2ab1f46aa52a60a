// sluice.yaml(5), from the schema.
#include "schema.h"

void config_manual(struct strbuf *out) {
    (void)out;
}
