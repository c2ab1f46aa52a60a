// `sluice status`: the daemon's status for people.
#include "app/client.h"
#include "app/commands.h"
#include "keys.h"
#include "status_fleet.h"
#include "status_live.h"
#include "status_text.h"
#include "terminal.h"

#include <stdio.h>

int command_status(const struct invocation *invocation) {
    struct strbuf path = {0};
    bool one = invocation->argument_count == 1;
    int result;
    if (invocation->fleet && one) {
        fprintf(stderr, "sluice status: --fleet takes no ROUTE\n");
        return EXIT_USAGE;
    }
    if (!invocation->once && !invocation->json && terminal_live() && keys_ours())
        return status_live(invocation);
    if (invocation->fleet)
        return status_fleet_once(invocation);
    if (one)
        client_route_path(&path, invocation, "");
    else
        strbuf_literal(&path, "/api/v1/status");
    result = client_print(invocation, strbuf_text(&path), one ? status_text_route : status_text_whole);
    strbuf_free(&path);
    return result;
}
