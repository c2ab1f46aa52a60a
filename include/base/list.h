// list: intrusive, doubly linked, circular with a head node. Owner: the embedding objects; one thread.
// A node that is in no list has next == NULL.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next, *prev;
};

#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct link *head) {
    head->next = head->prev = head;
}
static inline bool list_empty(const struct link *head) {
    return head->next == head;
}
static inline bool list_linked(const struct link *node) {
    return node->next != NULL;
}
static inline void list_push(struct link *head, struct link *node) { // at the tail
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline void list_push_front(struct link *head, struct link *node) {
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
}
static inline void list_remove(struct link *node) { // no-op when in no list
    if (!node->next)
        return;
    node->next->prev = node->prev;
    node->prev->next = node->next;
    node->next = node->prev = NULL;
}
static inline struct link *list_pop(struct link *head) { // from the front; NULL when empty
    struct link *node = head->next;
    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}
