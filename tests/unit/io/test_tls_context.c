// What include/io/tls.h promises of a context: which certificate it shows, and which files it refuses.
#include "parties.h"
#include "secured.h"
#include "unit.h"
#include <string.h>
#include <time.h>

// Whether a client that trusts `parties.ca` and wants `name` is content with such a server.
static bool content(struct tls_context *server, const char *name) {
    struct secured pair;
    struct tls_context *client = parties_client(parties.ca, NULL);
    secured_open(&pair, client, server, name, NULL);
    bool ok = secured_shake(&pair);
    secured_close(&pair);
    tls_context_unref(client);
    return ok;
}

static void the_certificate_is_chosen_by_name(void **state) {
    (void)state;
    struct tls_context *server = parties_server(parties.a, parties.wild, NULL);
    assert_true(content(server, "a.test"));
    assert_true(content(server, "A.Test"));
    assert_true(content(server, "127.0.0.1")); // no name is sent: the first one
    assert_true(content(server, "x.b.test"));
    assert_false(content(server, "b.test"));     // a wildcard is one label
    assert_false(content(server, "y.x.b.test")); // exactly one
    assert_false(content(server, "c.test"));
    assert_false(content(server, "127.0.0.2"));
    tls_context_unref(server);
}

static void of_two_for_one_name_the_first_has_it_and_the_exact_one_goes_before_the_wildcard(void **state) {
    (void)state;
    struct tls_context *good_first = parties_server(parties.wild, parties.a, parties.foreign);
    struct tls_context *good_last = parties_server(parties.wild, parties.foreign, parties.a);
    struct tls_context *exact = parties_server(parties.a, parties.wild, parties.twin);
    assert_true(content(good_first, "a.test"));
    assert_false(content(good_last, "a.test"));
    assert_true(content(exact, "y.b.test"));
    assert_false(content(exact, "x.b.test")); // the stranger's
    tls_context_unref(good_first);
    tls_context_unref(good_last);
    tls_context_unref(exact);
}

// ---- contexts from files

struct told {
    const char *paths[8];
    char text[8][512];
    size_t count;
};

static void tell(const char *path, const char *sentence, void *context) {
    struct told *told = context;
    assert_true(told->count < 8);
    told->paths[told->count] = path;
    snprintf(told->text[told->count++], sizeof told->text[0], "%s", sentence);
}

static void every_file_that_cannot_be_used_is_told(void **state) {
    (void)state;
    struct told told = {.count = 0};
    struct tls_complaints complaints = {tell, &told};
    struct tls_identity identities[] = {
        {parties.a->certificate, parties.wild->key, NULL},
        {"/nonexistent/x.pem", "/nonexistent/x.key", NULL},
        {parties.a->certificate, parties.a->key, parties.a->certificate},
        parties_identity(parties.wild),
    };
    struct tls_server_settings settings = {.identities = identities,
                                           .identity_count = 4,
                                           .client_ca = parties.folder,
                                           .tickets = parties.tickets};
    assert_null(tls_context_server(&settings, &complaints));
    assert_int_equal(told.count, 5);
    const char *paths[] = {parties.wild->key, parties.folder, "/nonexistent/x.pem", "/nonexistent/x.key",
                           parties.a->certificate};
    const char *words[] = {"is not the one of certificate", "it is a folder", "No such file", "No such file",
                           "OCSP response"};
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(told.paths[i], paths[i]);
        assert_non_null(strstr(told.text[i], paths[i]));
        assert_non_null(strstr(told.text[i], words[i]));
    }
    assert_ptr_equal(told.paths[2], identities[1].certificate); // the very string, for who looks up its place
    assert_null(tls_context_server(&settings, NULL));
    told.count = 0;
    struct tls_client_settings client = {parties.a->key, parties.user->certificate, parties.a->key, true};
    assert_null(tls_context_client(&client, &complaints));
    assert_int_equal(told.count, 2);
    assert_non_null(strstr(told.text[0], "no certificate in PEM form is in it"));
    assert_non_null(strstr(told.text[1], "is not the one of certificate"));
}

static void contexts_of_the_same_bytes_are_the_same(void **state) {
    (void)state;
    struct tls_context *one = parties_server(parties.a, NULL, NULL),
                       *two = parties_server(parties.a, NULL, NULL);
    struct tls_context *other = parties_server(parties.wild, NULL, NULL),
                       *more = parties_server(parties.a, parties.wild, NULL);
    struct tls_context *strict = parties_asking(true), *lenient = parties_asking(false),
                       *client = parties_client(parties.ca, NULL);
    assert_true(tls_context_same(one, two));
    assert_false(tls_context_same(one, other));
    assert_false(tls_context_same(one, more));
    assert_false(tls_context_same(strict, lenient));
    assert_false(tls_context_same(one, client));
    assert_false(tls_context_same(one, NULL));
    struct tls_context *all[] = {one, two, other, more, strict, lenient, client};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tls_context_unref(all[i]);
    tls_context_unref(NULL);
}

static void a_chain_is_good_from_its_last_begin_to_its_first_end(void **state) {
    (void)state;
    struct tls_context *server = parties_server(parties.a, parties.soon, NULL);
    struct tls_context *client = parties_client(parties.ca, NULL);
    int64_t now = (int64_t)time(NULL);
    struct tls_validity first = tls_context_validity(server, 0), second = tls_context_validity(server, 1);
    assert_in_range(first.until, now + 30 * 86400 - 60, now + 30 * 86400);
    assert_in_range(second.until, now + 3 * 86400 - 60, now + 3 * 86400);
    assert_in_range(first.from, now - 3660, now - 3600);
    assert_true(tls_context_validity(client, 0).until == INT64_MAX); // shows nothing
    assert_true(tls_context_validity(client, 0).from == INT64_MIN);
    tls_context_unref(server);
    tls_context_unref(client);
}

int test_tls_context(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_certificate_is_chosen_by_name),
        cmocka_unit_test(of_two_for_one_name_the_first_has_it_and_the_exact_one_goes_before_the_wildcard),
        cmocka_unit_test(every_file_that_cannot_be_used_is_told),
        cmocka_unit_test(contexts_of_the_same_bytes_are_the_same),
        cmocka_unit_test(a_chain_is_good_from_its_last_begin_to_its_first_end),
    };
    return cmocka_run_group_tests_name("tls_context", tests, parties_make, parties_drop);
}
