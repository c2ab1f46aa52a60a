// What include/io/tls.h promises of a stream, between two contexts of ours over a socket pair.
#include "base/mem.h"
#include "parties.h"
#include "secured.h"
#include "unit.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

// Opens a pair whose contexts live as long as it does.
static void open_pair(struct secured *pair, struct tls_context *take_client, struct tls_context *take_server,
                      const char *name) {
    secured_open(pair, take_client, take_server, name, NULL);
    tls_context_unref(take_client);
    tls_context_unref(take_server);
}

static void open_standard(struct secured *pair) {
    open_pair(pair, parties_client(parties.ca, NULL), parties_server(parties.a, NULL, NULL), "a.test");
    assert_true(secured_shake(pair));
}

// ---- bytes

static void bytes_go_both_ways(void **state) {
    (void)state;
    struct secured pair;
    char bytes[64];
    size_t got;
    open_standard(&pair);
    secured_write(&pair.client, "question");
    assert_int_equal(secured_read(&pair, &pair.server, bytes, 8, &got), STREAM_DONE);
    assert_memory_equal(bytes, "question", 8);
    secured_write(&pair.server, "answer");
    assert_int_equal(secured_read(&pair, &pair.client, bytes, 6, &got), STREAM_DONE);
    assert_memory_equal(bytes, "answer", 6);
    assert_int_equal(stream_read(&pair.client, bytes, sizeof bytes, &got), STREAM_BLOCKED);
    assert_false(pair.client.readable);
    assert_non_null(stream_tls_context(&pair.client));
    secured_close(&pair);
}

// A request that came in one packet with the handshake's end brings no event of its own.
static void what_came_with_the_handshake_is_read(void **state) {
    (void)state;
    struct secured pair;
    char bytes[64];
    size_t got;
    open_pair(&pair, parties_client(parties.ca, NULL), parties_server(parties.a, NULL, NULL), "a.test");
    assert_int_equal(stream_handshake(&pair.client), STREAM_BLOCKED);
    secured_turn(&pair);
    assert_int_equal(stream_handshake(&pair.server), STREAM_BLOCKED);
    secured_turn(&pair);
    assert_int_equal(stream_handshake(&pair.client), STREAM_DONE);
    secured_write(&pair.client, "early");
    secured_turn(&pair);
    assert_int_equal(stream_handshake(&pair.server), STREAM_DONE);
    assert_true(pair.server.readable);
    assert_int_equal(stream_read(&pair.server, bytes, sizeof bytes, &got), STREAM_DONE);
    assert_int_equal(got, 5);
    secured_close(&pair);
}

static void parts_are_gathered_in_order(void **state) {
    (void)state;
    struct secured pair;
    char many[20000], bytes[sizeof many + 8];
    size_t put, got;
    memset(many, 'm', sizeof many);
    struct iovec parts[] = {{(void *)"head", 4}, {NULL, 0}, {many, sizeof many}, {(void *)"tail", 4}};
    open_standard(&pair);
    assert_int_equal(stream_write(&pair.client, parts, 4, &put), STREAM_DONE);
    assert_int_equal(put, sizeof bytes);
    assert_int_equal(secured_read(&pair, &pair.server, bytes, sizeof bytes, &got), STREAM_DONE);
    assert_int_equal(got, sizeof bytes);
    assert_memory_equal(bytes, "head", 4);
    assert_memory_equal(bytes + 4, many, sizeof many);
    assert_memory_equal(bytes + 4 + sizeof many, "tail", 4);
    secured_close(&pair);
}

static char byte_at(size_t at) {
    return (char)(at * 31 + at / 251);
}

// Writes until no more is taken: how much was.
static size_t fill(struct stream *stream) {
    char bytes[50000];
    size_t total = 0, put;
    for (;;) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = byte_at(total + i);
        struct iovec part = {bytes, sizeof bytes};
        enum stream_result result = stream_write(stream, &part, 1, &put);
        if (result == STREAM_BLOCKED)
            return total;
        assert_int_equal(result, STREAM_DONE);
        total += put;
        assert_true(total < 100 << 20);
    }
}

// Reads to the end, or as much as `total`, and compares.
static enum stream_result drain(struct secured *pair, struct stream *from, size_t total) {
    char bytes[30000];
    size_t at = 0, got;
    enum stream_result result = STREAM_DONE;
    for (int idle = 0; at < total && idle < 100; idle++) {
        secured_turn(pair);
        while ((result = stream_read(from, bytes, sizeof bytes, &got)) == STREAM_DONE) {
            for (size_t i = 0; i < got; i++)
                assert_int_equal(bytes[i], byte_at(at + i));
            at += got;
            idle = 0;
        }
    }
    assert_int_equal(at, total);
    return result;
}

static void records_wait_while_the_socket_is_full(void **state) {
    (void)state;
    struct secured pair;
    struct iovec nothing = {(void *)"", 0};
    size_t put;
    open_standard(&pair);
    assert_false(stream_unsent(&pair.server));
    size_t total = fill(&pair.server);
    assert_true(total > 0);
    assert_true(stream_unsent(&pair.server));
    assert_int_equal(stream_write(&pair.server, &nothing, 1, &put), STREAM_BLOCKED);
    assert_int_equal(drain(&pair, &pair.client, total), STREAM_BLOCKED);
    assert_false(stream_unsent(&pair.server)); // went out by the socket's events alone
    assert_int_equal(stream_write(&pair.server, &nothing, 1, &put), STREAM_DONE);
    assert_int_equal(put, 0);
    secured_write(&pair.server, "more");
    secured_close(&pair);
}

// ---- the end

static void an_end_is_told_and_the_other_way_stays_open(void **state) {
    (void)state;
    struct secured pair;
    char bytes[16];
    size_t got;
    open_standard(&pair);
    secured_write(&pair.client, "last");
    stream_finish(&pair.client);
    assert_int_equal(secured_read(&pair, &pair.server, bytes, 4, &got), STREAM_DONE);
    assert_int_equal(secured_read(&pair, &pair.server, bytes, 1, &got), STREAM_ENDED);
    assert_false(pair.server.truncated);
    secured_write(&pair.server, "answer");
    assert_int_equal(secured_read(&pair, &pair.client, bytes, 6, &got), STREAM_DONE);
    assert_memory_equal(bytes, "answer", 6);
    secured_close(&pair);
}

static void an_end_comes_after_all_that_waits(void **state) {
    (void)state;
    struct secured pair;
    char byte;
    open_standard(&pair);
    size_t total = fill(&pair.server);
    stream_finish(&pair.server);
    drain(&pair, &pair.client, total);
    secured_turn(&pair);
    size_t got;
    assert_int_equal(secured_read(&pair, &pair.client, &byte, 1, &got), STREAM_ENDED);
    assert_false(pair.client.truncated);
    assert_int_equal(recv(pair.client.fd, &byte, 1, 0), 0); // the socket's end, too
    secured_close(&pair);
}

static void a_cut_is_told_from_an_end(void **state) {
    (void)state;
    struct secured pair;
    char bytes[16];
    size_t got;
    open_standard(&pair);
    secured_turn(&pair);
    assert_int_equal(stream_read(&pair.client, bytes, 1, &got), STREAM_BLOCKED); // a reset, else
    secured_write(&pair.client, "some");
    stream_close(&pair.client);
    assert_int_equal(secured_read(&pair, &pair.server, bytes, 4, &got), STREAM_DONE);
    assert_int_equal(secured_read(&pair, &pair.server, bytes, 1, &got), STREAM_ENDED);
    assert_true(pair.server.truncated);
    secured_close(&pair);
}

static void a_forged_record_is_a_failure_that_stays(void **state) {
    (void)state;
    static const char forged[] = "\x17\x03\x03\x00\x20"
                                 "0123456789abcdef0123456789abcdef";
    struct secured pair;
    char bytes[64];
    size_t got, put;
    open_standard(&pair);
    assert_int_equal(send(pair.client.fd, forged, sizeof forged - 1, 0), sizeof forged - 1);
    assert_int_equal(secured_read(&pair, &pair.server, bytes, 1, &got), STREAM_FAILED);
    assert_int_equal(errno, EPROTO);
    assert_non_null(strstr(stream_tls_failure(&pair.server), "bad record mac"));
    assert_non_null(strstr(stream_tls_failure(&pair.server), "alert sent"));
    assert_int_equal(stream_read(&pair.server, bytes, 1, &got), STREAM_FAILED);
    struct iovec part = {bytes, 1};
    assert_int_equal(stream_write(&pair.server, &part, 1, &put), STREAM_FAILED);
    assert_int_equal(secured_read(&pair, &pair.client, bytes, 1, &got), STREAM_FAILED);
    assert_non_null(strstr(stream_tls_failure(&pair.client), "alert received"));
    assert_int_equal(send(pair.client.fd, "rest", 4, 0), 4);
    secured_turn(&pair);
    assert_int_equal(stream_discard(&pair.server, &got), STREAM_DONE); // past reading, but not past that
    assert_int_equal(got, 4);
    secured_close(&pair);
}

// ---- failures

static void a_failure_is_explained_at_both_ends(void **state) {
    (void)state;
    static const struct {
        const char *name, *client, *server;
    } cases[] = {
        {"a.test", "unable to get local issuer certificate (alert sent: unknown CA)",
         "(alert received: unknown CA)"},
        {"c.test", "", ""},
    };
    struct secured pair;
    open_pair(&pair, parties_client(parties.stranger, NULL), parties_server(parties.a, NULL, NULL),
              cases[0].name);
    assert_false(secured_shake(&pair));
    assert_string_equal(stream_tls_failure(&pair.client), cases[0].client);
    assert_non_null(strstr(stream_tls_failure(&pair.server), cases[0].server));
    secured_close(&pair);
    open_pair(&pair, parties_client(parties.ca, NULL), parties_server(parties.a, NULL, NULL), cases[1].name);
    assert_false(secured_shake(&pair));
    assert_non_null(strstr(stream_tls_failure(&pair.client), "hostname mismatch (alert sent: "));
    secured_close(&pair);
}

static void what_is_no_tls_is_explained(void **state) {
    (void)state;
    struct secured pair;
    open_pair(&pair, NULL, parties_server(parties.a, NULL, NULL), NULL);
    assert_string_equal(stream_tls_failure(&pair.client), "not under TLS");
    assert_null(stream_tls_context(&pair.client));
    assert_null(stream_tls_subject(&pair.client));
    secured_write(&pair.client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    secured_turn(&pair);
    assert_int_equal(stream_handshake(&pair.server), STREAM_FAILED);
    assert_non_null(strstr(stream_tls_failure(&pair.server), "http request"));
    secured_close(&pair);
    open_pair(&pair, NULL, parties_server(parties.a, NULL, NULL), NULL);
    assert_int_equal(stream_handshake(&pair.server), STREAM_BLOCKED);
    stream_close(&pair.client);
    secured_turn(&pair);
    assert_int_equal(stream_handshake(&pair.server), STREAM_FAILED);
    assert_string_equal(stream_tls_failure(&pair.server), "the connection was closed");
    secured_close(&pair);
}

static void without_verification_everybody_will_do(void **state) {
    (void)state;
    struct secured pair;
    struct tls_client_settings settings = {.verify = false};
    open_pair(&pair, tls_context_client(&settings, NULL), parties_server(parties.foreign, NULL, NULL),
              "c.test");
    assert_true(secured_shake(&pair));
    secured_close(&pair);
}

// ---- client certificates

static void a_client_is_known_by_its_subject(void **state) {
    (void)state;
    for (int required = 0; required < 2; required++) {
        struct secured pair;
        open_pair(&pair, parties_client(parties.ca, parties.user), parties_asking(required), "a.test");
        assert_true(secured_shake(&pair));
        char *subject = stream_tls_subject(&pair.server);
        assert_string_equal(subject, "CN=us\\,er\\0A,O=Test"); // RFC 4514: one line, nothing unescaped
        mem_free(subject);
        secured_close(&pair);
    }
}

static void a_client_without_one_is_nobody_or_refused(void **state) {
    (void)state;
    struct secured pair;
    open_pair(&pair, parties_client(parties.ca, NULL), parties_asking(false), "a.test");
    assert_true(secured_shake(&pair));
    assert_null(stream_tls_subject(&pair.server));
    secured_close(&pair);
    open_pair(&pair, parties_client(parties.ca, NULL), parties_asking(true), "a.test");
    assert_false(secured_shake(&pair));
    assert_non_null(strstr(stream_tls_failure(&pair.server), "peer did not return a certificate"));
    secured_close(&pair);
    open_pair(&pair, parties_client(parties.ca, parties.foreign), parties_asking(false), "a.test");
    assert_false(secured_shake(&pair));
    assert_null(stream_tls_subject(&pair.server));
    secured_close(&pair);
}

// ---- resumption

// A handshake with what is in the slot, and a byte back, since tickets come with the first read.
static bool visit(struct tls_context *client, struct tls_context *server, struct tls_session *slot) {
    struct secured pair;
    char byte;
    size_t got;
    secured_open(&pair, client, server, "a.test", slot);
    bool ok = secured_shake(&pair);
    if (ok) {
        secured_write(&pair.server, "!");
        assert_int_equal(secured_read(&pair, &pair.client, &byte, 1, &got), STREAM_DONE);
    }
    secured_close(&pair);
    return ok;
}

// A server whose certificate nobody trusts is only accepted by who resumes a session: so both are told apart.
static void a_session_is_resumed_where_the_ticket_keys_are_shared(void **state) {
    (void)state;
    struct tls_session slot = {NULL, NULL};
    struct tls_context *client = parties_client(parties.ca, NULL), *again = parties_client(parties.ca, NULL);
    struct tls_context *good = parties_server(parties.a, NULL, NULL),
                       *bad = parties_server(parties.foreign, NULL, NULL);
    assert_false(visit(client, bad, &slot));
    assert_null(slot.session);
    assert_true(visit(client, good, &slot));
    assert_non_null(slot.session);
    assert_true(visit(client, bad, &slot));
    assert_true(visit(client, bad, &slot)); // by the ticket that came then
    assert_false(visit(again, bad, &slot)); // kept by another context
    assert_false(visit(client, bad, NULL)); // no slot, no session
    struct tls_tickets *kept = parties.tickets;
    parties.tickets = tls_tickets_new();
    struct tls_context *elsewhere = parties_server(parties.foreign, NULL, NULL);
    assert_true(visit(client, good, &slot));
    assert_false(visit(client, elsewhere, &slot)); // another process's keys: the ticket is worth nothing
    tls_tickets_unref(parties.tickets);
    parties.tickets = kept;
    tls_session_clear(&slot);
    assert_null(slot.session);
    assert_false(visit(client, bad, &slot));
    tls_session_clear(&slot);
    tls_context_unref(elsewhere);
    tls_context_unref(client);
    tls_context_unref(again);
    tls_context_unref(good);
    tls_context_unref(bad);
}

static void a_session_made_under_other_client_authorities_is_not_resumed(void **state) {
    (void)state;
    struct tls_session slot = {NULL, NULL};
    struct tls_context *client = parties_client(parties.ca, NULL);
    struct tls_context *good = parties_server(parties.a, NULL, NULL), *strict = parties_asking(true);
    assert_true(visit(client, good, &slot));
    assert_non_null(slot.session);
    assert_false(visit(client, strict, &slot));
    tls_session_clear(&slot);
    tls_context_unref(client);
    tls_context_unref(good);
    tls_context_unref(strict);
}

int test_tls(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(what_came_with_the_handshake_is_read),
        cmocka_unit_test(parts_are_gathered_in_order),
        cmocka_unit_test(records_wait_while_the_socket_is_full),
        cmocka_unit_test(an_end_is_told_and_the_other_way_stays_open),
        cmocka_unit_test(an_end_comes_after_all_that_waits),
        cmocka_unit_test(a_cut_is_told_from_an_end),
        cmocka_unit_test(a_forged_record_is_a_failure_that_stays),
        cmocka_unit_test(a_failure_is_explained_at_both_ends),
        cmocka_unit_test(what_is_no_tls_is_explained),
        cmocka_unit_test(without_verification_everybody_will_do),
        cmocka_unit_test(a_client_is_known_by_its_subject),
        cmocka_unit_test(a_client_without_one_is_nobody_or_refused),
        cmocka_unit_test(a_session_is_resumed_where_the_ticket_keys_are_shared),
        cmocka_unit_test(a_session_made_under_other_client_authorities_is_not_resumed),
    };
    return cmocka_run_group_tests_name("tls", tests, parties_make, parties_drop);
}
