"""Completion in the shells themselves: every command, every option, files, and what the running daemon has."""
import re

import pytest

from harness.shells import SHELLS
from harness.sluice import cli, pool, route

pytestmark = pytest.mark.once


def commands():
    return re.findall(r"(?m)^  (\w+) ", cli("help").stdout.split("Exit codes")[0])


def options(command):
    return set(re.findall(r"(?m)^ {2,6}(?:-\w, )?(--[a-z-]+)", cli("help", command).stdout)) | {"--help"}


@pytest.fixture(params=SHELLS)
def offer(request, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()

    def ask(*lines, env=None):
        offered = [{word.rstrip("=") for word in words} for words in SHELLS[request.param](lines, str(folder), env)]
        return offered if len(lines) > 1 else offered[0]
    ask.folder = folder
    ask.shell = request.param
    return ask


def test_every_command_is_offered(offer):
    names = set(commands())
    assert len(names) >= 20
    every, some, helped = offer("sluice ", "sluice re", "sluice help ")
    assert every == names | {"help"}
    assert some == {name for name in names if name.startswith("re")}
    assert helped >= names


def test_every_option_is_offered(offer):
    names = commands()
    offered = offer(*(f"sluice {name} --" for name in names))
    wrong = {name: words ^ options(name) for name, words in zip(names, offered) if words != options(name)}
    assert not wrong


def test_files_are_offered(offer):
    (offer.folder / "some.yaml").write_text("", encoding="utf-8")
    assert "some.yaml" in offer("sluice check som")
    assert "some.yaml" in offer("sluice run -c som")
    assert "some.yaml" in offer("sluice status --token-file som")


def test_what_the_daemon_has_is_offered(offer, start_sluice):
    daemon = start_sluice({
        "pools": {"blue": pool("http://127.0.0.1:1", "http://127.0.0.1:2"), "green": pool("http://127.0.0.1:3")},
        "routes": [route("chat", {"stable": {"pool": "blue", "weight": 95}, "canary": {"pool": "green", "weight": 5}},
                         match={"path_prefix": "/chat"}), route("rest", {"all": {"pool": "blue"}})]})
    admin = daemon.config["admin"]["address"]
    env = {"SLUICE_ADMIN": admin}
    of_routes = ("status", "assign", "weight", "watch", "promote", "pause", "resume", "rollback", "retry", "explain", "report",
                 "plan")
    assert offer(*(f"sluice {command} " for command in of_routes), env=env) == [{"chat", "rest"}] * len(of_routes)
    one, variants, variant, pools, endpoints = offer(
        "sluice watch ch", "sluice weight chat ", "sluice weight chat canary=5 st", "sluice drain ",
        "sluice undrain blue http://127.0.0.1:", env=env)
    assert one == {"chat"}
    assert variants == {"stable", "canary"} and variant == {"stable"}
    assert pools == {"blue", "green"}
    # bash replaces what stands behind the last colon.
    assert endpoints == ({"1", "2"} if offer.shell == "bash" else {"http://127.0.0.1:1", "http://127.0.0.1:2"})
    assert offer(f"sluice report --admin {admin} --json ch", env={"SLUICE_ADMIN": "unix:/nowhere"}) == {"chat"}


def test_without_a_daemon_nothing_is_offered_and_nothing_said(offer):
    env = {"SLUICE_ADMIN": f"unix:{offer.folder}/none.sock"}
    assert offer("sluice watch ", "sluice drain blue ", env=env) == [set(), set()]
