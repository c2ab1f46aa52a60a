// mailbox: the only door between threads. Any thread posts, the owner takes; messages move with the
// references in them. Order is kept per sender. The owner watches wake_fd for readability (an eventfd).
#pragma once
#include "base/error.h"
#include <stdatomic.h>

struct message { // embedded as the first member of what is sent; owned by the mailbox between post and take
    struct message *next;
    int kind; // of the receiver's own enum
};
struct mailbox {
    _Atomic(struct message *) newest;
    int wake_fd;
};

bool mailbox_open(struct mailbox *mailbox, struct error *error);
void mailbox_close(struct mailbox *mailbox); // empty by then
void mailbox_post(struct mailbox *mailbox, struct message *message);
// Everything posted so far, oldest first, linked by next; NULL when empty. Owner only.
struct message *mailbox_take(struct mailbox *mailbox);
