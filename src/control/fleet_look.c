// Whether the watch has brought what stands below shared/: asked of etcd with a keep-alive whose answer says
// that anything at all is newer. etcd reads all of it for that. What was deleted is not seen that way.
#include "fleet_inside.h"

#include "base/clock.h"

static void looked(const struct etcd_answer *answer, void *context) {
    struct fleet *fleet = context;
    bool newer = !answer->error && !answer->succeeded && fleet->applied == fleet->looked_for;
    fleet->looking = NULL;
    if (newer && !fleet->behind_ns)
        fleet->behind_ns = clock_monotonic_ns();
}

// A watch that is silent proves nothing, and a sign of life says nothing of events.
void fleet_look(struct fleet *fleet) {
    struct strbuf key = {0};
    if (fleet->phase != FLEET_IN || fleet->looking)
        return;
    fleet->looked_for = fleet->applied;
    struct etcd_compare nothing_newer = {.key = fleet_key(fleet, &key, "/shared/", slice_make("", 0)),
                                         .what = ETCD_ALL_OLDER,
                                         .number = fleet->applied + 1};
    fleet->looking = etcd_txn(fleet->etcd, &(struct etcd_txn){.compares = &nothing_newer, .compare_count = 1},
                              looked, fleet);
    strbuf_free(&key);
}
