// sluice.yaml(5), from the schema.
#include "base/roff.h"
#include "reference_walk.h"

static void begin(struct page *page, const struct section *section, const char *path, const char *help) {
    struct strbuf *out = page->out;
    if (*path) {
        strbuf_string(out, ".Ss ");
        roff_word(out, path);
        strbuf_string(out, "\\&\n");
        roff_text(out, help);
    } else {
        strbuf_string(out, ".Ss The file\nThe keys at the top.\n");
    }
    if (section->help)
        roff_text(out, section->help);
    strbuf_string(out, ".Bl -tag -width Ds\n");
}

static void row(struct page *page, const struct key *key, const char *path, bool shared) {
    struct strbuf text = {0};
    strbuf_format(page->out, ".It Cm %s\n", key->name);
    reference_type(&text, key);
    if (key->flags & KEY_REQUIRED)
        strbuf_string(&text, ", required");
    else if (key->flags & KEY_INHERIT)
        strbuf_string(&text, ", inherited");
    else if (key->standard && key->type != TYPE_STRUCT)
        strbuf_format(&text, ", default `%s`", key->standard);
    strbuf_format(&text, ". %s", key->help);
    if (path)
        strbuf_format(&text, shared ? " The keys of `%s`." : " See `%s`.", path);
    roff_text(page->out, strbuf_text(&text));
    strbuf_free(&text);
}

static void end(struct page *page) {
    strbuf_string(page->out, ".El\n");
}

static const char example[] = "listeners:\n"
                              "  - address: 127.0.0.1:8080\n"
                              "pools:\n"
                              "  blue: {endpoints: [http://127.0.0.1:8001]}\n"
                              "  green: {endpoints: [http://127.0.0.1:8002]}\n"
                              "routes:\n"
                              "  - name: chat\n"
                              "    sticky: {by: [header X-User-Id]}\n"
                              "    variants:\n"
                              "      stable: {pool: blue, weight: 95}\n"
                              "      canary: {pool: green, weight: 5}\n";

void config_manual(struct strbuf *out) {
    struct page page = {out, begin, row, end};
    strbuf_string(out, ".\\\" Written by sluice reference --man.\n.Dd " ROFF_DATE
                       "\n.Dt SLUICE.YAML 5\n.Os\n.Sh NAME\n"
                       ".Nm sluice.yaml\n.Nd configuration of sluice\n.Sh DESCRIPTION\n");
    roff_text(
        out,
        "One YAML file tells `sluice` where it listens, which servers there are and how requests are split "
        "among them. `sluice check FILE` prints every mistake in it; a reload that finds one changes "
        "nothing. "
        "Pages named `*.md` below belong to the documentation that comes with sluice.");
    strbuf_string(out, ".Bl -bullet\n");
    for (const char *const *note = reference_notes; *note; note++) {
        strbuf_string(out, ".It\n");
        roff_text(out, *note);
    }
    strbuf_string(out, ".El\n.Sh KEYS\n");
    reference_walk(&page);
    strbuf_string(out, ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/sluice/sluice.yaml\n"
                       "What is read when no file is named.\n.El\n.Sh EXAMPLES\n"
                       "Of all users five percent, always the same ones, get the new version:\n.Bd -literal "
                       "-offset indent\n");
    roff_lines(out, example);
    strbuf_string(out, ".Ed\n.Sh SEE ALSO\n.Xr sluice 1\n");
}
