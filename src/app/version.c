#include "app/version.h"

const char *version_text(void) {
    return SLUICE_VERSION;
}

const char *version_revision(void) {
    return SLUICE_REVISION;
}
