"""The project's papers: one version everywhere, every decision in the index, a template that parses, promises that the program
keeps."""
import os
import re

import pytest
import yaml

from harness.sluice import cli, pool, route
from harness.scale import BINARY

pytestmark = pytest.mark.once

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


VERSION = re.search(r"project\(sluice VERSION (\d+\.\d+\.\d+)\b", read("CMakeLists.txt"))[1]
CHANGES = re.split(r"^## ", read("docs", "CHANGELOG.md"), flags=re.M)[1:]


def test_the_newest_version_is_the_one_that_is_built():
    heads = [change.splitlines()[0] for change in CHANGES]
    versions = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (unreleased|\d{4}-\d\d-\d\d)", head) for head in heads if head != "[Unreleased]"]
    assert versions and all(versions), heads
    numbers = [tuple(map(int, found.groups()[:3])) for found in versions]
    assert ".".join(map(str, numbers[0])) == VERSION
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(found[4] != "unreleased" for found in versions[1:]), "only the newest one may be unreleased"
    assert all(kind in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Known limits")
               for change in CHANGES for kind in re.findall(r"^### (.*)$", change, re.M))
    assert re.fullmatch(rf"sluice {re.escape(VERSION)} \(\w+\)\n", cli("version").stdout), BINARY
    assert f"newest MINOR ({VERSION.rsplit('.', 1)[0]})" in read(".github", "SECURITY.md")


def test_the_exit_codes_are_the_programs():
    table = re.search(r"^## Exit codes\n(.*?)^## ", read("docs", "versioning.md"), re.S | re.M)[1]
    codes = dict(re.findall(r"^\| (\d) \| (.*) \|$", table, re.M))
    enum = re.search(r"enum exit_code \{(.*?)\};", read("include", "app", "options.h"), re.S)[1]
    values, last = {}, -1
    for name, value in re.findall(r"EXIT_(\w+)(?: = (\d+))?", enum):
        last = int(value) if value else last + 1
        values[name] = str(last)
    assert set(codes) == set(values.values())
    words = {"DONE": "done", "REFUSED": "refused", "USAGE": "usage", "ROLLED_BACK": "rolled back", "TIMED_OUT": "timed out",
             "UNREACHABLE": "cannot be reached"}
    assert all(words[name] in codes[value] for name, value in values.items()), codes
    assert cli("status", "--admin", "http://127.0.0.1:1").returncode == int(values["UNREACHABLE"])
    assert cli("no-such-command").returncode == int(values["USAGE"])


def test_the_formats_are_the_sources():
    text = read("docs", "versioning.md")
    for row, path, pattern in ((r"`state_dir/rollouts/ROUTE\.json` \| `format` (\d+)", "src/control/rollout_record.c", r"#define FORMAT (\d+)"),
                               (r"`shared/routes/NAME` \| `format` (\d+)", "src/control/share_record.c", r"#define FORMAT (\d+)"),
                               (r"two binaries \| protocol (\d+)", "src/control/bequest.h", r"#define BEQUEST_PROTOCOL (\d+)")):
        assert re.search(row, text)[1] == re.search(pattern, read(*path.split("/")))[1], path


def test_a_journal_of_another_format_is_refused_and_left_alone(start_sluice, upstream):
    """What versioning.md says of a downgrade."""
    server = upstream()
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server), "canary": pool(server)}, "routes": [route(
        variants={"stable": {"pool": "stable", "weight": 95, "version": "1"}, "canary": {"pool": "canary", "weight": 5, "version": "2"}},
        rollout={"strategy": "canary", "start": "manual", "steps": [{"weight": 5}]})]})
    assert daemon.stop() == 0
    path = os.path.join(daemon.config["state_dir"], "rollouts", "chat.json")
    with open(path, encoding="utf-8") as file:
        text, count = re.subn(r'"format":\s*1\b', '"format":2', file.read())
    assert count == 1
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    daemon.start(wait=False)
    assert daemon.child.wait(10) == 1
    daemon.expected_exit = 1
    said = re.search(r"`(the journal of route) … (cannot be used: its format is not 1 \(move it away to begin anew\))`", read("docs", "versioning.md"))
    assert f"{said[1]} chat {said[2]}" in daemon.stderr()
    with open(path, encoding="utf-8") as file:
        assert file.read() == text


def test_every_decision_is_in_the_index():
    folder = os.path.join(ROOT, "docs", "decisions")
    index = re.findall(r"^\* \[(\d+)\. (.*)\]\((.*)\)$", read("docs", "decisions", "README.md"), re.M)
    files = sorted(name for name in os.listdir(folder) if name != "README.md")
    assert [file for _, _, file in index] == files
    for number, title, file in index:
        assert int(file[:4]) == int(number)
        assert read("docs", "decisions", file).splitlines()[0] == f"# {number}. {title}", file


def test_the_templates_of_issues_are_forms():
    folder = os.path.join(ROOT, ".github", "ISSUE_TEMPLATE")
    for name in os.listdir(folder):
        form = yaml.safe_load(read(".github", "ISSUE_TEMPLATE", name))
        if name == "config.yml":
            continue
        assert set(form) <= {"name", "description", "labels", "body", "title"} and form["name"] and form["description"]
        ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
        assert ids and len(set(ids)) == len(ids)
        assert all(part["attributes"].get("label") or part["attributes"].get("value") for part in form["body"])


def test_links_of_the_papers_under_github_exist():
    """The lint looks at README.md and docs."""
    for folder, _, files in os.walk(os.path.join(ROOT, ".github")):
        for name in files:
            if not name.endswith(".md"):
                continue
            for target, anchor in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]*))?\)", read(os.path.relpath(os.path.join(folder, name), ROOT))):
                path = os.path.normpath(os.path.join(folder, target))
                assert os.path.exists(path), f"{name}: {target}"
                heads = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", read(os.path.relpath(path, ROOT)), re.M)]
                assert not anchor or anchor in heads, f"{name}: {target}#{anchor}"
