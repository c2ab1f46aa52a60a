// The commands that need no daemon: they are one, or look at a file.
#include "app/commands.h"
#include "app/version.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "control/daemon.h"

#define DEFAULT_CONFIG "/etc/sluice/sluice.yaml"

static void print_diagnostics(const struct diagnostics *diagnostics, const char *path, FILE *to) {
    struct strbuf line = {0};
    for (size_t i = 0; i < diagnostics->count; i++) {
        strbuf_clear(&line);
        diagnostic_write(&diagnostics->items[i], path, &line);
        fprintf(to, "%s\n", strbuf_text(&line));
    }
    strbuf_free(&line);
}

// `strict`: what this build cannot do yet counts as a mistake, as it does for `run`.
static int check(const char *path, bool strict) {
    struct diagnostics diagnostics = {0};
    struct config *config = config_load(path, &diagnostics);
    if (!config) {
        print_diagnostics(&diagnostics, path, stderr);
        diagnostics_free(&diagnostics);
        return EXIT_REFUSED;
    }
    bool available = config_available(config, &diagnostics);
    print_diagnostics(&diagnostics, path, stderr);
    diagnostics_free(&diagnostics);
    config_unref(config);
    if (!available && strict)
        return EXIT_REFUSED;
    printf("%s: ok\n", path);
    return EXIT_DONE;
}

int command_run(const struct invocation *invocation) {
    const char *path = invocation->config ? invocation->config : DEFAULT_CONFIG;
    if (invocation->check)
        return check(path, true);
    struct daemon_options options = {path, version_text(), version_revision()};
    return daemon_run(&options);
}

int command_check(const struct invocation *invocation) {
    return check(invocation->arguments[0], false);
}

int command_reference(const struct invocation *invocation) {
    (void)invocation;
    struct strbuf text = {0};
    config_reference(&text);
    fwrite(text.at, 1, text.len, stdout);
    strbuf_free(&text);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

int command_version(const struct invocation *invocation) {
    if (invocation->json)
        printf("{\"version\":\"%s\",\"revision\":\"%s\"}\n", version_text(), version_revision());
    else
        printf("sluice %s (%s)\n", version_text(), version_revision());
    return EXIT_DONE;
}

int command_later(const struct invocation *invocation) {
    fprintf(stderr, "sluice %s: not available yet\n", invocation->command->name);
    return EXIT_REFUSED;
}
