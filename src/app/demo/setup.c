#include "setup.h"

#include <stdio.h>

// As people write it where it is whole seconds.
static void duration_text(uint64_t us, char text[24]) {
    bool whole = us % 1000000 == 0;
    snprintf(text, 24, whole ? "%llus" : "%llums", (unsigned long long)(whole ? us / 1000000 : us / 1000));
}

static void write_rollout(struct strbuf *yaml, const struct settings *settings) {
    char step[24];
    duration_text(settings->step_us, step);
    strbuf_format(yaml,
                  "    rollout:\n"
                  "      strategy: canary\n"
                  "      steps:                    # each lasts so long at least, and until the guards pass\n"
                  "        - {weight: 5, for: %s}\n"
                  "        - {weight: 25, for: %s}\n"
                  "        - {weight: 50, for: %s}\n"
                  "      watch: %s                # at 100 percent; the guards go on\n",
                  step, step, step, step);
    strbuf_literal(yaml,
                   "      guards:                   # how much worse still counts as not worse\n"
                   "        error_rate: {margin: 2}         # percentage points\n"
                   "        latency_p95: {margin: 50}       # percent\n"
                   "        ttft_p95: {margin: 50}          # percent\n"
                   "        cost_per_request: {margin: 25}  # percent\n"
                   "        quality: {margin: 0.1}          # of the visitors' scores, which are 0 to 1\n"
                   "      horizon: 2s               # no answer of these servers takes longer\n");
}

void setup_write(struct strbuf *yaml, const struct settings *settings, const struct scratch *scratch,
                 const unsigned model_ports[STAGE_MODELS]) {
    strbuf_format(yaml,
                  "# Written by `sluice demo`, gone when it ends. Another version for the canary and `sluice "
                  "reload` begin "
                  "another rollout.\n"
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
                   "      stable: {pool: blue, version: v1.0, weight: 95, price: {input: 10, output: 30}} # "
                   "dollars per million tokens\n"
                   "      canary: {pool: green, version: v1.1, weight: 5, price: {input: 10, output: 30}}\n");
    write_rollout(yaml, settings);
}
