"""`sluice watch` on a terminal: what is decided scrolls by, what is going on is redrawn below it. `sluice status` on one: it stays."""
import os
import re
import signal

import pytest

from harness.scale import BINARY, patience
from harness.sluice import ENVIRONMENT, pool, route
from harness.terminal import Terminal
from harness.wait import wait_for

STEPS = [{"weight": 5, "for": "1h", "min_requests": 40}, {"weight": 25, "for": "1h"}, {"weight": 100}]


@pytest.fixture
def daemon(start_sluice, upstream):
    chat = route("chat", {"stable": {"pool": "stable", "version": "v1", "weight": 100},
                          "canary": {"pool": "canary", "version": "v2", "weight": 0}},
                 sticky={"by": ["header X-User-Id"]},
                 rollout={"strategy": "canary", "steps": STEPS, "guards": {"error_rate": {"margin": 1}}, "keep_warm": "1h"})
    return start_sluice({"pools": {"stable": pool(upstream("stable")), "canary": pool(upstream("canary"))}, "routes": [chat]})


@pytest.fixture
def command(daemon):
    """command(*arguments, size, **env) -> the command on a terminal."""
    terminals = []

    def start(*arguments, size=(100, 30), **env):
        environment = {**os.environ, **ENVIRONMENT, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
        if "NO_COLOR" not in env:
            environment.pop("NO_COLOR", None)
        terminals.append(Terminal([BINARY, *arguments, "--admin", daemon.config["admin"]["address"]], environment, *size))
        return terminals[-1]
    yield start
    for terminal in terminals:
        terminal.stop()


@pytest.fixture
def watch(command):
    return lambda **how: command("watch", "chat", "--exit-status", **how)


@pytest.fixture
def status(command):
    return lambda *arguments, **how: command("status", *arguments, **how)


def panel(terminal):
    """The lines from the route's name on."""
    lines = terminal.lines()
    return lines[lines.index("chat"):] if "chat" in lines else []


def test_what_goes_on_is_redrawn_below_what_was_decided(daemon, watch):
    terminal = watch()
    wait_for(lambda: any("step 1 of 3" in line for line in panel(terminal)), patience(20), "the panel is drawn")
    for i in range(200):
        assert daemon.ask(headers=[("X-User-Id", f"u{i}")]).status == 200
    wait_for(lambda: any(re.search(r"stable +95 %.*[▁▂▃▄▅▆▇█].* errors 0.00 %", line) for line in panel(terminal)), patience(20),
             "the last minutes are drawn")
    assert any(re.match(r" +\[█*░*\] \d+ %  requests \d+ of 40", line) for line in panel(terminal))
    daemon.cli("promote", "chat")
    wait_for(lambda: any("step 2 of 3 at 25 %" in line for line in panel(terminal)), patience(20), "the step is redrawn")
    daemon.cli("rollback", "chat", "--reason", "too slow")
    assert terminal.wait(patience(20)) == 3
    lines = terminal.lines()
    assert lines.count("chat") == 1, "it stands there once: " + "\n".join(lines)
    assert len([line for line in lines if line.startswith("  stable ")]) == 1
    decided = [i for i, line in enumerate(lines) if re.match(r"\d\d:\d\d:\d\d  ", line)]
    assert len(decided) >= 4 and max(decided) < lines.index("chat"), "the log stands above, and all of it"
    assert any("rollback by a person" in lines[i] and "too slow" in lines[i] for i in decided)
    assert "\x1b[31m" in terminal.written, "what is rolled back is red"


def test_colours_can_be_off(daemon, watch):
    terminal = watch(NO_COLOR="1")
    wait_for(lambda: panel(terminal), patience(20))
    daemon.cli("rollback", "chat")
    assert terminal.wait(patience(20)) == 3
    assert "\x1b[J" in terminal.written and not re.search(r"\x1b\[[0-9;]*m", terminal.written)


def test_a_small_terminal_gets_what_fits(daemon, watch):
    terminal = watch(size=(30, 4), LC_ALL="C")
    wait_for(lambda: panel(terminal), patience(20))
    daemon.cli("promote", "chat")
    daemon.cli("rollback", "chat")
    assert terminal.wait(patience(20)) == 3
    shown = panel(terminal)
    assert len([line for line in shown if line]) <= 3 and all(len(line) <= 30 for line in shown)
    assert terminal.written.isascii()


def test_a_terminal_that_cannot_be_redrawn_gets_lines(daemon, watch):
    terminal = watch(TERM="dumb")
    wait_for(lambda: "step 1 of 3" in terminal.written, patience(20))
    daemon.cli("rollback", "chat")
    assert terminal.wait(patience(20)) == 3
    assert "\x1b" not in terminal.written and "errors" not in terminal.written


def test_a_daemon_that_goes_away_is_waited_for_in_words(daemon, watch):
    terminal = watch()
    wait_for(lambda: panel(terminal), patience(20))
    daemon.stop()
    wait_for(lambda: any("waiting for it" in line for line in terminal.lines()), patience(20))
    assert not panel(terminal), "nothing is shown that may not be so any more"
    daemon.start()
    wait_for(lambda: panel(terminal), patience(20), "it is drawn again")


# ---- sluice status

HINT = "q ends it"


def drawn(terminal, times=1):
    wait_for(lambda: terminal.written.count(HINT) >= times, patience(20), "it is drawn")


def test_the_status_is_redrawn_in_place_until_q(daemon, status):
    terminal = status(size=(100, 40))
    wait_for(lambda: any("step 1 of 3" in line for line in panel(terminal)), patience(20), "it is drawn")
    for i in range(200):
        assert daemon.ask(headers=[("X-User-Id", f"u{i}")]).status == 200
    wait_for(lambda: any(re.search(r"stable +95 %.*[▁▂▃▄▅▆▇█].* errors 0.00 %", line) for line in terminal.lines()), patience(20),
             "the last minutes are drawn")
    assert any(re.match(r" +\[█*░*\] \d+ %  requests \d+ of 40", line) for line in terminal.lines())
    daemon.cli("promote", "chat")
    wait_for(lambda: any("step 2 of 3 at 25 %" in line for line in terminal.lines()), patience(20), "the step is redrawn")
    assert not terminal.echoes()
    terminal.type("x")
    terminal.type("q")
    assert terminal.wait(patience(20)) == 0
    lines = terminal.lines()
    assert lines[0].startswith("sluice ") and lines.count("chat") == 1, "it stands there once: " + "\n".join(lines)
    assert [line.split()[1] for line in lines if line.startswith("pool ")] == ["stable", "canary"]
    assert HINT not in lines and lines[-1] == "", "the last picture stays, what is no longer true does not"
    assert terminal.echoes()
    assert "\x1b[1m" in terminal.written


def test_one_route(daemon, status):
    terminal = status("chat")
    drawn(terminal, 2)
    terminal.type("q")
    assert terminal.wait(patience(20)) == 0
    lines = terminal.lines()
    assert lines[0] == "chat" and not [line for line in lines if line.startswith(("pool ", "sluice "))]


@pytest.mark.parametrize("how", ["Ctrl-C", "TERM"])
def test_a_signal_leaves_the_terminal_as_it_was(daemon, status, how):
    terminal = status()
    drawn(terminal)
    wait_for(lambda: not terminal.echoes(), patience(20))
    if how == "Ctrl-C":
        terminal.type("\x03")
    else:
        terminal.process.terminate()
    assert terminal.wait(patience(20)) == -(signal.SIGINT if how == "Ctrl-C" else signal.SIGTERM), "as a shell expects it: 130, 143"
    assert terminal.echoes() and "chat" in terminal.lines() and HINT not in terminal.lines()


def test_it_goes_on_after_a_stop(daemon, status):
    terminal = status()
    drawn(terminal)
    wait_for(lambda: not terminal.echoes(), patience(20))
    terminal.type("\x1a")
    wait_for(terminal.echoes, patience(20), "whoever has the terminal now finds it as it was")
    before = terminal.written.count(HINT)
    os.kill(terminal.process.pid, signal.SIGCONT)
    drawn(terminal, before + 1)
    assert terminal.lines().count("chat") == 2, "what stood there has other lines below it: it is left alone"
    terminal.type("q")
    assert terminal.wait(patience(20)) == 0


def test_a_daemon_that_goes_away_ends_it(daemon, status):
    terminal = status()
    drawn(terminal)
    daemon.stop()
    assert terminal.wait(patience(30)) == 5
    lines = [line for line in terminal.lines() if line]
    assert "does not answer any more" in lines[-1] and "chat" in lines and HINT not in lines
    assert terminal.echoes()


def test_a_route_that_goes_away_ends_it(daemon, status):
    terminal = status("chat")
    drawn(terminal)
    daemon.config["routes"][0]["name"] = "other"
    assert daemon.reload(daemon.config).status == 200
    assert terminal.wait(patience(20)) == 1
    assert any("chat" in line and line.startswith("sluice status: ") for line in terminal.lines())


def test_it_is_there_once_where_that_is_asked_for_or_nothing_can_be_redrawn(daemon, status):
    for arguments, env in ((("--once",), {}), (("chat", "--once"), {}), (("--json",), {}), ((), {"TERM": "dumb"})):
        terminal = status(*arguments, **env)
        assert terminal.wait(patience(20)) == 0, arguments
        assert "\x1b[J" not in terminal.written and "salt" in terminal.written, arguments
    piped = daemon.cli("status")
    assert piped.returncode == 0 and "\x1b" not in piped.stdout and "route chat  salt " in piped.stdout


def test_the_status_without_colours(daemon, status):
    terminal = status(NO_COLOR="1", LC_ALL="C")
    drawn(terminal, 2)
    terminal.type("q")
    assert terminal.wait(patience(20)) == 0
    assert "\x1b[J" in terminal.written and not re.search(r"\x1b\[[0-9;]*m", terminal.written)
    assert terminal.written.isascii()


def test_a_small_terminal_is_told_what_it_does_not_see_and_may_grow(daemon, status):
    terminal = status(size=(44, 9))
    wait_for(lambda: re.search(r"\((\d+) more lines\)", terminal.written), patience(20))
    frame = terminal.frame()
    assert len(frame) <= 9 and all(len(line) <= 44 for line in frame)
    assert any(re.fullmatch(r"  stable +95 %  errors 0.00 %", line) for line in frame), "fewer columns: " + "\n".join(frame)
    terminal.resize(100, 40)
    wait_for(lambda: any(re.search(r"/s  errors 0.00 %  p95 .* ttft ", line) for line in terminal.frame()), patience(20), "the columns are back")
    assert "more lines" not in "".join(terminal.frame()) and any(line.startswith("pool canary") for line in terminal.frame())
    terminal.resize(30, 5)
    wait_for(lambda: HINT in terminal.frame() and len(terminal.frame()) <= 5, patience(20))
    assert all(len(line) <= 30 for line in terminal.frame())
    terminal.type("q")
    assert terminal.wait(patience(20)) == 0
