"""docs/explanation beside the source: functions that are named exist, and no state, own error or field of the log is left out."""
import os
import re

import pytest

pytestmark = pytest.mark.once

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


PAGES = {name: read("docs", "explanation", name) for name in sorted(os.listdir(os.path.join(ROOT, "docs", "explanation")))}
REQUEST, ROLLOUT = PAGES["life-of-a-request.md"], PAGES["life-of-a-rollout.md"]


def test_functions_that_are_named_are_where_the_page_says():
    count = 0
    for name, text in PAGES.items():
        for line in text.splitlines():
            files = re.findall(r"`(src/[\w/.]+\.c)`", line)
            for function in re.findall(r"`(\w+)\(\)`", line):
                pattern = re.compile(rf"^[a-z][^;={{}}]*\b{function}\((?:[^;]|\n)*?\) \{{$", re.M)
                defined = [path for path in files if pattern.search(read(path))]
                everywhere = not files and any(pattern.search(read(folder, file)) for folder, _, inside in os.walk(os.path.join(ROOT, "src"))
                                               for file in inside if file.endswith(".c"))
                assert defined or everywhere, f"{name}: {function}() is not in {files or 'src'}"
                count += 1
    assert count >= 20


def test_every_state_is_told():
    states = re.search(r"enum exchange_state \{(.*?)\};", read("src", "proxy", "exchange.h"), re.S)[1]
    section = REQUEST.split("## The states of an exchange")[1].split("\n## ")[0]
    told = re.findall(r"`([A-Z]+)`", section)
    assert sorted(told) == sorted(re.findall(r"EXCHANGE_(\w+),", states)) and len(told) == len(set(told))
    names = re.search(r"rollout_state_name.*?\{(.*?)\}", read("src", "rollout", "machine_names.c"), re.S)[1]
    diagram = ROLLOUT.split("```")[1]
    outside = ROLLOUT.split("## The states")[1].split("\n## ")[0].split("```")[2]
    for state in re.findall(r'"(\w+)"', names):
        assert re.search(rf"\b{state}\b", diagram) or f"`{state}`" in outside, state


def test_every_own_error_has_a_stage():
    table = REQUEST.split("## What can end it, by stage")[1].split("\n## ")[0]
    errors = re.findall(r"^\| \d{3} \| `(\w+)` \| `sluice", read("docs", "errors.md"), re.M)
    reasons = re.findall(r"^\| `(\w+)` \|", read("docs", "errors.md"), re.M)
    assert len(errors) > 20 and len(reasons) == 3
    for error in errors + reasons:
        assert f"`{error}`" in table, error
    charged = re.search(r"Of `sluice_request_errors_total`:\n\n(.*?)\n\n", read("docs", "metrics.md"), re.S)[1]
    for reason in re.findall(r"^- `(\w+)`", charged, re.M):
        assert f"`{reason}`" in table, reason


def test_the_fields_of_the_access_log_are_told():
    table = REQUEST.split("## Reading a line of the access log")[1]
    source = read("src", "proxy", "record.c")
    fields = set(re.findall(r'(?:text|number|ms)_field\(line, "(\w+)"', source)) | set(re.findall(r',\\"(\w+)\\":%', source))
    plain = {"method", "host", "target", "request_bytes", "response_bytes", "user_agent"}
    assert fields - set(re.findall(r"`(\w+)`", table)) == plain
    ends = re.search(r"finish_name.*?\{(.*?)\};", read("src", "proxy", "exchange.c"), re.S)[1]
    assert all(f"`{end}`" in table for end in re.findall(r'"(\w+)"', ends))
