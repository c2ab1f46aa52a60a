// What one daemon tells the next, written and read.
#include "../../../src/control/bequest.h"
#include "base/clock.h"
#include "base/mem.h"
#include "unit.h"

#include <string.h>

static struct strbuf text;
static enum bequest_kind kind;

static json_t *parsed(void) {
    json_t *root = bequest_parse(strbuf_as_slice(&text), &kind);
    assert_non_null(root);
    strbuf_free(&text);
    return root;
}

static void hello_is_read_as_written(void **state) {
    (void)state;
    struct bequest_hello said = {
        .version = "1.2", .config_path = "/etc/a \"b\".yaml", .upgrades = 7, .failures = 2};
    struct bequest_hello heard;
    struct error error;
    for (size_t i = 0; i < sizeof said.tickets; i++)
        said.tickets[i] = (unsigned char)(i * 37 + 250);
    bequest_write_hello(&said, &text);
    json_t *root = parsed();
    assert_int_equal(kind, BEQUEST_HELLO);
    assert_true(bequest_read_hello(root, &heard, &error));
    assert_string_equal(heard.version, said.version);
    assert_string_equal(heard.config_path, said.config_path);
    assert_int_equal(heard.upgrades, 7);
    assert_int_equal(heard.failures, 2);
    assert_memory_equal(heard.tickets, said.tickets, sizeof said.tickets);
    json_object_set_new(root, "tickets", json_string("00g0"));
    assert_false(bequest_read_hello(root, &heard, &error));
    json_object_set_new(root, "protocol", json_integer(BEQUEST_PROTOCOL + 1));
    assert_false(bequest_read_hello(root, &heard, &error));
    assert_non_null(strstr(error.text, "version 2 of the handover"));
    json_decref(root);
}

static void what_is_not_known_is_passed_over(void **state) {
    (void)state;
    static const char *const others[] = {"{\"kind\":\"new\"}", "{}", "[]", "{\"kind\":3}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        json_decref(bequest_parse(slice_of(others[i]), &kind));
        assert_int_equal(kind, BEQUEST_UNKNOWN);
    }
    assert_null(bequest_parse(SLICE("{"), &kind));
    assert_int_equal(kind, BEQUEST_UNKNOWN);
    for (unsigned i = 0; i < BEQUEST_UNKNOWN; i++) {
        bequest_write((enum bequest_kind)i, &text);
        json_decref(parsed());
        assert_int_equal(kind, i);
    }
}

static void a_socket_has_its_file(void **state) {
    (void)state;
    char path[] = "/run/a.sock";
    struct socket_file said = {path, 66, 1ull << 40}, heard, none = {0};
    struct lent_listener listener = {.configured = "unix:/run/a.sock", .file = &said, .lent = true}, other;
    bequest_write_listener(BEQUEST_LISTENER, &listener, &text);
    json_t *root = parsed();
    assert_int_equal(kind, BEQUEST_LISTENER);
    bequest_read_listener(root, &other, &heard);
    assert_string_equal(other.configured, listener.configured);
    assert_true(other.lent);
    assert_string_equal(heard.path, path);
    assert_true(heard.device == said.device && heard.inode == said.inode);
    mem_free(heard.path);
    json_decref(root);
    listener = (struct lent_listener){.configured = "127.0.0.1:80", .file = &none};
    bequest_write_listener(BEQUEST_ADMIN, &listener, &text);
    root = parsed();
    bequest_read_listener(root, &other, &heard);
    assert_null(heard.path);
    assert_false(other.lent);
    json_decref(root);
}

static void an_endpoint_is_as_it_was(void **state) {
    (void)state;
    struct address address;
    struct error error;
    assert_true(address_parse(&address, "127.0.0.1:1", &error));
    struct address_list *list = address_list_new(&address, 1);
    struct endpoint *old = endpoint_new("p", "http://127.0.0.1:1", list, "127.0.0.1:1", 1, 1),
                    *fresh = endpoint_new("p", "http://127.0.0.1:1", list, "127.0.0.1:1", 1, 1);
    assert_false(bequest_write_endpoint(old, &text)); // as the file says
    uint64_t until = clock_monotonic_ns() + NS_PER_S;
    atomic_store(&old->states, ENDPOINT_DRAINED | ENDPOINT_EJECTED);
    old->ejections = 3;
    old->ejected_until_ns = until;
    atomic_store(&old->spared_until_ns, until + 1);
    atomic_store(&old->refusals, 4);
    assert_true(bequest_write_endpoint(old, &text));
    json_t *root = parsed();
    bequest_read_endpoint(root, fresh);
    assert_int_equal(atomic_load(&fresh->states), ENDPOINT_DRAINED | ENDPOINT_EJECTED);
    assert_int_equal(fresh->ejections, 3);
    assert_true(fresh->ejected_until_ns == until && atomic_load(&fresh->spared_until_ns) == until + 1);
    assert_int_equal(atomic_load(&fresh->refusals), 4);
    json_decref(root);
    endpoint_unref(old);
    endpoint_unref(fresh);
    address_list_unref(list);
}

static void weights_hold_while_the_file_says_the_same(void **state) {
    (void)state;
    struct variant_config variants[] = {{.name = "a", .weight = 9000}, {.name = "b", .weight = 1000}};
    struct route_config route = {.name = "r", .variants = variants, .variant_count = 2};
    const uint16_t set[] = {2500, 7500};
    uint16_t read[2];
    bequest_write_weights(&route, set, &text);
    json_t *root = parsed();
    assert_string_equal(bequest_text(root, "route"), "r");
    assert_true(bequest_read_weights(root, &route, read));
    assert_memory_equal(read, set, sizeof set);
    variants[0].weight = 8000, variants[1].weight = 2000;
    assert_false(bequest_read_weights(root, &route, read)); // somebody has edited it
    variants[0].weight = 9000, variants[1].weight = 1000, variants[1].name = "c";
    assert_false(bequest_read_weights(root, &route, read));
    variants[1].name = "b", route.variant_count = 1;
    assert_false(bequest_read_weights(root, &route, read));
    route.variant_count = 2;
    json_object_set_new(json_object_get(root, "weights"), "a", json_integer(2501));
    assert_false(bequest_read_weights(root, &route, read)); // not a whole
    json_decref(root);
}

static void ready_names_what_is_left(void **state) {
    (void)state;
    struct inherited *none = inherited_new();
    bequest_write_ready(none, &text);
    json_t *root = parsed();
    assert_false(bequest_left(root, "a"));
    json_array_append_new(json_object_get(root, "left"), json_string("a"));
    assert_true(bequest_left(root, "a"));
    assert_false(bequest_left(root, "b"));
    json_decref(root);
    inherited_free(none);
}

int test_bequest(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_read_as_written),
        cmocka_unit_test(what_is_not_known_is_passed_over),
        cmocka_unit_test(a_socket_has_its_file),
        cmocka_unit_test(an_endpoint_is_as_it_was),
        cmocka_unit_test(weights_hold_while_the_file_says_the_same),
        cmocka_unit_test(ready_names_what_is_left),
    };
    return cmocka_run_group_tests_name("bequest", tests, NULL, NULL);
}
