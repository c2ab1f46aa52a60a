"""The README's five-minute tour, line by line."""
import os
import re
import signal
import socket
import subprocess

import pytest

from harness.scale import BINARY, patience
from harness.wait import wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def free(port):
    """Nobody listens there."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0


def tour():
    """The ```sh blocks of the section."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    section = re.search(r"^##+ .*[Ff]ive-minute tour.*?$(.*?)(?=^## |\Z)", text, re.S | re.M)
    assert section, "the README has no five-minute tour"
    return re.findall(r"```sh\n(.*?)```", section[1], re.S)


@pytest.mark.heavy
def test_the_tour_works_line_by_line(tmp_path):
    scripts = tour()
    assert scripts
    # One shell for all blocks, as a reader has; its own session, so that whatever it starts ends with it. The binary is the one
    # under test, wherever it was built.
    folder = os.path.dirname(os.path.abspath(BINARY))
    script = f"export PATH=\"{folder}:$PATH\"\n" + "\n".join(
        f"echo '--- block {i}'\n{body}" for i, body in enumerate(scripts)).replace("$PWD/build/release", folder)
    for port in set(re.findall(r"(?:--port |127\.0\.0\.1:)(\d{4,5})", script)):
        wait_for(lambda port=port: free(int(port)), 60, f"port {port}, which the tour uses, is free")
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
    # What the prose between the blocks says is seen to be so.
    variants = re.findall(r"(?i)^x-sluice-variant: (\S+)", text, re.M)
    assert len(variants) >= 2 and len(set(variants)) == 1, "the same user always meets the same variant"
    assert re.search(r"sluice\.yaml:\d+:\d+: .*wieght.*weight", text), "a mistake is named with its place"
    assert re.search(r"reloaded \S+sluice\.yaml", text)
    assert "is drained" in text and "is undrained" in text
    assert re.search(r'^sluice_requests_total\{route="chat",variant="\w+",code="2xx"\} [1-9]', text, re.M)
    assert re.search(r"-> rolled_back \(stable 100 %, canary 0 %\).*\n.* it is worse: e-value", text) and "exit code 3" in text
    assert "command not found" not in text


def test_every_command_of_the_readme_exists():
    from harness.sluice import cli  # pylint: disable=import-outside-toplevel
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        commands = set(re.findall(r"^\s*(?:\$ )?(?:\./)?(?:build/\w+/)?sluice (\w+)", f.read(), re.M))
    usage = cli("--help").stdout
    assert commands
    for command in commands:
        assert re.search(rf"\b{command}\b", usage), command
