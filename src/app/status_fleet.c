#include "status_fleet.h"

#include "app/client.h"
#include "fleet_text.h"

#include <stdlib.h>

json_t *status_fleet_find(const struct strbuf *answer) {
    json_t *root = json_loadb(answer->at, answer->len, 0, NULL);
    json_t *fleet = json_incref(json_object_get(root, "fleet"));
    json_decref(root);
    if (json_is_object(fleet))
        return fleet;
    json_decref(fleet);
    fprintf(stderr, "sluice status: the daemon belongs to no fleet; a section `fleet` in its configuration "
                    "makes it a member\n");
    return NULL;
}

static void print(const json_t *fleet, bool as_json) {
    struct strbuf text = {0};
    char *dumped = as_json ? json_dumps(fleet, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    if (dumped)
        strbuf_format(&text, "%s\n", dumped);
    else
        fleet_text_write(&text, fleet);
    fwrite(text.at, 1, text.len, stdout);
    strbuf_free(&text);
    free(dumped);
}

int status_fleet_once(const struct invocation *invocation) {
    struct strbuf answer = {0};
    int result = client_call(invocation, "/api/v1/status", NULL, &answer);
    if (result == EXIT_DONE) {
        json_t *fleet = status_fleet_find(&answer);
        result = fleet ? EXIT_DONE : EXIT_REFUSED;
        if (fleet)
            print(fleet, invocation->json);
        json_decref(fleet);
    }
    strbuf_free(&answer);
    return result;
}
