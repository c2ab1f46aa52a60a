"""WebSocket through sluice, with the npm package `ws` on both sides: what one end sends the other end has."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from harness.certificates import make_ca, make_certificate
from harness.process import Child
from harness.scale import patience, scaled
from harness.sluice import route
from harness.wait import wait_for
from test_clients import HERE, MODULES

NORMAL = {"code": 1000, "reason": "done"}


def node(script, *arguments):
    found = shutil.which("node")
    assert found, "node is not installed (tests/run.sh installs it)"
    assert os.path.isdir(os.path.join(MODULES, "ws")), "the npm package ws is missing (tests/run.sh installs it)"
    return [found, os.path.join(HERE, "npm", script), *map(str, arguments)]


class Sides:
    """The server, the daemon before it, and clients."""

    def __init__(self, server, daemon, base, env):
        self.server, self.daemon, self.base = server, daemon, base
        self.env = dict(env, BASE_URL=base)

    def run(self, case, *arguments, timeout=60):
        done = subprocess.run(node("websocket_client.mjs", case, *arguments), capture_output=True, text=True, check=False,
                              timeout=patience(timeout), env=dict(os.environ, **self.env))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def events(self):
        return [json.loads(line) for line in self.server.stdout().splitlines()[1:]]


@pytest.fixture
def sides(start_sluice, tmp_path):
    servers = []

    def make(tls=False, deflate=False, **settings):
        env = {"NPM_MODULES": os.path.abspath(MODULES), "DEFLATE": "1" if deflate else "0"}
        server = Child(node("websocket_server.mjs"), str(tmp_path), "ws", env=env)
        servers.append(server)
        wait_for(lambda: "port" in server.stdout() and server.stdout().endswith("\n"), patience(20), "the server listens")
        port = json.loads(server.stdout().splitlines()[0])["port"]
        listener = {"address": "127.0.0.1:0"}
        if tls:
            ca = make_ca(str(tmp_path))
            pair = make_certificate(str(tmp_path), ca, names=("127.0.0.1",))
            listener["tls"] = {"certificate": pair.certificate, "private_key": pair.key}
            env["CA"] = ca.certificate
        daemon = start_sluice({"listeners": [listener], "pools": {"stable": {"endpoints": [f"http://127.0.0.1:{port}"]}},
                               "routes": [route()], **settings})
        return Sides(server, daemon, "%s://127.0.0.1:%d" % ("wss" if tls else "ws", daemon.port), env)
    yield make
    for server in servers:
        server.kill()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("deflate", [False, True], ids=["as is", "deflate"])
def test_messages_come_back_as_they_went(sides, tls, deflate):
    answer = sides(tls, deflate).run("echo")
    assert answer["same"] == answer["sent"] == 9
    assert ("permessage-deflate" in answer["extensions"]) == deflate, "extensions are between the two ends"
    assert answer["end"] == NORMAL


def test_fragments_with_pings_between(sides):
    answer = sides().run("fragments")
    assert answer["answer"] == answer["expected"] and answer["frames"] == 7
    assert answer["end"] == NORMAL


def test_pings_and_pongs_from_both_ends(sides):
    count = scaled(200, 20)
    answer = sides().run("pings", count)
    assert answer["mine"] == count and answer["answer"] == f"pongs {count}" and answer["theirs"] >= count
    assert answer["end"] == NORMAL


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_message_of_16_mib(sides, tls):
    there = sides(tls)
    before = there.daemon.child.rss_kib()
    answer = there.run("big", 16 << 20)
    assert answer["answer"] == answer["expected"] and answer["back"]
    assert answer["end"] == NORMAL and answer["other"] == NORMAL
    assert there.daemon.child.rss_kib() - before < (8 << 10) * (1 if patience(1) == 1 else 8), "messages are not collected"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_both_ends_send_before_they_read(sides, tls):
    count = scaled(64, 8)
    answer = sides(tls).run("both", count, 256 << 10)
    assert answer["good"] == count and answer["answer"] == answer["expected"]
    assert answer["end"] == NORMAL


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 3000, 4999])
def test_close_codes_pass_both_ways(sides, code):
    there = sides()
    answer = there.run("close", code)
    assert answer["theirs"] == {"code": code, "reason": "because"}
    assert answer["mine"] == {"code": code, "reason": "done"}
    # The server learns of each end: asked for, by the client, and of the client that just went.
    wait_for(lambda: len(there.events()) >= 3, patience(10), "the server has seen all connections end")
    seen = [(event["closed"], event["code"]) for event in there.events() if "closed" in event]
    assert ("/close", code) in seen and ("/echo", code) in seen and ("/echo", 1006) in seen


def test_a_thousand_connections_at_once(sides):
    count = scaled(1000, 100)
    answer = sides().run("many", count, timeout=120)
    assert answer == {"open": count, "answers": count, "ended": count}


def test_a_server_that_refuses_is_heard(sides):
    there = sides(limits={"connections": 100})
    assert there.run("echo")["same"] == 9
    there.server.kill()
    assert there.run("refused") == {"status": 502}


def start_staying(there, tmp_path):
    client = Child(node("websocket_client.mjs", "stay"), str(tmp_path), "stay", env=there.env)
    wait_for(lambda: "there" in client.stderr(), patience(20), "the connection is open")
    return client


def ended(client):
    assert client.wait(30) == 0, client.stderr()
    return json.loads(client.stdout())


def test_silence_ends_a_connection_after_stream_idle(sides, tmp_path):
    there = sides(timeouts={"stream_idle": "1s"})
    answer = ended(start_staying(there, tmp_path))
    assert answer["end"]["code"] == 1006, "cut, not closed in order: nobody may speak for the server"
    assert answer["after"] >= 900
    assert there.daemon.counted("sluice_requests_total", 1, route="chat")


def test_draining_waits_for_open_connections_up_to_the_grace(sides, tmp_path):
    there = sides(shutdown_grace="2s")
    client = start_staying(there, tmp_path)
    there.daemon.child.signal(signal.SIGTERM)
    wait_for(lambda: "draining" in there.daemon.stderr(), patience(10), "it drains")
    assert client.running(), "what is open goes on"
    answer = ended(client)
    assert answer["end"]["code"] == 1006 and answer["after"] >= 900
    assert there.daemon.child.wait(20) == there.daemon.expected_exit


def test_a_connection_that_ends_by_itself_lets_the_daemon_go(sides):
    there = sides(shutdown_grace="60s")
    assert there.run("echo")["same"] == 9
    there.daemon.child.signal(signal.SIGTERM)
    assert there.daemon.child.wait(20) == 0
