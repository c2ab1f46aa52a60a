// version: what this binary is. Set by the build.
#pragma once

const char *version_text(void);     // "0.1.0"
const char *version_revision(void); // of the source, "unknown" when it was built outside its repository
