"""docs/man is what the program writes, and what readers of manual pages make of it."""
import os
import re
import subprocess

import pytest

from harness.sluice import cli

pytestmark = pytest.mark.once
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PAGES = {"sluice.1": ("help", "--man"), "sluice.yaml.5": ("reference", "--man")}


def path(name):
    return os.path.join(ROOT, "docs", "man", name)


def read(name):
    with open(path(name), encoding="utf-8") as f:
        return f.read()


def shown(name):
    done = subprocess.run(["man", "-l", path(name)], env=dict(os.environ, MANWIDTH="120", LC_ALL="C.UTF-8", PAGER="cat", MAN_KEEP_FORMATTING=""),
                          capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr, done.stderr
    return re.sub(".\b", "", done.stdout).replace("‐\n", "")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_program_writes(name):
    """Renew it: sluice help --man > docs/man/sluice.1; sluice reference --man > docs/man/sluice.yaml.5."""
    assert cli(*PAGES[name]).stdout == read(name)


def test_mandoc_finds_nothing():
    done = subprocess.run(["mandoc", "-T", "lint", *map(path, PAGES)], capture_output=True, text=True, timeout=60, check=False)
    # Of these two only the pages that are installed are found.
    found = [line for line in (done.stdout + done.stderr).splitlines()
             if not re.search(r"referenced manual not found: Xr sluice(\.yaml 5| 1)$", line)]
    assert not found


def test_every_command_and_option_is_told():
    page = shown("sluice.1")
    commands = re.findall(r"(?m)^  (\w+) ", cli("help").stdout.split("Exit codes")[0])
    assert len(commands) >= 20
    for name in commands:
        assert re.search(rf"(?m)^ {{5}}{name}\b", page), name
    told = set(re.findall(r"(?m)^ {5}(?:-\w, )?(--[a-z-]+)", page))
    options = {option for name in commands if name not in ("demo", "simulate")
               for option in re.findall(r"(?m)^ {2,6}(?:-\w, )?(--[a-z-]+)", cli("help", name).stdout)}
    assert told == options
    for heading in ("SIGNALS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        assert f"\n{heading}\n" in page
    assert all(name in page for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SLUICE_ADMIN"))


def test_every_key_is_told():
    page = shown("sluice.yaml.5")
    with open(os.path.join(ROOT, "docs", "configuration.md"), encoding="utf-8") as f:
        keys = set(re.findall(r"(?m)^\| \[?`([a-z_]+)`", f.read()))
    assert len(keys) > 150
    missing = {key for key in keys if not re.search(rf"(?m)^ {{5}}{key}\b", page)}
    assert not missing


def test_the_example_of_the_page_is_right(tmp_path):
    example = re.search(r"(?s)\.Bd -literal -offset indent\n(.*?)\.Ed", read("sluice.yaml.5"))[1]
    (tmp_path / "sluice.yaml").write_text(example.replace("\\-", "-"), encoding="utf-8")
    done = cli("check", tmp_path / "sluice.yaml")
    assert done.returncode == 0, done.stderr
