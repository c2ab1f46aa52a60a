"""The PROXY protocol: who the client is, said by the balancer before anything else."""
import json
import os
import socket
import struct
import subprocess

import pytest

from harness.client import Client
from harness.haproxy import BINARY as HAPROXY, Haproxy
from harness.load import Loop
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for

V1 = b"PROXY TCP4 192.0.2.7 10.0.0.2 4711 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def v2(source="192.0.2.7", command=0x21, family=0x11, tlvs=b""):
    if family == 0x11:
        block = socket.inet_pton(socket.AF_INET, source) + bytes(4) + struct.pack("!HH", 4711, 443)
    elif family == 0x21:
        block = socket.inet_pton(socket.AF_INET6, source) + bytes(16) + struct.pack("!HH", 4711, 443)
    else:
        block = bytes({0x31: 216}.get(family, 0))
    block += tlvs
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


@pytest.fixture
def front(start_sluice, upstream, tmp_path):
    """front(**settings) -> daemon, server: a listener that wants the header."""
    server = upstream("stable")

    def start(**settings):
        daemon = start_sluice({"listeners": [{"address": "127.0.0.1:0", "proxy_protocol": True}], "pools": {"stable": pool(server)},
                               "routes": [route(sticky={"by": ["client_ip"]})],
                               "access_log": {"path": str(tmp_path / "access.log")}, **settings})
        return daemon, server
    return start


def exchange(daemon, head, pieces=None):
    """One request behind the header; in pieces of that many bytes."""
    with Client(daemon.address) as client:
        data = head + GET
        for i in range(0, len(data), pieces or len(data)):
            client.send(data[i:i + (pieces or len(data))])
        return client.response()


def refused(daemon, data, count, half_close=False):
    with Client(daemon.address) as client:
        client.send(data)
        if half_close:
            client.socket.shutdown(socket.SHUT_WR)
        assert client.closed()
    daemon.counted("sluice_rejected_requests_total", count, reason="proxy_protocol")


@pytest.mark.parametrize("head, client", [
    (V1, "192.0.2.7"), (b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7"), (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (v2(), "192.0.2.7"), (v2("2001:db8::7", family=0x21), "2001:db8::7"), (v2(command=0x20), "127.0.0.1"),
    (v2("::ffff:192.0.2.7", family=0x21), "192.0.2.7"), (v2(family=0), "127.0.0.1"), (v2(family=0x31), "unknown"),
    (v2(tlvs=b"\x04\x0f\xa0" + bytes(4000)), "192.0.2.7"),
], ids=["v1-tcp4", "v1-tcp6", "v1-unknown", "v2-inet", "v2-inet6", "v2-local", "v2-mapped", "v2-unspec", "v2-unix", "v2-tlvs"])
def test_the_header_says_who_the_client_is(front, tmp_path, head, client):
    daemon, server = front()
    assert exchange(daemon, head).status == 200
    assert server.requests[0].header("X-Forwarded-For") == client
    wait_for(lambda: (tmp_path / "access.log").read_text().count("\n") == 1)
    entry = json.loads((tmp_path / "access.log").read_text())
    assert entry["client"] == {"unknown": "unix"}.get(client, client)
    assert entry["decided_by"] == ("random" if client == "unknown" else "unit")


@pytest.mark.parametrize("head", [V1, v2(), v2(tlvs=b"\x04\0\x20" + bytes(32))])
def test_any_cut_of_the_bytes(front, head):
    daemon, server = front()
    for pieces in (1, 2, 3, 7, len(head), len(head) + 1):
        assert exchange(daemon, head, pieces).status == 200
    assert {r.header("X-Forwarded-For") for r in server.requests} == {"192.0.2.7"}


def test_many_requests_come_behind_one_header(front):
    daemon, server = front()
    with Client(daemon.address) as client:
        client.send(V1 + GET * 3)
        assert [client.response().status for _ in range(3)] == [200] * 3
        client.request("POST", "/", body="x" * 100_000)
        assert client.response().status == 200
    assert [r.header("X-Forwarded-For") for r in server.requests] == ["192.0.2.7"] * 4


def test_what_is_no_header_closes_the_connection(front):
    daemon, server = front()
    wrong = [GET, b"POST / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01", b"PROXY TCP4 1.2.3.4\r\n" + GET,
             b"PROXY TCP4 192.0.2.7 10.0.0.2 04711 443\r\n" + GET, b"PROXY UNKNOWN" + b" " * 200,
             SIGNATURE + b"\x22\x11\0\x0c" + bytes(12), SIGNATURE + b"\x21\x11\0\x0b" + bytes(11),
             v2(tlvs=b"\x04\xff\xff"), v2(tlvs=b"\x03\0\x04\0\0\0\0") + GET]
    for i, data in enumerate(wrong):
        refused(daemon, data, i + 1)
    # cut off inside it
    refused(daemon, V1[:20], len(wrong) + 1, half_close=True)
    assert not server.requests
    log = daemon.stderr()
    for reason in ("there is no header", "the header is malformed", "the connection ended inside the header"):
        assert f'client=127.0.0.1 reason="{reason}"' in log, log


def test_a_connection_without_a_word_is_no_refusal(front):
    """Balancers probe by connecting and closing."""
    daemon, _ = front()
    with Client(daemon.address) as client:
        client.socket.shutdown(socket.SHUT_WR)
        assert client.closed()
    assert exchange(daemon, V1).status == 200
    assert daemon.metrics().sum("sluice_rejected_requests_total", reason="proxy_protocol") == 0


def test_a_header_that_comes_late_is_not_waited_for(front):
    daemon, server = front(timeouts={"client_header": "300ms"})
    with Client(daemon.address) as silent, Client(daemon.address) as slow:
        slow.send(V1[:10])
        assert silent.closed() and slow.closed()
    daemon.counted("sluice_rejected_requests_total", 2, reason="proxy_protocol")
    assert daemon.stderr().count('reason="the header did not arrive in time"') == 2
    assert not server.requests


def test_only_trusted_peers_may_send_it(front):
    daemon, server = front(trusted_proxies=["10.0.0.0/8", "127.0.0.7"])
    refused(daemon, V1 + GET, 1)
    assert 'client=127.0.0.1 reason="the peer is not among trusted_proxies"' in daemon.stderr()
    with Client(daemon.address, source="127.0.0.7") as client:
        client.send(V1 + GET)
        assert client.response().status == 200
    # who is behind it is not trusted for that
    with Client(daemon.address, source="127.0.0.7") as client:
        client.send(V1 + b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
        assert client.response().status == 200
    # a trusted proxy behind a balancer is
    with Client(daemon.address, source="127.0.0.7") as client:
        client.send(v2("10.0.0.9") + b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n")
        assert client.response().status == 200
    assert [r.header("X-Forwarded-For") for r in server.requests] == ["192.0.2.7", "192.0.2.7", "192.0.2.9, 10.0.0.9"]


def test_curl_speaks_it(front):
    daemon, server = front()
    done = subprocess.run(["curl", "-sS", "--haproxy-protocol", "-o", os.devnull, "-w", "%{http_code}", daemon.url],
                          capture_output=True, text=True, timeout=patience(20), check=False)
    assert done.stdout == "200", done.stderr
    assert server.requests[0].header("X-Forwarded-For") == "127.0.0.1"


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_haproxy_speaks_it(front, tmp_path, options):
    if not HAPROXY:
        pytest.fail("haproxy is not installed (tests/run.sh installs it)")
    daemon, server = front()
    balancer = Haproxy(tmp_path, f"127.0.0.1:{daemon.port} {options}")
    try:
        with Client(balancer.address, source="127.0.0.9") as client:
            for _ in range(3):
                assert client.ask("POST", body="x" * 5000).status == 200
    finally:
        balancer.stop()
    assert [r.header("X-Forwarded-For") for r in server.requests] == ["127.0.0.9"] * 3


def test_haproxys_health_checks_are_local(front, tmp_path):
    """A check sends LOCAL (version 2), and a request or nothing behind it."""
    if not HAPROXY:
        pytest.fail("haproxy is not installed (tests/run.sh installs it)")
    daemon, server = front()
    balancer = Haproxy(tmp_path, f"127.0.0.1:{daemon.port} check inter 100ms check-send-proxy send-proxy-v2",
                       extra="option httpchk GET /up")
    try:
        wait_for(lambda: len(server.requests) >= 2, patience(10), "two checks have passed")
    finally:
        balancer.stop()
    assert {r.header("X-Forwarded-For") for r in server.requests} == {"127.0.0.1"}
    assert daemon.metrics().sum("sluice_rejected_requests_total", reason="proxy_protocol") == 0


def test_a_reload_changes_it_for_new_connections(front):
    """Under load on another listener: nothing is lost, the address keeps its socket, old connections keep their client."""
    def listeners(wanted):
        return [{"address": "127.0.0.1:0", "proxy_protocol": wanted}, {"address": "127.0.0.3:0"}]
    daemon, server = front(listeners=listeners(True))
    loop = Loop(daemon.address_of(1), threads=4)
    with Client(daemon.address) as old, Client(daemon.address) as silent:
        old.send(V1 + GET)
        assert old.response().status == 200
        daemon.counted("sluice_client_connections", 6)
        for i in range(scaled(20, least=4)):
            wanted = i % 2 == 1
            assert daemon.reload({**daemon.config, "listeners": listeners(wanted)}).status == 200
            with Client(daemon.address) as fresh:
                fresh.send((V1 if wanted else b"") + b"GET /fresh HTTP/1.1\r\nHost: h\r\n\r\n")
                assert fresh.response().status == 200
            assert [r.header("X-Forwarded-For") for r in server.requests if r.target == "/fresh"][-1] == \
                ("192.0.2.7" if wanted else "127.0.0.1")
            assert old.ask(target="/old").status == 200
        silent.send(V1 + GET)  # accepted while a header was wanted
        assert silent.response().status == 200
    loop.stop()
    assert not loop.failures and set(loop.statuses) == {200} and loop.total > 0
    assert {r.header("X-Forwarded-For") for r in server.requests if r.target == "/old"} == {"192.0.2.7"}
    assert daemon.metrics().sum("sluice_rejected_requests_total", reason="proxy_protocol") == 0
    assert len(daemon.listening()) == 2  # none was opened anew


def test_a_drain_does_not_wait_for_a_header(front):
    daemon, _ = front(timeouts={"client_header": "off"}, shutdown_grace="60s")
    with Client(daemon.address) as silent:
        daemon.counted("sluice_client_connections", 1)
        assert daemon.stop() == 0
        assert silent.closed()
