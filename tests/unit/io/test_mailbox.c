#include "base/mem.h"
#include "io/mailbox.h"
#include "unit.h"
#include <poll.h>
#include <pthread.h>

#define SENDERS  4
#define MESSAGES 5000

struct numbered {
    struct message message;
    unsigned sender, number;
};
struct sender {
    struct mailbox *mailbox;
    unsigned index;
    pthread_t thread;
};

static void *send_all(void *context) {
    struct sender *sender = context;
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct numbered *numbered = mem_zero(1, sizeof *numbered);
        numbered->sender = sender->index;
        numbered->number = i;
        mailbox_post(sender->mailbox, &numbered->message);
    }
    return NULL;
}

static void every_message_arrives_once_in_its_senders_order(void **state) {
    (void)state;
    struct mailbox mailbox;
    struct error error;
    struct sender senders[SENDERS];
    unsigned next[SENDERS] = {0}, total = 0;
    assert_true(mailbox_open(&mailbox, &error));
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){&mailbox, i, 0};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    while (total < SENDERS * MESSAGES) {
        struct pollfd wait = {.fd = mailbox.wake_fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 5000), 1); // never asleep with a message in the box
        for (struct message *at = mailbox_take(&mailbox), *after; at; at = after, total++) {
            struct numbered *numbered = (struct numbered *)at;
            after = at->next;
            assert_int_equal(numbered->number, next[numbered->sender]++);
            mem_free(numbered);
        }
    }
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    assert_null(mailbox_take(&mailbox));
    mailbox_close(&mailbox);
}

int test_mailbox(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_message_arrives_once_in_its_senders_order)};
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
