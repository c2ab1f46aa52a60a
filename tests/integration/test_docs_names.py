"""Every link, path, metric, configuration key, command, option and variable that the pages name is there."""
import pytest

from harness import pages

pytestmark = pytest.mark.once


@pytest.mark.parametrize("path", pages.pages())
def test_what_the_page_names_is_there(path):
    if path in pages.GENERATED:
        checks = [pages.links]
    else:
        checks = pages.CHECKS
    text = pages.content(path)
    found = [f"{path}:{fault}" for check in checks for fault in check(path, text)]
    assert not found, "\n".join(found)


# ---- that each check can fail: a line of a page, and what is said of it

WRONG = [
    (pages.links, "[a](docs/nothing.md)", "leads nowhere"),
    (pages.links, "[a](docs/fleet.md#nothing-like-it)", "docs/fleet.md has no heading for #nothing-like-it"),
    (pages.links, "[a](#nothing)", "page.md has no heading for #nothing"),
    (pages.paths, "see `src/http/nothing.c`", "there is no src/http/nothing.c"),
    (pages.paths, "```sh\nsh config/demo/walk.sh\n```", "there is no config/demo/walk.sh"),
    (pages.paths, "`config/{minimal,maximal}.yaml`", "there is no config/{minimal,maximal}.yaml"),
    (pages.paths, "`tests/nothing/NAME.md`", "there is no tests/nothing/NAME.md"),
    (pages.metric_names, "`sluice_request_total`", "there is no metric sluice_request_total"),
    (pages.metric_names, "`sluice_requests_total_bucket`", "there is no metric sluice_requests_total_bucket"),
    (pages.metric_names, "rate(sluice_request_duration_second_bucket[5m])", "there is no metric"),
    (pages.metric_names, "sluice:nothing:rate5m", "there is no recording rule"),
    (pages.metric_names, "`SluiceNothing`", "there is no alert SluiceNothing"),
    (pages.configuration_keys, "`rollout.stepz`", "there is no key rollout.stepz"),
    (pages.configuration_keys, "`retry.on.off`", "there is no key retry.on.off"),
    (pages.configuration_keys, "`routes[].variants.NAME.wait: 5`", "there is no key routes.variants.wait"),
    (pages.command_lines, "`sluice weigh chat`", "there is no command sluice weigh"),
    (pages.command_lines, "```sh\nx=1 && sluice promote chat --fully\n```", "sluice promote has no --fully"),
    (pages.variables, "`SLUICE_NOTHING`", "nothing reads SLUICE_NOTHING"),
    (pages.yaml_blocks, "```yaml\nrollout: {stepz: []}\n```", "stepz"),
    (pages.yaml_blocks, "```yaml\nvariants:\n  canary: {pool: a, wait: 5}\n```", "variants.wait"),
    (pages.yaml_blocks, "```yaml\nguards:\n  gpu: {prometheus: {uri: x}}\n```", "guards.prometheus.uri"),
    (pages.yaml_blocks, "```yaml\n- {name: a, mach: {}}\n```", "mach"),
    (pages.yaml_blocks, "```yaml\na: [\n```", "no YAML"),
    (pages.yaml_blocks, "```yaml\nlisteners: [{address: 127.0.0.1:1}]\npools: {a: {endpoints: [http://127.0.0.1:2]}}\n"
                        "routes: [{name: r, variants: {x: {pool: b, weight: 100}}}]\n```", "sluice check: "),
]


@pytest.mark.parametrize("check, text, said", WRONG, ids=lambda value: value.__name__ if callable(value) else value[:40])
def test_what_is_not_there_is_told(monkeypatch, tmp_path, check, text, said):
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    real = pages.ROOT
    monkeypatch.setattr(pages, "content", lambda path: text if path == "page.md" else open_text(f"{real}/{path}"))
    monkeypatch.setattr(pages, "read", lambda path, read=pages.read: read(str(tmp_path / "page.md")))
    faults = list(check("page.md", text))
    assert len(faults) == 1 and said in faults[0], faults


def open_text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


RIGHT = """# A page

[a](docs/fleet.md) [b](#a-page) `config/minimal.yaml` `tests/data/fuzz/TARGET` `config/{minimal,canary}.yaml` `sluice_requests_total`
`sluice_request_duration_seconds_bucket` `rollout.steps` `tls.client_ca` `routes[].retry.on` `rollout.guards: …` `usage.output_tokens`
`rules.yaml` `sluice promote chat --full` `SLUICE_ADMIN` "another sluice uses it"

```yaml
retry: {on: [429], attempts: 2}
```
```yaml
- name: chat
  variants: {any-name: {pool: a, weight: 5}}
```
"""


@pytest.mark.parametrize("check", pages.CHECKS)
def test_what_is_there_is_not_complained_of(monkeypatch, tmp_path, check):
    (tmp_path / "page.md").write_text(RIGHT, encoding="utf-8")
    real = pages.ROOT
    monkeypatch.setattr(pages, "content", lambda path: RIGHT if path == "page.md" else open_text(f"{real}/{path}"))
    monkeypatch.setattr(pages, "read", lambda path, read=pages.read: read(str(tmp_path / "page.md")))
    pages.anchors.cache_clear()
    assert not list(check("page.md", RIGHT))


def test_every_page_is_in_the_index():
    """docs/README.md links to every page below docs, but for the single decisions, which have their own index."""
    linked = set(pages.re.findall(r"\]\(([\w./-]+\.md)", pages.content("docs/README.md")))
    below = {path.removeprefix("docs/") for path in pages.pages() if path.startswith("docs/")} - {"README.md"}
    assert {path for path in below if not path.startswith("decisions/0")} <= linked


def test_the_pages_that_programs_and_examples_name_are_there():
    """In comments and in what is printed: "docs/tutorial.md: your own models"."""
    found = set()
    for path in pages.tracked("src", "include", "config", "docker", ".github", ".ci", "CMakeLists.txt"):
        if path.endswith((".c", ".h", ".sh", ".py", ".yaml", ".yml", ".txt", ".js")):
            with open(f"{pages.ROOT}/{path}", encoding="utf-8", errors="replace") as f:
                found |= {(path, page) for page in pages.re.findall(r"(?<![\w/])docs/[\w/-]+\.md", f.read())}
    assert ("src/app/demo/ending.c", "docs/tutorial.md") in found
    assert [(path, page) for path, page in sorted(found) if not pages.there_is(page)] == []
