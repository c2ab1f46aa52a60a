// fetch while a name is being resolved: the system's resolver may take minutes, on a thread of curl's.
// Neither a time-out nor a cancellation may wait for it, since all rollouts are judged on the thread that
// waits.
#include "control/fetch.h"
#include "peer.h"
#include "unit.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned asked, stuck;
static bool let_go;

// In place of the C library's, for the whole test program: everything but this test's name goes on to it.
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
    if (!name || strcmp(name, "stuck.invalid") != 0) {
        int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
        void *found = dlsym(RTLD_NEXT, "getaddrinfo");
        memcpy(&real, &found, sizeof real);
        return real(name, service, hints, list);
    }
    pthread_mutex_lock(&lock);
    asked++;
    stuck++;
    while (!let_go)
        pthread_cond_wait(&changed, &lock);
    stuck--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return EAI_FAIL;
}

static void wait_for_resolvers(void) {
    pthread_mutex_lock(&lock);
    let_go = true;
    pthread_cond_broadcast(&changed);
    while (stuck)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static unsigned resolving(void) {
    pthread_mutex_lock(&lock);
    unsigned count = asked;
    pthread_mutex_unlock(&lock);
    return count;
}

static void on_done(const struct fetch_answer *answer, void *context) {
    assert_int_equal(answer->status, 0);
    assert_true(answer->error[0] != '\0');
    (*(unsigned *)context)++;
}

static void a_stuck_resolver_holds_nobody_up(void **state) {
    (void)state;
    struct fetch_request request = {
        .url = "http://stuck.invalid/", .user_agent = "unit", .timeout_ms = 50, .most_body = 100};
    unsigned done = 0;
    fetch_setup();
    struct event_base *base = event_base_new();
    struct fetcher *fetcher = fetcher_new(base, 4);
    // A time-out.
    fetch_start(fetcher, &request, on_done, &done);
    peer_run_until(base, &done, 1);
    assert_int_equal(resolving(), 1);
    // A cancellation, and the end of the fetcher.
    request.timeout_ms = 600000;
    struct fetch *fetch = fetch_start(fetcher, &request, on_done, &done);
    fetch_start(fetcher, &request, on_done, &done);
    while (resolving() < 3)
        peer_run_for(base, 5);
    fetch_cancel(fetch);
    fetcher_free(fetcher);
    event_base_free(base);
    assert_int_equal(done, 1);
    pthread_mutex_lock(&lock);
    assert_int_equal(stuck, 3); // nobody waited: they are all still at it
    pthread_mutex_unlock(&lock);
    wait_for_resolvers();
}

int test_fetch_name(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_stuck_resolver_holds_nobody_up)};
    return cmocka_run_group_tests_name("fetch_name", tests, NULL, NULL);
}
