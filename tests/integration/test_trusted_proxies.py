"""trusted_proxies: whose X-Forwarded-* count, who the client is then, and what the upstream is told."""
import json

import pytest

from harness.client import Client
from harness.haproxy import BINARY as HAPROXY, Haproxy
from harness.load import Loop
from harness.scale import scaled
from harness.sluice import pool, route
from harness.wait import wait_for

TRUSTED = ["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"]


@pytest.fixture
def start(start_sluice, upstream, tmp_path):
    """start(trusted, …) -> daemon, server, log: log() is the last line of the access log."""
    server = upstream("stable")
    path = tmp_path / "access.log"

    def make(trusted, **settings):
        daemon = start_sluice({"trusted_proxies": trusted, "pools": {"stable": pool(server)}, "routes": [route()],
                               "access_log": {"path": str(path)}, **settings})

        def log():
            def complete():
                lines = path.read_text(encoding="utf-8").splitlines()
                return lines if len(lines) >= len(server.requests) else None
            return json.loads(wait_for(complete)[-1])
        return daemon, server, log
    return make


def told(server):
    request = server.requests[-1]
    return tuple(request.header("X-Forwarded-" + name) for name in ("For", "Proto", "Host"))


def test_a_trusted_peers_fields_are_kept_and_appended_to(start):
    daemon, server, log = start(TRUSTED)
    daemon.ask(host="inner", headers=[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"),
                                      ("X-Forwarded-Host", "api.example.com"), ("X-Forwarded-Port", "443")])
    assert told(server) == ("192.0.2.7, 127.0.0.1", "https", "api.example.com")
    assert server.requests[-1].header("X-Forwarded-Port") == "443"
    assert (log()["client"], log()["peer"]) == ("192.0.2.7", "127.0.0.1")
    for name in ("For", "Proto", "Host"):
        assert len([1 for n, _ in server.requests[-1].headers if n.lower() == f"x-forwarded-{name.lower()}"]) == 1


def test_another_peers_fields_are_removed(start):
    daemon, server, log = start(["10.0.0.0/8", "unix"])
    daemon.ask(host="inner", headers=[
        ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"), ("X-Forwarded-Port", "66"),
        ("Forwarded", "for=6.6.6.6"), ("X_Forwarded_For", "6.6.6.6"), ("X-Forwarded_Host", "evil")])
    assert told(server) == ("127.0.0.1", "http", "inner")
    assert not any("6.6.6.6" in v or "evil" in v or v == "66" for _, v in server.requests[-1].headers)
    assert log()["client"] == "127.0.0.1" and "peer" not in log()


def test_twins_with_underscores_are_removed_from_trusted_peers_too(start):
    daemon, server, _ = start(TRUSTED)
    daemon.ask(headers=[("X_Forwarded_For", "6.6.6.6"), ("X-Forwarded_Proto", "https"), ("X-Forwarded-For", "192.0.2.7")])
    assert told(server)[0] == "192.0.2.7, 127.0.0.1" and told(server)[1] == "http"
    assert not any("6.6.6.6" in v for _, v in server.requests[-1].headers)


@pytest.mark.parametrize("lines, client", [
    (["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
    (["6.6.6.6, 192.0.2.7, 10.1.1.1", "10.2.2.2"], "192.0.2.7"),
    (["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
    (["2001:db9::7, [2001:db8::1]:4711"], "2001:db9::7"),
    (["192.0.2.7, unknown, 10.2.2.2"], "10.2.2.2"),
    (["192.0.2.7, evil"], "127.0.0.1"),
    (["", "192.0.2.7:80,"], "192.0.2.7"),
    (["192.0.2.7, " * 1000 + "10.0.0.1"], "192.0.2.7"),
])
def test_the_client_is_the_last_that_is_not_trusted(start, lines, client):
    daemon, server, log = start(TRUSTED)
    assert daemon.ask(headers=[("X-Forwarded-For", line) for line in lines]).status == 200
    chain = ", ".join([*filter(None, (line.strip() for line in lines)), "127.0.0.1"])
    assert told(server)[0] == chain  # passed on in order, whatever it is
    assert log()["client"] == client


@pytest.mark.parametrize("name, values, kept", [
    ("Proto", ["HTTPS"], "https"), ("Proto", ["http"], "http"), ("Proto", ["ftp"], None), ("Proto", ["https, http"], None),
    ("Proto", ["https", "https"], None), ("Proto", [""], None),
    ("Host", ["a.example:8443"], "a.example:8443"), ("Host", ["[2001:db8::1]"], "[2001:db8::1]"), ("Host", ["a b"], None),
    ("Host", ["a/b"], None), ("Host", ["<script>"], None), ("Host", ["a", "b"], None), ("Host", ["x" * 300], None)])
def test_only_sane_values_are_kept(start, name, values, kept):
    daemon, server, _ = start(TRUSTED)
    daemon.ask(host="inner", headers=[(f"X-Forwarded-{name}", value) for value in values])
    expected = {"Proto": (kept or "http", "inner"), "Host": ("http", kept or "inner")}[name]
    assert told(server)[1:] == expected


def test_client_ip_sticks_by_the_client_behind_the_proxy(start_sluice, upstream):
    servers = {name: upstream(name) for name in ("a", "b")}
    daemon = start_sluice({"trusted_proxies": ["127.0.0.1"], "pools": {n: pool(s) for n, s in servers.items()},
                           "routes": [route(variants={"a": 50, "b": 50}, sticky={"by": ["client_ip"]})]})
    with daemon.client() as client:
        def variant(address, before=""):
            return client.ask(headers=[("X-Forwarded-For", f"{before}{address}")]).variant
        first = {i: variant(f"192.0.2.{i}") for i in range(100)}
        assert 20 < sum(v == "a" for v in first.values()) < 80
        for i, seen in first.items():
            assert variant(f"192.0.2.{i}", before="6.6.6.6, ") == seen  # invented by the client
            assert variant(f"::ffff:192.0.2.{i}") == seen and variant(f"192.0.2.{i}:1{i}") == seen
    # who is not trusted is what its own address says, whatever it claims
    with Client(daemon.address, source="127.0.0.2") as client:
        assert len({client.ask(headers=[("X-Forwarded-For", f"192.0.2.{i}")]).variant for i in range(50)}) == 1


def test_the_cookie_is_secure_when_the_client_speaks_tls_with_the_proxy(start_sluice, upstream):
    daemon = start_sluice({"trusted_proxies": ["127.0.0.1"], "pools": {"stable": pool(upstream("stable"))},
                           "routes": [route(sticky={"cookie": "unit"})]})
    assert "; Secure" in daemon.ask(headers=[("X-Forwarded-Proto", "https")]).header("Set-Cookie")
    assert "; Secure" not in daemon.ask(headers=[("X-Forwarded-Proto", "http")]).header("Set-Cookie")
    with Client(daemon.address, source="127.0.0.2") as client:
        assert "; Secure" not in client.ask(headers=[("X-Forwarded-Proto", "https")]).header("Set-Cookie")


def test_haproxy_in_front(start, tmp_path):
    if not HAPROXY:
        pytest.fail("haproxy is not installed (tests/run.sh installs it)")
    daemon, server, log = start(["127.0.0.1"])
    balancer = Haproxy(tmp_path, f"127.0.0.1:{daemon.port}", mode="http", extra="option forwardfor")
    try:
        with Client(balancer.address, source="127.0.0.9") as client:
            assert client.ask(headers=[("X-Forwarded-For", "6.6.6.6")]).status == 200
    finally:
        balancer.stop()
    assert told(server)[0] == "6.6.6.6, 127.0.0.9, 127.0.0.1"
    assert log()["client"] == "127.0.0.9"


def test_a_reload_changes_who_is_trusted_for_the_next_request(start):
    daemon, server, _ = start([])
    loop = Loop(daemon.address, threads=4, make=lambda i: ("GET", "/load", [("X-Forwarded-For", "192.0.2.7")], None))
    with daemon.client() as client:
        for i in range(scaled(20, least=4)):
            trusted = i % 2 == 0
            assert daemon.reload({**daemon.config, "trusted_proxies": ["127.0.0.0/8"] if trusted else []}).status == 200
            assert client.ask(target="/one", headers=[("X-Forwarded-For", "192.0.2.7")]).status == 200
            seen = [r.header("X-Forwarded-For") for r in server.requests if r.target == "/one"][-1]
            assert seen == ("192.0.2.7, 127.0.0.1" if trusted else "127.0.0.1")
    loop.stop()
    assert not loop.failures and set(loop.statuses) == {200}
    assert {r.header("X-Forwarded-For") for r in server.requests} == {"192.0.2.7, 127.0.0.1", "127.0.0.1"}


def test_bad_networks_are_named_and_change_nothing(start):
    daemon, server, _ = start(["127.0.0.1"])
    response = daemon.reload({**daemon.config, "trusted_proxies": ["10.1.2.3/8"]})
    assert response.status >= 400 and "10.0.0.0/8" in response.text
    daemon.ask(headers=[("X-Forwarded-For", "192.0.2.7")])
    assert told(server)[0] == "192.0.2.7, 127.0.0.1"
