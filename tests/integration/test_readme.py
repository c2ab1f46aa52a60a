"""The README: its commands are there, and its example is done as it says."""
import os
import re
import shlex

import yaml

from harness import walk
from harness.sluice import cli
from harness.wait import wait_for

README = os.path.join(walk.ROOT, "README.md")
BLOCKS = walk.read(README)


def typed(section):
    """The commands of a section's console fences, without their remarks."""
    lines = [line for block in BLOCKS if block.kind == "console" and block.section == section for line in block.text.split("\n")]
    return [shlex.split(line, comments=True) for line in lines if line]


def test_every_command_exists():
    with open(README, encoding="utf-8") as f:
        commands = set(re.findall(r"`sluice ([a-z]+)", f.read())) | {argv[1] for argv in typed("Your first canary")}
    assert {"check", "run", "watch", "rollback"} <= commands
    usage = cli("--help").stdout
    for command in commands:
        assert re.search(rf"^  {command}\b", usage, re.M), command


def test_the_scripts_are_there():
    for argv in typed("Two commands"):
        assert argv[0] == "sh" and os.path.isfile(os.path.join(walk.ROOT, argv[1])), argv


def test_the_first_canary_is_done_as_it_says(start_sluice, upstream, tmp_path):
    text, = [block.text for block in BLOCKS if block.kind == "yaml" and block.section == "Your first canary"]
    servers = [upstream("blue"), upstream("green")]
    for server, address in zip(servers, re.findall(r"http://[\d.]+:\d+", text), strict=True):
        text = text.replace(address, server.url)
    check, run, watch, rollback = typed("Your first canary")
    assert [argv[1] for argv in (check, run, watch, rollback)] == ["check", "run", "watch", "rollback"]
    (tmp_path / check[2]).write_text(text.replace("0.0.0.0:8080", "127.0.0.1:0"), encoding="utf-8")
    assert cli(*check[1:], cwd=tmp_path).returncode == 0
    daemon = start_sluice(yaml.safe_load(text.replace("0.0.0.0:8080", "127.0.0.1:0")))
    assert daemon.ask(headers=[("X-User-Id", "alice")]).status == 200

    def rollout():
        return daemon.status()["routes"][0]["rollout"]
    config = daemon.config
    config["routes"][0]["variants"]["canary"]["version"] = "v1.2"
    assert daemon.reload(config).status == 200
    wait_for(lambda: rollout()["state"] == "step", 20, "a new version starts it")
    assert daemon.cli(*rollback[1:]).returncode == 0
    wait_for(lambda: rollout()["state"] == "rolled_back", 20, "a person takes it back")
    seen = daemon.cli(*watch[1:])
    assert seen.returncode == 0 and "rolled back" in seen.stdout
