// etcd_pages: a range of any size: read in pages that each fit into one answer, all as it was at one
// revision. Owner: who made it, until `done` or the cancel, which must come before etcd_free. Control thread;
// nothing blocks. Pages are made smaller while answers are too large; a single pair past the bound is an
// error, and so is a revision that is compacted away between two pages.
#pragma once
#include "etcd.h"

struct etcd_pages;
// `range`: of a prefix, as for etcd_range; its limit is that of all pages together. done: as there, never
// from inside this call, with all pairs; `revision` is the one that they are of.
struct etcd_pages *etcd_pages_read(struct etcd *etcd, const struct etcd_range *range,
                                   void (*done)(const struct etcd_answer *answer, void *context),
                                   void *context);
void etcd_pages_cancel(struct etcd_pages *pages); // done is not called any more
