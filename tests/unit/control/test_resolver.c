// The resolver against a DNS server that says what the test wants, and against silence.
#include "../../../src/control/resolver.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct scene {
    struct event_base *base;
    struct event *question;
    int fd; // the server's
    unsigned questions;
    bool silent, silent_for_ipv6;
    uint32_t ttl;
    const char *server; // "127.0.0.1:PORT"
    char server_text[ADDRESS_TEXT];
    struct resolver_config config;
    struct resolver *resolver;
    // the last answer
    unsigned done;
    size_t count;
    int64_t ttl_s;
    char first[ADDRESS_TEXT], error[128];
};

static size_t put_answer(uint8_t *at, uint32_t ttl, uint8_t last) {
    // the question's name, A, IN, TTL, four bytes
    uint8_t record[] = {0xc0,
                        12,
                        0,
                        1,
                        0,
                        1,
                        (uint8_t)(ttl >> 24),
                        (uint8_t)(ttl >> 16),
                        (uint8_t)(ttl >> 8),
                        (uint8_t)ttl,
                        0,
                        4,
                        10,
                        0,
                        0,
                        last};
    memcpy(at, record, sizeof record);
    return sizeof record;
}

// Names that begin with "no" do not exist; the others have 10.0.0.1 with the scene's TTL and 10.0.0.2 with a
// longer one, and no IPv6 address.
static void on_question(evutil_socket_t fd, short what, void *context) {
    (void)what;
    struct scene *scene = context;
    uint8_t text[1024];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t got = recvfrom(fd, text, 512, 0, (struct sockaddr *)&from, &len);
    scene->questions++;
    if (got < 17 || scene->silent)
        return;
    if (scene->silent_for_ipv6 && text[got - 3] == 28)
        return;
    size_t end = (size_t)got;
    bool unknown = memcmp(text + 13, "no", 2) == 0, v4 = text[got - 3] == 1;
    text[2] = 0x81, text[3] = unknown ? 0x83 : 0x80;
    if (v4 && !unknown) {
        end += put_answer(text + end, scene->ttl, 1);
        end += put_answer(text + end, scene->ttl + 100, 2);
        text[7] = 2;
    }
    assert_int_equal(sendto(fd, text, end, 0, (struct sockaddr *)&from, len), end);
}

static void make_resolver(struct scene *scene, int64_t timeout_ms) {
    struct error error;
    scene->server = scene->server_text;
    scene->config =
        (struct resolver_config){.servers = {&scene->server, 1}, .timeout = timeout_ms, .refresh = 30000};
    scene->resolver = resolver_new(scene->base, &scene->config, &error);
    assert_non_null(scene->resolver);
}

static int open_scene(void **state) {
    static struct scene scene;
    struct address address = {0};
    memset(&scene, 0, sizeof scene);
    scene.base = event_base_new();
    scene.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(address_numeric(&address, "127.0.0.1", 0));
    assert_int_equal(bind(scene.fd, &address.any, address.len), 0);
    assert_int_equal(getsockname(scene.fd, &address.any, &address.len), 0);
    address_text(&address, scene.server_text);
    scene.question = event_new(scene.base, scene.fd, EV_READ | EV_PERSIST, on_question, &scene);
    event_add(scene.question, NULL);
    scene.ttl = 60;
    make_resolver(&scene, 5000);
    *state = &scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    resolver_free(scene->resolver);
    event_free(scene->question);
    close(scene->fd);
    event_base_free(scene->base);
    return 0;
}

static void on_answer(const struct resolver_answer *answer, void *context) {
    struct scene *scene = context;
    scene->done++;
    scene->count = answer->count;
    scene->ttl_s = answer->ttl_s;
    snprintf(scene->error, sizeof scene->error, "%s", answer->error ? answer->error : "");
    if (answer->count)
        address_text(&answer->addresses[0], scene->first);
}

static void run_until(struct scene *scene, unsigned done) {
    while (scene->done < done)
        event_base_loop(scene->base, EVLOOP_ONCE);
}

static void all_addresses_with_the_smallest_time_to_live(void **state) {
    struct scene *scene = *state;
    resolver_ask(scene->resolver, "model.test", on_answer, scene);
    assert_int_equal(scene->done, 0);
    run_until(scene, 1);
    assert_int_equal(scene->count, 2);
    assert_int_equal(scene->ttl_s, 60);
    assert_string_equal(scene->first, "10.0.0.1:0");
    assert_string_equal(scene->error, "");
    assert_int_equal(scene->questions, 2); // A and AAAA
}

static void a_name_that_does_not_exist_says_so(void **state) {
    struct scene *scene = *state;
    resolver_ask(scene->resolver, "nowhere.test", on_answer, scene);
    run_until(scene, 1);
    assert_int_equal(scene->count, 0);
    assert_string_equal(scene->error, "Domain name not found");
}

static void the_hosts_file_needs_no_server_and_has_no_time_to_live(void **state) {
    struct scene *scene = *state;
    scene->silent = true;
    resolver_ask(scene->resolver, "localhost", on_answer, scene);
    assert_int_equal(scene->done, 0); // found at once, told later
    run_until(scene, 1);
    assert_true(scene->count >= 1);
    assert_int_equal(scene->ttl_s, 0);
    assert_int_equal(scene->questions, 0);
}

static void silence_ends_in_time(void **state) {
    struct scene *scene = *state;
    scene->silent = true;
    resolver_free(scene->resolver);
    make_resolver(scene, 150);
    resolver_ask(scene->resolver, "model.test", on_answer, scene);
    run_until(scene, 1);
    assert_int_equal(scene->count, 0);
    assert_string_equal(scene->error, "no answer in time");
    assert_true(scene->questions >= 4); // each of the two was repeated
}

static void silence_about_ipv6_does_not_hide_ipv4(void **state) {
    struct scene *scene = *state;
    scene->silent_for_ipv6 = true;
    resolver_free(scene->resolver);
    make_resolver(scene, 150);
    resolver_ask(scene->resolver, "model.test", on_answer, scene);
    run_until(scene, 1);
    assert_int_equal(scene->count, 2);
    assert_int_equal(scene->ttl_s, 60);
}

static void what_was_cancelled_or_freed_is_not_told(void **state) {
    struct scene *scene = *state;
    struct lookup *first = resolver_ask(scene->resolver, "model.test", on_answer, scene);
    struct lookup *second = resolver_ask(scene->resolver, "localhost", on_answer, scene); // answered already
    resolver_ask(scene->resolver, "third.test", on_answer, scene);
    lookup_cancel(first);
    lookup_cancel(second);
    run_until(scene, 1);
    assert_int_equal(scene->count, 2);
    resolver_ask(scene->resolver, "model.test", on_answer, scene);
    resolver_ask(scene->resolver, "localhost", on_answer, scene);
    resolver_free(scene->resolver);
    event_base_loop(scene->base, EVLOOP_NONBLOCK);
    assert_int_equal(scene->done, 1);
    make_resolver(scene, 5000);
}

static void free_it(const struct resolver_answer *answer, void *context) {
    struct scene *scene = context;
    on_answer(answer, scene);
    resolver_free(scene->resolver);
    scene->resolver = NULL;
}

static void done_may_free_the_resolver(void **state) {
    struct scene *scene = *state;
    resolver_ask(scene->resolver, "localhost", free_it, scene);
    resolver_ask(scene->resolver, "model.test", on_answer, scene);
    run_until(scene, 1);
    assert_null(scene->resolver);
}

static void servers_come_with_and_without_a_port(void **state) {
    struct scene *scene = *state;
    const char *servers[] = {"10.0.0.53", "10.0.0.53:5353", "::1", "[::1]:5353", "[2001:db8::1]:53"};
    struct error error;
    scene->config.servers = (struct string_list){servers, sizeof servers / sizeof *servers};
    struct resolver *resolver = resolver_new(scene->base, &scene->config, &error);
    assert_non_null(resolver);
    resolver_free(resolver);
}

int test_resolver(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(all_addresses_with_the_smallest_time_to_live),
        SCENE(a_name_that_does_not_exist_says_so),
        SCENE(the_hosts_file_needs_no_server_and_has_no_time_to_live),
        SCENE(silence_ends_in_time),
        SCENE(silence_about_ipv6_does_not_hide_ipv4),
        SCENE(what_was_cancelled_or_freed_is_not_told),
        SCENE(done_may_free_the_resolver),
        SCENE(servers_come_with_and_without_a_port),
    };
    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
