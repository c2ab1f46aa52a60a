// share_record: what stands in etcd of one route: the rollout's record, and what the fleet has to know of it
// beside that. JSON. Pure; control thread.
#pragma once
#include "base/error.h"
#include "base/strbuf.h"
#include "config/config.h"

#define SHARE_BY_BYTES 32

struct share_record {
    uint64_t serial;         // of the writes; 0: there was none
    uint64_t nonce;          // tells the writer its own
    char by[SHARE_BY_BYTES]; // who wrote it: fleet_id
    uint32_t epoch;          // of the evidence
    uint32_t shares;         // another number when the weights are others
    uint64_t spec;           // fingerprint of the file's rollout that it was made by
    char *version;           // the candidate's in that file; "": none
    struct strbuf text;      // rollout_record's
};
void share_record_free(struct share_record *record);
void share_record_write(const struct share_record *record, struct strbuf *out);
// False: *error says what is wrong, and *record is empty.
bool share_record_read(struct share_record *record, struct slice text, struct error *error);

// Beside it, in a key that nobody watches: the ledger that belongs to the record with that serial.
void share_ledger_write(uint64_t serial, struct slice ledger, struct strbuf *out);
uint64_t share_ledger_serial(struct slice text); // 0: there is none
// False: it is of another record, or damaged.
bool share_ledger_read(struct slice text, uint64_t serial, struct strbuf *ledger);
