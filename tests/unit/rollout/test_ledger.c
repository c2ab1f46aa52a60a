// What was taken of each instance: nothing twice, nothing lost, whoever judges next.
#include "base/mem.h"
#include "base/random.h"
#include "rollout/ledger.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define EPOCH 7

static struct tally counted(uint64_t requests, double events) {
    struct tally tally;
    tally_reset(&tally, EPOCH);
    tally.baseline = tally.candidate = requests;
    tally.guards[0].all = (struct guard_batch){(double)requests, events, (double)requests, events};
    return tally;
}

static void what_is_new_is_taken_once(void **state) {
    (void)state;
    struct ledger *ledger = ledger_new(EPOCH);
    struct tally more, first = counted(10, 1), second = counted(25, 4), other = counted(100, 0);
    tally_reset(&more, EPOCH);
    assert_true(ledger_take(ledger, SLICE("b"), &first, &more));
    assert_true(ledger_take(ledger, SLICE("b"), &first, &more)); // it comes twice
    assert_int_equal(more.baseline, 10);
    assert_true(ledger_take(ledger, SLICE("a"), &other, &more));
    assert_true(ledger_take(ledger, SLICE("b"), &second, &more)); // some before it were lost
    assert_int_equal(more.baseline, 125);
    assert_true(more.guards[0].all.baseline_events == 4 && more.guards[0].all.candidate == 125);
    assert_false(ledger_take(ledger, SLICE("b"), &first, &more)); // an older one comes late
    assert_int_equal(more.baseline, 125);
    assert_int_equal(ledger_count(ledger), 2);
    ledger_free(ledger);
}

static void another_epoch_begins_with_nothing(void **state) {
    (void)state;
    struct ledger *ledger = ledger_new(EPOCH);
    struct tally more, tally = counted(10, 1);
    tally_reset(&more, EPOCH);
    assert_true(ledger_take(ledger, SLICE("a"), &tally, &more));
    ledger_reset(ledger, EPOCH + 1);
    assert_int_equal(ledger_epoch(ledger), EPOCH + 1);
    assert_false(ledger_take(ledger, SLICE("a"), &tally, &more)); // has not heard of it yet
    tally.epoch = EPOCH + 1;
    tally_reset(&more, EPOCH + 1);
    assert_true(ledger_take(ledger, SLICE("a"), &tally, &more));
    assert_int_equal(more.candidate, 10);
    ledger_free(ledger);
}

static void names_that_are_none_are_refused(void **state) {
    (void)state;
    struct ledger *ledger = ledger_new(EPOCH);
    struct tally more, tally = counted(1, 0);
    char longest[66];
    memset(longest, 'x', sizeof longest);
    tally_reset(&more, EPOCH);
    assert_false(ledger_take(ledger, SLICE(""), &tally, &more));
    assert_false(ledger_take(ledger, slice_make(longest, 65), &tally, &more));
    assert_false(ledger_take(ledger, slice_make("a\0b", 3), &tally, &more));
    assert_true(ledger_take(ledger, slice_make(longest, 64), &tally, &more));
    ledger_forget(ledger, SLICE("nobody"));
    assert_int_equal(ledger_count(ledger), 1);
    ledger_forget(ledger, slice_make(longest, 64));
    assert_int_equal(ledger_count(ledger), 0);
    ledger_free(ledger);
}

static void collect(const char *id, void *context) {
    struct strbuf *names = context;
    strbuf_format(names, "%s ", id);
}

// Whoever judges next goes on where the last one was.
static void it_goes_on_in_another_place(void **state) {
    (void)state;
    struct ledger *ledger = ledger_new(EPOCH), *next = ledger_new(0);
    struct tally more, taken = counted(0, 0);
    struct strbuf bytes = {0}, again = {0}, names = {0};
    struct error error;
    static const char *const ids[] = {"m", "c", "x", "ca", "a", "cab"};
    tally_reset(&more, EPOCH);
    for (size_t i = 0; i < 6; i++) {
        taken = counted(100 + i, 5);
        assert_true(ledger_take(ledger, slice_of(ids[i]), &taken, &more));
    }
    ledger_write(ledger, &bytes);
    assert_true(ledger_read(next, strbuf_as_slice(&bytes), &error));
    ledger_each(next, collect, &names);
    assert_string_equal(strbuf_text(&names), "a c ca cab m x ");
    ledger_write(next, &again);
    assert_true(slice_equal(strbuf_as_slice(&again), strbuf_as_slice(&bytes)));
    tally_reset(&more, EPOCH);
    taken = counted(110, 6);
    assert_true(ledger_take(next, SLICE("cab"), &taken, &more)); // had 105, 5
    assert_int_equal(more.baseline, 5);
    assert_true(more.guards[0].all.candidate_events == 1);
    strbuf_free(&bytes);
    strbuf_free(&again);
    strbuf_free(&names);
    ledger_free(ledger);
    ledger_free(next);
}

// Every beginning of it is refused, and every byte that is another one is refused or leaves a ledger that is
// written as it was read; what is refused changes nothing.
static void damage_is_refused(void **state) {
    (void)state;
    struct ledger *ledger = ledger_new(EPOCH), *kept = ledger_new(99);
    struct tally more, tally = counted(1000, 50);
    struct strbuf bytes = {0};
    struct error error;
    tally_reset(&more, EPOCH);
    assert_true(ledger_take(ledger, SLICE("one"), &tally, &more));
    assert_true(ledger_take(ledger, SLICE("two"), &tally, &more));
    ledger_write(ledger, &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        char *part = mem_alloc(len + 1);
        memcpy(part, bytes.at, len);
        assert_false(ledger_read(kept, slice_make(part, len), &error));
        assert_true(error.text[0] != '\0');
        mem_free(part);
    }
    assert_int_equal(ledger_epoch(kept), 99);
    assert_int_equal(ledger_count(kept), 0);
    size_t refused = 0;
    for (size_t at = 0; at < bytes.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct ledger *read = ledger_new(1);
            struct strbuf again = {0};
            bytes.at[at] = (char)(bytes.at[at] ^ (1 << bit));
            if (ledger_read(read, strbuf_as_slice(&bytes), &error)) {
                ledger_write(read, &again);
                assert_true(slice_equal(strbuf_as_slice(&again), strbuf_as_slice(&bytes)));
            } else {
                refused++;
            }
            bytes.at[at] = (char)(bytes.at[at] ^ (1 << bit));
            strbuf_free(&again);
            ledger_free(read);
        }
    }
    assert_true(refused > bytes.len); // not every change can be seen: a count may have been another one
    strbuf_char(&bytes, 0);
    assert_false(ledger_read(kept, strbuf_as_slice(&bytes), &error));
    strbuf_free(&bytes);
    ledger_free(ledger);
    ledger_free(kept);
}

int test_ledger(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_is_taken_once),
        cmocka_unit_test(another_epoch_begins_with_nothing),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(it_goes_on_in_another_place),
        cmocka_unit_test(damage_is_refused),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
