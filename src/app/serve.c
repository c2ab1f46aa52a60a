// The commands that need no daemon: they are one, or look at a file.
#include "app/commands.h"
#include "app/version.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "control/daemon.h"
#include "control/loaded.h"

#define DEFAULT_CONFIG "/etc/sluice/sluice.yaml"

static void print_all(const struct outcome *outcome, FILE *to) {
    struct strbuf text = {0};
    for (size_t i = 0; i < outcome->warning_count; i++) {
        outcome_write_warning(outcome, i, &text);
        strbuf_char(&text, '\n');
    }
    for (size_t i = 0; i < outcome->mistake_count; i++) {
        outcome_write(outcome, i, &text);
        strbuf_char(&text, '\n');
    }
    fputs(strbuf_text(&text), to);
    strbuf_free(&text);
}

static int check(const char *path) {
    struct outcome outcome = {0};
    outcome_begin(&outcome, path);
    bool ok = loaded_check(path, &outcome);
    print_all(&outcome, stderr);
    outcome_clear(&outcome);
    if (!ok)
        return EXIT_REFUSED;
    printf("%s: ok\n", path);
    return EXIT_DONE;
}

int command_run(const struct invocation *invocation) {
    const char *path = invocation->config ? invocation->config : DEFAULT_CONFIG;
    if (invocation->check)
        return check(path);
    struct daemon_options options = {path, version_text(), version_revision()};
    return daemon_run(&options);
}

int command_check(const struct invocation *invocation) {
    return check(invocation->arguments[0]);
}

int command_reference(const struct invocation *invocation) {
    struct strbuf text = {0};
    if (invocation->json_schema)
        config_json_schema(&text);
    else if (invocation->man)
        config_manual(&text);
    else
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
