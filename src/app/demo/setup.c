#include "setup.h"

void setup_write(struct strbuf *yaml, const struct settings *settings, const struct scratch *scratch,
                 const unsigned model_ports[STAGE_MODELS]) {
    strbuf_format(
        yaml,
        "# Written by `sluice demo`, gone when it ends. Change the weights below, then: sluice reload\n"
        "listeners:\n"
        "  - address: %s:%u\n"
        "admin:\n"
        "  address: 127.0.0.1:%u\n"
        "state_dir: %s\n"
        "shutdown_grace: 3s\n",
        settings->bind, settings->port, settings->admin_port, scratch->path);
    strbuf_format(yaml,
                  "pools:\n"
                  "  blue:                     # the version that everybody trusts, on two servers\n"
                  "    endpoints: [http://127.0.0.1:%u, http://127.0.0.1:%u]\n"
                  "    health: {interval: 1s, timeout: 1s, request: {path: /health}}\n"
                  "  green:                    # the new version\n"
                  "    endpoints: [http://127.0.0.1:%u]\n"
                  "    health: {interval: 1s, timeout: 1s, request: {path: /health}}\n",
                  model_ports[STAGE_BLUE_1], model_ports[STAGE_BLUE_2], model_ports[STAGE_GREEN]);
    strbuf_literal(yaml,
                   "routes:\n"
                   "  - name: chat\n"
                   "    sticky:\n"
                   "      by: [header X-User-Id]  # a user stays on a variant\n"
                   "      cookie: sluice_unit     # so does a browser without the header\n"
                   "    retry: {attempts: 1, on: [connect, reset_before_response], non_idempotent: true}\n"
                   "    fallback: stable\n"
                   "    variants:\n"
                   "      stable: {pool: blue, version: v1.0, weight: 95}\n"
                   "      canary: {pool: green, version: v1.1, weight: 5}\n");
}
