#include "dashboard.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "http/zip.h"

#include <stdlib.h>
#include <string.h>

struct dashboard {
    struct strbuf *packed; // by file; empty: not asked for yet
};

struct dashboard *dashboard_new(void) {
    struct dashboard *dashboard = mem_zero(1, sizeof *dashboard);
    dashboard->packed = mem_zero(dashboard_file_count, sizeof *dashboard->packed);
    return dashboard;
}

void dashboard_free(struct dashboard *dashboard) {
    if (!dashboard)
        return;
    for (size_t i = 0; i < dashboard_file_count; i++)
        strbuf_free(&dashboard->packed[i]);
    mem_free(dashboard->packed);
    mem_free(dashboard);
}

const struct dashboard_file *dashboard_find(const char *name) {
    for (size_t i = 0; i < dashboard_file_count; i++)
        if (strcmp(dashboard_files[i].name, name) == 0)
            return &dashboard_files[i];
    return NULL;
}

bool dashboard_accepts_gzip(const char *accept_encoding) {
    struct slice rest = slice_of(accept_encoding ? accept_encoding : "");
    while (rest.at) {
        struct slice weight = slice_cut(&rest, ',');
        struct slice name = slice_trim(slice_cut(&weight, ';'));
        if (!slice_equal_fold(name, SLICE("gzip")))
            continue;
        weight = slice_trim(weight.at ? weight : SLICE(""));
        return !slice_starts(weight, SLICE("q=")) || strtod(weight.at + 2, NULL) > 0;
    }
    return false;
}

struct slice dashboard_packed(struct dashboard *dashboard, const struct dashboard_file *file) {
    struct strbuf *packed = &dashboard->packed[file - dashboard_files];
    if (packed->len == 0)
        zip_text(slice_make((const char *)file->bytes, file->len), packed);
    return strbuf_as_slice(packed);
}
