"""Upgrades that go wrong, and signals in the middle of one: the binary that runs goes on, whatever happens to the new one."""
import os
import shutil
import signal
import socket
import threading

import pytest

from harness.client import Client
from harness.load import Loop, Streams, Ticker, Visits, judge
from harness.process import Child
from harness.scale import BINARY, patience, scaled
from harness.successor import Successor, config, failed, rollout, serving, upgrade
from harness.wait import wait_for


pytestmark = pytest.mark.usefixtures("orphans")


def replace(path, text):
    """Another program at the path, in one step, as a package manager does it."""
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + ".new", 0o755)
    os.replace(path + ".new", path)


@pytest.fixture
def program(folder):
    """A copy of the binary, whose path may get another one."""
    path = f"{folder}/sluice"
    shutil.copy(BINARY, path)
    return path


# -- what can go wrong -------------------------------------------------------------------------------------------------

SPEAKS = """#!/usr/bin/python3
import json, os, socket, sys, time
channel = socket.socket(fileno=int(os.environ["SLUICE_PREDECESSOR"]))
def hear(kind):
    while True:
        text, fds, _, _ = socket.recv_fds(channel, 65536, 128)
        for fd in fds:
            os.close(fd)
        if not text:
            sys.exit(9)
        if json.loads(text)["kind"] == kind:
            return
hear("end")
"""
BROKEN = {
    "it ends at once": "#!/bin/sh\nexit 7\n",
    "it is no program": "nothing\n",
    "it closes the channel": "#!/bin/sh\nexec 3>&-\nexec sleep 600\n",
    "it ends when it has the sockets": SPEAKS + "sys.exit(5)\n",
    "it ends when it has the state": SPEAKS + "channel.send(b'{\"kind\": \"take\"}')\nhear('yours')\nsys.exit(6)\n",
    "it is never ready": SPEAKS + "time.sleep(600)\n",
    "it is never ready with the state": SPEAKS + "channel.send(b'{\"kind\": \"take\"}')\nhear('yours')\ntime.sleep(600)\n",
    "it speaks nonsense": SPEAKS + "channel.send(b'}')\nchannel.send(b'{\"kind\": \"ready\"}')\nchannel.send(b'[]')\nsys.exit(8)\n",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_new_binary_that_fails_changes_nothing(start_sluice, upstream, program, folder, how):
    path = f"{folder}/http.sock"
    daemon = start_sluice({**rollout(upstream()), "listeners": [{"address": "127.0.0.1:0"}, {"address": f"unix:{path}"}],
                           "upgrade_timeout": "1s" if "never" in how else "60s"}, binary=program)
    pid, loads = daemon.pid, [Loop(daemon.address, 3), Visits(daemon.address, 1), Visits(path, 1)]
    shutil.copy(program, program + ".good")
    for i in (1, 2):
        replace(program, BROKEN[how])
        daemon.child.signal(signal.SIGUSR2)
        failed(daemon, i)
        wait_for(daemon.answers)
        assert daemon.status()["pid"] == pid
        assert daemon.status()["routes"][0]["rollout"]["state"] == "step"
        assert daemon.reload().status == 200, "it can be changed again"
    assert daemon.metrics().sum("sluice_upgrades_total", result="failure") == 2
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        assert f.read().split() == [], "no process is left, not even a dead one"
    os.replace(program + ".good", program)
    assert upgrade(daemon).wait() == 0
    assert daemon.metrics().sum("sluice_upgrades_total", result="failure") == 2
    assert daemon.cli("promote", "chat").returncode == 0
    assert daemon.status()["routes"][0]["rollout"]["state"] == "paused"
    judge(*loads)


def test_a_file_with_mistakes_is_refused_and_named(start_sluice, upstream):
    daemon = start_sluice(config(upstream()))
    loop = Loop(daemon.address, 2)
    daemon.write("bogus: 1\n" + open(daemon.path, encoding="utf-8").read())
    daemon.child.signal(signal.SIGUSR2)
    failed(daemon, 1)
    assert f"{daemon.path}:1:1: " in daemon.stderr().split("configuration refused", 1)[1]
    assert "exit 1" in daemon.stderr()
    daemon.write()
    assert upgrade(daemon).wait() == 0
    judge(loop)


def test_a_listener_that_cannot_be_opened_is_refused(start_sluice, upstream, folder):
    daemon = start_sluice(config(upstream(), listeners=[{"address": f"unix:{folder}/kept"}]))
    with socket.create_server(("127.0.0.9", 0)) as taken:
        daemon.config["listeners"].append({"address": "127.0.0.9:%d" % taken.getsockname()[1]})
        daemon.write()
        daemon.child.signal(signal.SIGUSR2)
        failed(daemon, 1)
    with Client(f"{folder}/kept") as client:
        assert client.ask().status == 200
    assert os.path.exists(daemon.socket) and daemon.answers()
    daemon.config["listeners"].pop()
    daemon.write()


def test_it_is_the_path_that_is_started_not_the_file(start_sluice, upstream, program, tmp_path):
    """Relative paths, as they were at the start; the file that ran first is gone."""
    link = tmp_path / "current"
    link.symlink_to(os.path.dirname(program))
    daemon = start_sluice(config(upstream()), binary="current/sluice", cwd=str(tmp_path))
    for _ in range(2):
        shutil.copy(program, program + ".new")
        os.replace(program + ".new", program)
        assert "(deleted)" in os.readlink(f"/proc/{daemon.pid}/exe")
        assert upgrade(daemon).wait() == 0
        assert os.readlink(f"/proc/{daemon.pid}/exe") == program


# -- signals meanwhile -------------------------------------------------------------------------------------------------

WAITS = BROKEN["it is never ready with the state"]


@pytest.fixture
def upgrading(start_sluice, upstream, program):
    """A daemon in the middle of an upgrade that does not come to an end; the new binary can be told to."""
    def make(**settings):
        daemon = start_sluice({**rollout(upstream()), "upgrade_timeout": "60s", **settings}, binary=program)
        shutil.copy(program, program + ".good")
        replace(program, WAITS)
        daemon.child.signal(signal.SIGUSR2)
        wait_for(lambda: "a new binary is starting" in daemon.stderr())

        def handed():
            with Client(daemon.socket, 1) as client:  # it is let in, and waits
                client.request("GET", "/healthz", host="h")
                client.socket.settimeout(0.05)
                try:
                    return not client.response()
                except TimeoutError:
                    return True
        wait_for(handed, what="state_dir is handed over")
        return daemon
    return make


def stuck(daemon):
    with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as f:
        (pid,) = map(int, f.read().split())
    return pid


def test_term_meanwhile_ends_both(upgrading):
    daemon = upgrading()
    pid = stuck(daemon)
    assert daemon.ask().status == 200
    assert daemon.stop() == 0
    assert not os.path.exists(f"/proc/{pid}") and not os.path.exists(daemon.socket)
    daemon.binary = BINARY
    daemon.start()
    assert daemon.status()["routes"][0]["rollout"]["state"] == "step"


def test_a_reload_meanwhile_comes_afterwards(upgrading):
    daemon = upgrading()
    daemon.hup()
    os.kill(stuck(daemon), signal.SIGKILL)
    failed(daemon, 1)
    assert "signal 9" in daemon.stderr()
    daemon.counted("sluice_config_reload_total", 1, result="success")


def test_a_second_upgrade_meanwhile_is_refused(upgrading, program):
    daemon = upgrading()
    daemon.child.signal(signal.SIGUSR2)
    wait_for(lambda: "an upgrade is under way already" in daemon.stderr())
    os.replace(program + ".good", program)
    os.kill(stuck(daemon), signal.SIGKILL)
    failed(daemon, 1)
    assert upgrade(daemon).wait() == 0


def test_none_while_it_stops(start_sluice, upstream):
    go = threading.Event()

    def handler(_request, reply):
        assert go.wait(patience(20))
        reply.send(200, "x")
    server = upstream("slow", handler)
    daemon = start_sluice(config(server))
    with daemon.client() as client:
        client.request()
        wait_for(lambda: server.count == 1)
        daemon.child.signal(signal.SIGTERM)
        wait_for(lambda: "requests may finish" in daemon.stderr())
        daemon.child.signal(signal.SIGUSR2)
        wait_for(lambda: "no upgrade while stopping" in daemon.stderr())
        go.set()
        assert client.response().status == 200
    assert daemon.child.wait() == 0


def test_a_signal_to_the_whole_service_lets_both_finish(start_sluice, upstream):
    ticker = Ticker()
    daemon = start_sluice(config(upstream("streams", ticker)))
    streams = [Streams(daemon.address, 1)]
    old = upgrade(daemon)
    streams.append(Streams(daemon.address, 1))
    for process in (old, daemon.child):
        process.signal(signal.SIGTERM)
    wait_for(lambda: daemon.stderr().count("requests may finish") >= 2 and "stopping already" in daemon.stderr())
    ticker.tick()
    ticker.end()
    assert old.wait() == 0 and daemon.child.wait() == 0
    for stream in streams:
        wait_for(lambda s=stream: s.open == 0)
        assert all(stream.done) and not stream.broken
        stream.close()


def test_a_reload_right_before_and_right_behind(start_sluice, upstream):
    daemon = start_sluice(config(upstream()))
    for _ in range(scaled(10, 3)):
        before, old = len(serving(daemon)), daemon.child
        for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP):
            old.signal(number)
        wait_for(lambda n=before: len(serving(daemon)) > n, patience(20))
        daemon.child = Successor(serving(daemon)[-1], old)
        assert old.wait() == 0
    assert daemon.reload().status == 200


def test_the_old_one_dies_and_the_new_one_serves(start_sluice, upstream):
    """Whatever kills it: its sockets are the new one's already."""
    ticker = Ticker()
    daemon = start_sluice(config(upstream("streams", ticker)))
    streams = Streams(daemon.address, 1)
    old = upgrade(daemon)
    old.signal(signal.SIGKILL)
    assert old.wait() == -signal.SIGKILL
    wait_for(lambda: streams.open == 0)
    streams.close()
    ticker.end()
    wait_for(lambda: "the binary before this one has ended" in daemon.stderr())
    with daemon.client() as client:
        client.request()
        assert client.final_head().status == 200
    assert Child.reports(daemon.child) is None
