"""docs/operations/runbook.md beside the source: every log line, own error, refusal and alert has its row, and no row is of
something that does not exist any more."""
import os
import re

import pytest
import yaml

from harness.log_calls import all_calls, calls_in
from harness.sluice import pool, route

pytestmark = pytest.mark.once

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CODE = re.compile(r"(`+)(.+?)\1(?!`)")
# What is written to stderr past log_write: where, and the words by which its row begins.
UNLEVELLED = {"src/base/log.c": {"log lines were lost"}, "src/base/mem.c": {"out of memory, giving up", "impossible state at"},
              "src/control/outcome.c": {"FILE:LINE:COLUMN: what is wrong"}}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


PAGE = read("docs", "operations", "runbook.md")


def section(heading):
    """What stands below the heading, up to the next one of its rank."""
    rank = re.match("#+", heading)[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(rank)}}} |\Z)", PAGE, re.S | re.M)
    assert found, heading
    return found[1]


def rows(text, columns):
    """The rows of all tables of so many columns, without the two lines of a table's head."""
    found, inside = [], 0
    for line in text.splitlines():
        inside = inside + 1 if line.startswith("|") else 0
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if inside > 2 and len(cells) == columns:
            found.append(cells)
    return found


def span(cell):
    found = CODE.search(cell)
    assert found, cell
    return found[2]


LINES = {span(cells[0]): cells for cells in rows(section("## Log lines"), 5)}
CALLS = all_calls(ROOT)


def test_the_source_is_read_as_it_is_meant():
    source = '''// log_warn("not this", "")
    log_info("a plain one", "path=%s count=%zu", x(1, 2), y); /* log_warn("nor this", "") */
    log_warn(odd ? "one, or" : "the other",
             "error=\\"%s\\"", why);
    log_rationed(&w->ration, now(w), "in pieces " "of two", "client=%.*s", (int)len, at);
    log_write(bad ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "both", "%s=%s last=%u", kind, name, n);
    log_write(bad ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, bad ? "lost" : "late", "");'''
    assert [tuple(call)[1:] for call in calls_in(source, "x.c")] == [
        (2, "info", "a plain one", ("path", "count")), (3, "warn", "one, or", ("error",)), (3, "warn", "the other", ("error",)),
        (5, "info", "in pieces of two", ("client",)), (6, "info/warn", "both", ("KIND", "last")),
        (7, "error", "lost", ()), (7, "warn", "late", ())]
    with pytest.raises(AssertionError, match=r"x\.c:1: .* literal"):
        list(calls_in("log_info(sentence, \"\");", "x.c"))


def test_no_call_is_overlooked():
    """What the pattern finds without looking closer, in every file but where the functions are defined."""
    seen = {(call.path, call.line) for call in CALLS}
    for folder, _, files in os.walk(os.path.join(ROOT, "src")):
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            if path == "src/base/log.c" or not name.endswith(".c"):
                continue
            for number, line in enumerate(read(path).splitlines(), 1):
                if re.search(r"\blog_(debug|info|warn|error|write|rationed)\(", line.split("//")[0]):
                    assert (path, number) in seen, f"{path}:{number}: {line}"


def test_every_log_line_has_its_row_and_every_row_its_line():
    of_source = {}
    for call in CALLS:
        levels, keys = of_source.setdefault(call.sentence, (set(), []))
        levels.update(call.level.split("/"))
        keys.extend(key for key in call.keys if key not in keys)
    special = set().union(*UNLEVELLED.values())
    assert len(LINES) == len(rows(section("## Log lines"), 5)), "a line has two rows"
    missing, stale = set(of_source) - set(LINES), set(LINES) - set(of_source) - special
    assert not missing, f"without a row in the runbook: {sorted(missing)}"
    assert not stale, f"the source has no such line any more: {sorted(stale)}"
    for sentence, (levels, keys) in of_source.items():
        _, named, level, means, do = LINES[sentence]
        assert set(level.split("/")) == levels, f"{sentence}: {levels}"
        assert sorted(span(named).split() if named else []) == sorted(keys), f"{sentence}: its keys are {keys}"
        assert means.endswith(".") and do.endswith("."), sentence


def test_what_goes_past_the_log_has_its_row_too():
    writers = {}
    for folder, _, files in os.walk(os.path.join(ROOT, "src")):
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            if not path.startswith("src/app/") and re.search(r"STDERR_FILENO|\bstderr\b|\bperror\(", read(path)):
                writers[path] = read(path)
    assert set(writers) == set(UNLEVELLED)
    for path, sentences in UNLEVELLED.items():
        for sentence in sentences:
            assert sentence in LINES, sentence
            assert sentence in writers[path] or sentence.startswith("FILE:"), f"{path} does not say: {sentence}"


def errors_page():
    text = read("docs", "errors.md")
    own = re.findall(r"^\| \d{3} \| `(\w+)` \| `sluice", text, re.M)
    refusals = re.findall(r"^\| \d{3} \| `(\w+)` \| [^`|]*\|$", text, re.M)
    unanswered = re.findall(r"^\| `(\w+)` \|", text, re.M)
    assert len(own) > 20 and len(refusals) > 20 and len(unanswered) == 3
    return own, refusals, unanswered


def test_every_own_error_and_every_refusal_has_its_row():
    own, refusals, unanswered = errors_page()
    answers = rows(section("## Own errors"), 4)
    assert [span(cells[0]) for cells in answers] == own + unanswered
    malformed = rows(section("### Malformed requests"), 3)
    assert [span(cells[0]) for cells in malformed] == refusals
    assert all(all(cells) for cells in answers + malformed)


def test_reasons_that_only_answers_have_are_named():
    """502 in the table of refusals: of a response, so docs/errors.md does not have them."""
    reasons = re.findall(r'\{502, "(\w+)"', read("src", "http", "reject.c"))
    assert reasons and all(f"`{reason}`" in LINES["response refused"][4] for reason in reasons), reasons


def test_every_alert_has_its_row():
    groups = yaml.safe_load(read("config", "prometheus", "alerts.yaml"))["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]
    table = rows(section("## Alerts"), 3)
    assert [re.match(r"\[(\w+)\]", cells[0])[1] for cells in table] == alerts
    for name, lines, first in table:
        alert = re.match(r"\[(\w+)\]", name)[1]
        assert name == f"[{alert}](../alerts.md#{alert.lower()})" and first
        for _, quoted in CODE.findall(lines):
            assert quoted in LINES or re.fullmatch(r"(decision|by)=\w+", quoted), f"{alert} names a line that is none: {quoted}"
    decisions = re.search(r"decision_action_name.*?\{(.*?)\}", read("src", "rollout", "machine_names.c"), re.S)[1]
    for quoted in re.findall(r"`decision=(\w+)`", PAGE):
        assert f'"{quoted}"' in decisions, quoted


def test_lines_that_other_pages_quote_exist():
    """log `…` and log says `…` in the documentation; `…` at the end stands for the rest."""
    pages = [os.path.join(folder, name) for folder, _, files in os.walk(os.path.join(ROOT, "docs")) for name in files if name.endswith(".md")]
    quoted = {(text, os.path.relpath(path, ROOT)) for path in pages
              for text in re.findall(r"\blog(?: says)? `([^`]* [^`]*)`", read(path))}
    assert len(quoted) > 5
    for text, path in quoted:
        words = re.split(r" …|…| [a-z_]+=", text)[0]
        assert any(line.startswith(words) for line in LINES), f"{path} quotes a line that is none: {text}"


def sentence_of(text):
    """The row that a real line belongs to."""
    level, rest = re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) (.*)", text).groups()
    for sentence, cells in LINES.items():
        keys = [] if not cells[1] else span(cells[1]).split()
        pairs = re.findall(r'(?:^| )([a-z_]+)=(?:"(?:\\.|[^"\\])*"|\S*)', rest[len(sentence):])
        if (rest == sentence or rest.startswith(sentence + " ")) and level in cells[2] and (
                set(pairs) <= set(keys) or "KIND" in keys):
            return sentence
    raise AssertionError(f"no row for: {text}")


def test_what_a_daemon_says_has_its_rows(start_sluice, upstream):
    server = upstream()
    daemon = start_sluice({"workers": 1, "access_log": {"path": "access.log"}, "pools": {"stable": pool(server), "next": pool(server)},
                           "routes": [route(variants={"stable": {"pool": "stable", "weight": 90}, "next": {"pool": "next", "weight": 10}})]})
    assert daemon.cli("drain", "stable", server.url).returncode == 0
    assert daemon.cli("undrain", "stable", server.url).returncode == 0
    assert daemon.cli("weight", "chat", "stable=50", "next=50").returncode == 0
    assert daemon.cli("reload").returncode == 0
    daemon.config["wrokers"] = 1
    daemon.write()
    assert daemon.cli("reload").returncode == 1
    daemon.stop()
    told = [sentence_of(line) for line in daemon.stderr().splitlines()]
    for sentence in ("started", "listening", "endpoint drained by hand", "weights set by hand", "weights set by hand were replaced by the file's",
                     "configuration refused", "reload failed, the running configuration stays", "stopped"):
        assert sentence in told
