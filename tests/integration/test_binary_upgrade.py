"""USR2: another binary takes over the sockets and everything that is known; nobody notices."""
import collections
import os
import signal
import socket
import ssl
import stat

import pytest

from harness.certificates import make_ca, make_certificate
from harness.client import Client
from harness.load import Loop, Streams, Ticker, Visits, Wrk, judge
from harness.scale import BINARY, patience, scaled
from harness.sluice import pool, route
from harness.successor import Successor, config, rollout, serving, upgrade
from harness.wait import wait_for


pytestmark = pytest.mark.usefixtures("orphans")


def users(i):
    return "GET", "/", [("X-User-Id", f"user-{i % 200}")], None


class SecureVisits(Visits):
    """Under TLS, each time with the session of the one before."""
    context, session, resumed = None, None, 0

    def connect(self):
        client = Client(self.address)
        client.socket = self.context.wrap_socket(client.socket, server_hostname="h.example", session=self.session)
        self.resumed += client.socket.session_reused
        self.session = client.socket.session if client.socket.version() == "TLSv1.2" else None
        return client


@pytest.fixture
def tls(tmp_path):
    """Settings of a listener, and a client's context: TLS 1.2, where the session is there with the handshake."""
    authority = make_ca(tmp_path)
    pair = make_certificate(tmp_path, authority, names=["h.example"])
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return {"certificate": str(pair.certificate), "private_key": str(pair.key)}, context


@pytest.mark.heavy
def test_upgrades_and_reloads_under_load(start_sluice, nginx, upstream, folder, tmp_path, tls):
    """20 upgrades among 100 reloads, under keep-alive connections, new ones, a unix socket, TLS and streams that outlive every
    upgrade: no failed request, no user on another variant, no descriptor, file or process left over."""
    count, between = scaled(20, 3), 5
    ticker, seen = Ticker(), collections.defaultdict(set)
    model, streaming = nginx('location / { return 200 "$http_x_user_id"; }'), upstream("streams", ticker)
    path = f"{folder}/http.sock"

    def variant(i):
        listeners = [{"address": "127.0.0.1:0"}, {"address": f"unix:{path}"}, {"address": "127.0.0.2:0", "tls": tls[0]}]
        full = config(model, listeners=listeners, workers=2 + i % 2)
        full["pools"]["streams"] = pool(streaming)
        full["routes"].insert(0, route("streams", {"streams": 100}, match={"path": "/stream"}))
        if i % 3 == 1:
            listeners.append({"address": "127.0.0.3:0"})
            full["pools"]["more"] = pool(model)
            full["routes"].insert(0, route("more", {"more": 100}, match={"path": "/more"}))
        return full
    daemon = start_sluice(variant(0))
    address, inode = daemon.address, os.lstat(path).st_ino
    watch = {"make": users, "on_response": lambda response: seen[response.text].add(response.variant)}
    SecureVisits.context = tls[1]
    secure = SecureVisits(daemon.address_of(2), 1, **watch)
    loads = [Loop(address, 4, **watch), Loop(path, 2, **watch), Visits(address, 3, **watch), Visits(path, 1, **watch), secure]
    wrk = Wrk(tmp_path, f"http://{address[0]}:{address[1]}/", 50)
    streams, old = [], []
    for i in range(count):
        streams.append(Streams(address, 2))
        for k in range(between):
            assert daemon.reload(variant(i + k)).status == 200
        old.append(upgrade(daemon))
        ticker.tick()
    under_load = wrk.running()
    wait_for(lambda: len(seen) == 200, patience(60), "all users were there")
    figures = wrk.finish()
    judge(*loads)
    assert secure.resumed == secure.total - 1, "a session goes on in the next binary"
    assert under_load and (figures["socket_errors"], figures["bad_status"]) == (0, 0), figures["text"]
    assert all(len(variants) == 1 for variants in seen.values())
    assert not [s.broken for s in streams if s.broken]
    assert all(process.running() for process in old), "each finishes the streams that it has"
    ticker.end()
    for stream in streams:
        wait_for(lambda s=stream: s.open == 0, patience(10))
        assert not stream.broken and all(stream.done), stream.broken
        stream.close()
    assert [process.wait() for process in old] == [0] * count
    assert os.lstat(path).st_ino == inode
    assert daemon.metrics().sum("sluice_upgrades_total", result="success") == count
    assert daemon.metrics().sum("sluice_upgrades_total", result="failure") == 0
    print(f"{count} upgrades, {count * between} reloads: {sum(l.total for l in loads) + figures['requests']} requests, 0 failed")
    daemon.counted("sluice_client_connections", 0)
    assert daemon.stop() == 0
    assert not os.path.exists(path)


def test_descriptors_do_not_grow(start_sluice, upstream, folder):
    daemon = start_sluice(config(upstream(), listeners=[{"address": "127.0.0.1:0"}, {"address": f"unix:{folder}/s"}], workers=3))
    least = None
    for _ in range(6):
        assert upgrade(daemon).wait() == 0
        wait_for(lambda: "the binary before this one has ended" in daemon.stderr().rsplit("serves now", 1)[1])
        assert daemon.ask().status == 200
        daemon.counted("sluice_client_connections", 0)
        least = least or daemon.child.fd_count()
        wait_for(lambda: daemon.child.fd_count() <= least)
    assert len(serving(daemon)) == 6


@pytest.mark.parametrize("numbers", [(1, 4, 2), (4, 1, 3)])
def test_another_number_of_workers(start_sluice, upstream, numbers):
    """The sockets stay: of more than there are workers some have several, of fewer they share."""
    server = upstream()
    daemon = start_sluice(config(server, workers=numbers[0]))
    loads = [Visits(daemon.address, 4), Loop(daemon.address, 2)]
    for number in numbers[1:]:
        daemon.config["workers"] = number
        daemon.write()
        wait_for(lambda: min(load.total for load in loads) > 50, patience(10))
        assert upgrade(daemon).wait() == 0
        assert daemon.status()["workers"] == number
        before = loads[0].total
        wait_for(lambda: loads[0].total > before + scaled(500, 50), patience(20))
    judge(*loads)


def test_what_waits_in_the_queues_is_served(start_sluice, upstream):
    """Connections that the kernel has taken and no worker yet: by the new binary, whatever the number of its workers."""
    daemon = start_sluice(config(upstream(), workers=4))
    daemon.config["workers"] = 1
    daemon.write()
    clients = [Client(daemon.address) for _ in range(20)]
    old = daemon.child
    before = len(serving(daemon))
    old.signal(signal.SIGUSR2)
    for _ in range(100):
        clients.append(Client(daemon.address))
        clients[-1].request()
    for client in clients[:20]:
        client.request()
    assert {client.response().status for client in clients} == {200}
    wait_for(lambda: len(serving(daemon)) > before)
    daemon.child = Successor(serving(daemon)[-1], old)
    for client in clients:
        client.close()
    assert old.wait() == 0


def test_addresses_that_come_and_go_with_it(start_sluice, upstream, folder):
    paths = [f"{folder}/{name}" for name in "abc"]
    daemon = start_sluice(config(upstream(), listeners=[{"address": f"unix:{paths[0]}", "mode": "0600"}, {"address": f"unix:{paths[1]}"}]))
    inode = os.lstat(paths[0]).st_ino
    with Client(paths[1]) as client:
        assert client.ask().status == 200
        daemon.config["listeners"] = [{"address": f"unix:{paths[0]}", "mode": "0666"}, {"address": f"unix:{paths[2]}"}]
        daemon.write()
        old = upgrade(daemon)
        wait_for(lambda: not os.path.exists(paths[1]), what="the file of the address that has gone is removed")
        assert client.ask().header("Connection") == "close"
    assert old.wait() == 0
    assert os.lstat(paths[0]).st_ino == inode and stat.S_IMODE(os.lstat(paths[0]).st_mode) == 0o666
    for path in (paths[0], paths[2]):
        with Client(path) as client:
            assert client.ask().status == 200
    assert daemon.stop() == 0
    assert not any(map(os.path.exists, paths))


def test_another_admin_address(start_sluice, upstream, folder):
    daemon = start_sluice(config(upstream()))
    before = daemon.socket
    daemon.config["admin"]["address"] = f"unix:{folder}/admin.sock"
    daemon.write()
    assert upgrade(daemon).wait() == 0
    assert not os.path.exists(before)
    assert daemon.status()["pid"] == daemon.pid


def test_an_admin_connection_to_the_old_binary_is_told_to_close(start_sluice, upstream):
    ticker = Ticker()
    daemon = start_sluice(config(upstream("streams", ticker)))
    streams = Streams(daemon.address, 1)
    with Client(daemon.socket) as admin:
        assert admin.ask("GET", "/healthz", host="h").status == 200
        old = upgrade(daemon)
        wait_for(lambda: "drain" in daemon.stderr() or daemon.status()["pid"] == daemon.pid)
        response = admin.ask("POST", "/api/v1/reload", body="", host="h")
        assert response.status == 503 and response.json()["error"]["code"] == "upgrading"
        assert response.header("Connection") == "close" and admin.closed()
    assert all(daemon.status()["pid"] == daemon.pid for _ in range(20))
    ticker.end()
    assert old.wait() == 0
    wait_for(lambda: streams.open == 0)
    assert all(streams.done)
    streams.close()


# -- what is known -----------------------------------------------------------------------------------------------------

def test_drains_weights_by_hand_and_health_stay(start_sluice, upstream):
    servers = [upstream("up"), upstream("away"), upstream("sick", lambda request, reply: reply.send(500, "no"))]
    check = {"interval": "100ms", "unhealthy_after": 1, "request": {"path": "/health"}}
    daemon = start_sluice({"pools": {"stable": pool(*servers[:2]), "canary": pool(servers[0]), "checked": pool(*servers[1:], health=check)},
                           "routes": [route("more", {"checked": 100}, match={"path": "/more"}), route("chat", {"stable": 100, "canary": 0})]})
    assert daemon.cli("drain", "stable", servers[1].url).returncode == 0
    assert daemon.cli("weight", "chat", "stable=25", "canary=75").returncode == 0

    def states():
        return {(p["name"], e["url"]): e["state"] for p in daemon.status()["pools"] for e in p["endpoints"]}
    wait_for(lambda: states()["checked", servers[2].url] == "unhealthy")
    before = states()
    for _ in range(2):
        asked = servers[2].count
        assert upgrade(daemon).wait() == 0
        assert states() == before
        assert [v["weight"] for v in daemon.status()["routes"][1]["variants"]] == [25, 75]
        assert daemon.status()["routes"][1]["weights_from"] == "command"
        assert {daemon.ask(target="/more").status for _ in range(20)} == {200}
        wait_for(lambda: servers[2].count > asked, what="the checks go on")
    daemon.config["routes"][1]["variants"]["stable"]["weight"] = 90
    daemon.config["routes"][1]["variants"]["canary"]["weight"] = 10
    daemon.write()
    assert upgrade(daemon).wait() == 0
    assert [v["weight"] for v in daemon.status()["routes"][1]["variants"]] == [90, 10], "the file has changed: it is the file's"
    assert states() == before


def test_a_rollout_in_the_middle_of_a_step(start_sluice, upstream):
    daemon = start_sluice(rollout(upstream()))
    loop = Loop(daemon.address, 4)
    wait_for(lambda: loop.variants["canary"] > 30, patience(20))

    def now():
        return daemon.status()["routes"][0]["rollout"]
    for _ in range(3):
        before = now()
        assert upgrade(daemon).wait() == 0
        after = now()
        assert (after["state"], after["step"]) == ("step", before["step"])
        assert [v["weight"] for v in daemon.status()["routes"][0]["variants"]] == [80, 20]
        assert after["state_seconds"] >= before["state_seconds"] and after["total_seconds"] < 600
        wait_for(lambda t=after["state_seconds"]: now()["state_seconds"] > t)
    decisions = daemon.admin().get("/api/v1/routes/chat/decisions")["decisions"]
    assert [d["action"] for d in decisions].count("start") == 1
    assert daemon.cli("promote", "chat").returncode == 0
    assert upgrade(daemon).wait() == 0
    assert now()["state"] == "paused", "a pause waits on"
    assert daemon.cli("rollback", "chat", "--reason", "enough").returncode == 0
    assert upgrade(daemon).wait() == 0
    assert now()["state"] == "rolled_back"
    assert [v["weight"] for v in daemon.status()["routes"][0]["variants"]] == [100, 0]
    numbers = [d["number"] for d in daemon.admin().get("/api/v1/routes/chat/decisions")["decisions"]]
    assert numbers == sorted(set(numbers)), "no decision is lost or told twice"
    judge(loop)


def test_evidence_is_handed_over(start_sluice, upstream):
    """A canary that fails is withdrawn by what two binaries have seen of it."""
    bad = upstream("bad", lambda request, reply: reply.send(500, "no"))
    config_ = rollout(upstream())
    config_["pools"]["canary"] = pool(bad)
    daemon = start_sluice(config_)
    loop = Loop(daemon.address, 2)
    assert upgrade(daemon).wait() == 0
    wait_for(lambda: daemon.status()["routes"][0]["rollout"]["state"] == "rolled_back", patience(30))
    loop.stop()
    assert not loop.failures


def test_two_daemons_do_not_share_a_state_dir(start_sluice, upstream, child, tmp_path):
    daemon = start_sluice(rollout(upstream()))

    def refused(name):
        other = daemon.complete({**daemon.config, "listeners": [{"address": "127.0.0.1:0"}],
                                 "admin": {"address": f"unix:{daemon.short}/other.sock"}})
        import yaml  # pylint: disable=import-outside-toplevel
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(other))
        process = child([BINARY, "run", "-c", path], name, env=daemon.env)
        assert process.wait() == 1
        assert "another sluice runs on" in process.stderr()
    refused("before")
    assert upgrade(daemon).wait() == 0
    refused("after")


def test_tls_sessions_are_resumed(start_sluice, upstream, tls):
    daemon = start_sluice(config(upstream(), listeners=[{"address": "127.0.0.1:0", "tls": tls[0]}]))

    def visit(session=None):
        with Client(daemon.address) as client:
            client.socket = tls[1].wrap_socket(client.socket, server_hostname="h.example", session=session)
            assert client.ask(host="h.example").status == 200
            return client.socket.session_reused, client.socket.session
    reused, session = visit()
    assert not reused
    for _ in range(2):
        assert upgrade(daemon).wait() == 0
        reused, session = visit(session)
        assert reused
