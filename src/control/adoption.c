#include "adoption.h"

#include "base/mem.h"

struct waiting {
    struct link link;
    uint64_t number;
    void (*then)(void *context);
    void *context;
};

void adoption_init(struct adoption *adoption) {
    list_init(&adoption->waiting);
    adoption->reached = 0;
}

static void let_go(struct waiting *waiting) {
    list_remove(&waiting->link);
    waiting->then(waiting->context);
    mem_free(waiting);
}

void adoption_free(struct adoption *adoption) {
    for (struct link *link; (link = list_pop(&adoption->waiting)) != NULL;)
        mem_free(list_entry(link, struct waiting, link));
}

void adoption_wait(struct adoption *adoption, uint64_t number, void (*then)(void *context), void *context) {
    if (adoption->reached >= number) {
        then(context);
        return;
    }
    struct waiting *waiting = mem_zero(1, sizeof *waiting);
    *waiting = (struct waiting){.number = number, .then = then, .context = context};
    list_push(&adoption->waiting, &waiting->link);
}

void adoption_note(struct adoption *adoption, uint64_t number) {
    if (number > adoption->reached)
        adoption->reached = number;
    // `then` may wait for another plan: what it adds goes to the end and is looked at again, harmlessly
    for (struct link *at = adoption->waiting.next, *next; at != &adoption->waiting; at = next) {
        struct waiting *waiting = list_entry(at, struct waiting, link);
        next = at->next;
        if (waiting->number <= adoption->reached)
            let_go(waiting);
    }
}
