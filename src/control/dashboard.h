// dashboard: the files of the page under the admin address, embedded in the program (src/control/dashboard).
// Control thread.
#pragma once
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>

struct dashboard_file {
    const char *name, *type;
    const char *tag; // ETag: of the bytes
    const unsigned char *bytes;
    size_t len;
};
// Made by the build.
extern const struct dashboard_file dashboard_files[];
extern const size_t dashboard_file_count;

struct dashboard;
struct dashboard *dashboard_new(void);
void dashboard_free(struct dashboard *dashboard);
const struct dashboard_file *dashboard_find(const char *name); // NULL: there is none
bool dashboard_accepts_gzip(const char *accept_encoding); // NULL: the header is absent (RFC 9110, 12.5.3)
// The file compressed by gzip; done once, when it is first asked for.
struct slice dashboard_packed(struct dashboard *dashboard, const struct dashboard_file *file);
