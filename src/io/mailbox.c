#include "io/mailbox.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mailbox_open(struct mailbox *mailbox, struct error *error) {
    atomic_init(&mailbox->newest, NULL);
    mailbox->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->wake_fd < 0)
        return error_set(error, "cannot make an eventfd: %s", strerror(errno));
    return true;
}

void mailbox_close(struct mailbox *mailbox) {
    must(atomic_load(&mailbox->newest) == NULL);
    close(mailbox->wake_fd);
}

void mailbox_post(struct mailbox *mailbox, struct message *message) {
    struct message *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, message, memory_order_release,
                                                    memory_order_relaxed));
    // Only the first message after an emptying has to wake the owner: it takes everything.
    if (newest)
        return;
    uint64_t one = 1;
    while (write(mailbox->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

struct message *mailbox_take(struct mailbox *mailbox) {
    uint64_t count;
    // First the eventfd, then the list: a message posted in between wakes once too often, never too seldom.
    while (read(mailbox->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    struct message *newest = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct message *oldest = NULL;
    while (newest) {
        struct message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
