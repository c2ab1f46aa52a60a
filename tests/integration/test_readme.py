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


def blocks(heading):
    """The ```sh blocks of the section."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    section = re.search(rf"^##+ {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.S | re.M)
    assert section, f"the README has no section {heading}"
    return re.findall(r"```sh\n(.*?)```", section[1], re.S)


def run(scripts, tmp_path):
    """Types them all into one shell, as a reader does; what was seen."""
    # A session of its own, so that whatever it starts ends with it. The binary is the one under test, wherever it was built.
    folder = os.path.dirname(os.path.abspath(BINARY))
    script = f"export PATH=\"{folder}:$PATH\"\n" + "\n".join(
        f"echo '--- block {i}'\n{body}" for i, body in enumerate(scripts)).replace("$PWD/build/release", folder)
    for port in set(re.findall(r"(?:--port |127\.0\.0\.1:)(\d{4,5})", script)):
        wait_for(lambda port=port: free(int(port)), 60, f"port {port}, which the README uses, is free")
    out = tmp_path / "out"
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
    assert "command not found" not in text
    return text


@pytest.mark.heavy
def test_the_tour_works_line_by_line(tmp_path):
    text = run(blocks("Five-minute tour"), tmp_path)
    # What the prose between the blocks says is seen to be so.
    variants = re.findall(r"(?i)^x-sluice-variant: (\S+)", text, re.M)
    assert len(variants) >= 2 and len(set(variants)) == 1, "the same user always meets the same variant"
    assert re.search(r"sluice\.yaml:\d+:\d+: .*wieght.*weight", text), "a mistake is named with its place"
    assert re.search(r"reloaded \S+sluice\.yaml", text)
    assert "is drained" in text and "is undrained" in text
    assert re.search(r'^sluice_requests_total\{route="chat",variant="\w+",code="2xx"\} [1-9]', text, re.M)
    assert re.search(r"-> rolled_back \(stable 100 %, canary 0 %\).*\n.* it is worse: e-value", text) and "exit code 3" in text


@pytest.mark.heavy
def test_the_prompt_test_works_line_by_line(tmp_path):
    text = run(blocks("An A/B test of two prompts"), tmp_path)
    assert '"taken":500,"refused":0}' in text
    assert "winner: thorough" in text
    assert re.search(r"thorough\s+100%", text) and re.search(r"concise\s+0%", text), "the winner is promoted"
    assert re.search(r'sluice_cost_dollars_total\{route="assistant",variant="thorough"\} 0\.\d+', text)


def test_every_command_of_the_readme_exists():
    from harness.sluice import cli  # pylint: disable=import-outside-toplevel
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        commands = set(re.findall(r"^\s*(?:\$ )?(?:\./)?(?:build/\w+/)?sluice (\w+)", f.read(), re.M))
    usage = cli("--help").stdout
    assert commands
    for command in commands:
        assert re.search(rf"\b{command}\b", usage), command
