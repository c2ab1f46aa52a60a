"""`sluice watch` on a terminal: what is decided scrolls by, what is going on is redrawn below it."""
import os
import re

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
def watch(daemon):
    terminals = []

    def start(size=(100, 30), **env):
        environment = {**os.environ, **ENVIRONMENT, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
        if "NO_COLOR" not in env:
            environment.pop("NO_COLOR", None)
        terminals.append(Terminal([BINARY, "watch", "chat", "--admin", daemon.config["admin"]["address"], "--exit-status"],
                                  environment, *size))
        return terminals[-1]
    yield start
    for terminal in terminals:
        terminal.stop()


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
