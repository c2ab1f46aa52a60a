// Keys of session tickets on their way to another process.
#include "base/clock.h"
#include "io/tls.h"
#include "unit.h"
#include <string.h>

static void keys_go_over_whole(void **state) {
    (void)state;
    struct tls_tickets *old = tls_tickets_new(), *fresh = tls_tickets_new();
    unsigned char before[TLS_TICKETS_BYTES], own[TLS_TICKETS_BYTES], after[TLS_TICKETS_BYTES];
    tls_tickets_export(old, before);
    tls_tickets_export(fresh, own);
    assert_memory_not_equal(before, own, sizeof own);
    assert_true(tls_tickets_import(fresh, before, sizeof before));
    tls_tickets_export(fresh, after);
    assert_memory_equal(before, after, sizeof after);
    tls_tickets_unref(old);
    tls_tickets_unref(fresh);
}

static void others_are_refused(void **state) {
    (void)state;
    struct tls_tickets *tickets = tls_tickets_new();
    unsigned char bytes[TLS_TICKETS_BYTES], after[TLS_TICKETS_BYTES];
    uint64_t tomorrow = clock_monotonic_ns() + 86400 * NS_PER_S;
    tls_tickets_export(tickets, bytes);
    assert_false(tls_tickets_import(tickets, bytes, sizeof bytes - 1));
    memcpy(bytes + sizeof bytes - sizeof tomorrow, &tomorrow, sizeof tomorrow);
    assert_false(tls_tickets_import(tickets, bytes, sizeof bytes));
    tls_tickets_export(tickets, after);
    assert_memory_not_equal(bytes, after, sizeof after);
    tls_tickets_unref(tickets);
}

int test_tls_ticket(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_go_over_whole),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests_name("tls_ticket", tests, NULL, NULL);
}
