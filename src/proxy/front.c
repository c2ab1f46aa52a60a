#include "front.h"
#include "base/mem.h"

struct front *front_new(const struct listener_config *config, struct tls_context *context,
                        const struct front *before) {
    struct front *front = mem_zero(1, sizeof *front);
    refcount_init(&front->refs);
    if (context)
        front->tls =
            tls_context_ref(before && tls_context_same(context, before->tls) ? before->tls : context);
    front->proxy_protocol = config->proxy_protocol;
    front->defer_accept = config->defer_accept;
    return front;
}

struct front *front_ref(struct front *front) {
    refcount_take(&front->refs);
    return front;
}

void front_unref(struct front *front) {
    if (!front || !refcount_drop(&front->refs))
        return;
    tls_context_unref(front->tls);
    mem_free(front);
}
