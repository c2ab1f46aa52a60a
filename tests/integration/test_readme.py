"""The README's five-minute tour, line by line."""
import os
import re
import signal
import subprocess

import pytest

from harness.scale import BINARY, patience

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def tour():
    """The ```sh blocks of the section, each with the ```text or ``` block (the claimed output) that follows it, if any."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    section = re.search(r"^##+ .*[Ff]ive-minute tour.*?$(.*?)(?=^## |\Z)", text, re.S | re.M)
    assert section, "the README has no five-minute tour"
    return re.findall(r"```(\w*)\n(.*?)```", section[1], re.S)


@pytest.mark.heavy
def test_the_tour_works_line_by_line(tmp_path):
    blocks = tour()
    scripts = [body for language, body in blocks if language == "sh"]
    assert scripts
    # One shell for all blocks, as a reader has; its own session, so that whatever it starts ends with it.
    script = "set -eu\nexport PATH=%s:$PATH\n" % os.path.dirname(os.path.abspath(BINARY)) + "\n".join(
        f"echo '--- block {i}'\n{body}" for i, body in enumerate(scripts))
    out = tmp_path / "tour.out"
    with open(out, "wb") as f:
        process = subprocess.Popen(["bash", "-eu", "-c", script], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=f,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = process.wait(patience(120))
        finally:
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
    text = out.read_text(encoding="utf-8", errors="replace")
    assert code == 0, text[-4000:]
    for language, body in blocks:
        if language in ("text", "console", "json", ""):
            for line in body.splitlines():
                if re.fullmatch(r"[\x20-\x7e]+", line) and "…" not in line and "..." not in line:
                    assert line.strip() in text, f"the README claims {line!r}; the tour printed:\n{text[-4000:]}"


def test_every_command_of_the_readme_exists():
    from harness.sluice import cli  # pylint: disable=import-outside-toplevel
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        commands = set(re.findall(r"^\s*(?:\$ )?(?:\./)?(?:build/\w+/)?sluice (\w+)", f.read(), re.M))
    usage = cli("--help").stdout
    assert commands
    for command in commands:
        assert re.search(rf"\b{command}\b", usage), command
