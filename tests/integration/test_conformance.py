"""Every message of tests/data/conformance, cut in four ways, over plain connections and TLS (see harness/conformance.py)."""
import collections
import json
import os
import select
import socket
import ssl
import threading

import pytest

from harness.certificates import make_ca, make_certificate
from harness.conformance import judge_all, load, new_origin, steps_of
from harness.scale import patience, scaled
from harness.sluice import route
from harness.strict_origin import SPLITS
from harness.wait import wait_for

Front = collections.namedtuple("Front", "daemon address wrap log")


@pytest.fixture
def origin():
    server = new_origin()
    yield server
    server.stop()


@pytest.fixture(params=["plain", "tls"])
def front(request, start_sluice, origin, tmp_path):  # pylint: disable=redefined-outer-name
    """A daemon in front of the origin: plain, or under TLS."""
    settings, wrap, log = {"address": "127.0.0.1:0"}, None, tmp_path / "access.log"
    if request.param == "tls":
        ca = make_ca(tmp_path)
        server = make_certificate(tmp_path, ca, ["a.example"])
        settings["tls"] = {"certificate": server.certificate, "private_key": server.key}
        context = ssl.create_default_context(cafile=ca.certificate)

        def wrap(sock):
            return context.wrap_socket(sock, server_hostname="a.example", suppress_ragged_eofs=False)
    daemon = start_sluice({"workers": 2, "listeners": [settings], "routes": [route()], "access_log": {"path": str(log)},
                           "pools": {"stable": {"endpoints": [origin.url], "ejection": {"consecutive_failures": 0}}}})
    host, port = daemon.listening()[0].rsplit(":", 1)
    return Front(daemon, (host, int(port)), wrap, log)


def splits():
    return SPLITS if scaled(100) == 100 else ("none", "byte")


def replies(log, since=0):
    """How often each own answer stands in the access log."""
    with open(log, encoding="utf-8") as file:
        entries = [json.loads(line) for line in file.readlines()[since:]]
    return collections.Counter(e["reply"] for e in entries if e.get("reply"))


@pytest.mark.heavy
def test_requests(front, origin):  # pylint: disable=redefined-outer-name
    cases = load("requests")
    wrong = judge_all("requests", cases, splits(), front.address, origin, front.wrap)
    assert not wrong, "\n".join(wrong)
    assert not origin.violations, "\n".join(origin.violations)
    # Each refusal is counted and logged, with its reason, and nothing else is.
    refused = [c for c in cases if isinstance(steps_of(c)[-1], int) and steps_of(c)[-1] >= 400]
    expected = collections.Counter(c["reason"] for c in refused if "reason" in c for _ in splits())
    front.daemon.counted("sluice_rejected_requests_total", len(refused) * len(splits()))
    metrics = front.daemon.metrics()
    for reason, count in expected.items():
        assert metrics.sum("sluice_rejected_requests_total", reason=reason) >= count, reason
    wait_for(lambda: os.path.exists(front.log) and replies(front.log).total() >= len(refused) * len(splits()))
    logged = replies(front.log)
    for reason in expected:
        assert logged[reason] == metrics.sum("sluice_rejected_requests_total", reason=reason), reason


@pytest.mark.heavy
def test_responses(front, origin):  # pylint: disable=redefined-outer-name
    cases = load("responses")
    wrong = judge_all("responses", cases, splits(), front.address, origin, front.wrap)
    assert not wrong, "\n".join(wrong)
    assert not origin.violations, "\n".join(origin.violations)
    bad = sum(c["outcome"] == "bad_gateway" for c in cases)
    assert front.daemon.metrics().sum("sluice_request_errors_total", reason="bad_response") >= 0.8 * bad * len(splits())


def test_there_are_enough_cases():
    requests, responses = load("requests"), load("responses")
    for cases in (requests, responses):
        assert len({c["id"] for c in cases}) == len(cases)
        for case in cases:
            assert case["why"] and case["rfc"].startswith(("RFC ", "CVE-")), case["id"]
    assert len(requests) >= 1000 and len(responses) >= 300


class Relay:
    """A proxy that does nothing: what it lets through is what the judge must find fault with."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(self.target) as server:
            other = {client: server, server: client}
            while True:  # who says nothing for a while has nothing to say
                readable, _, _ = select.select([client, server], [], [], 0.3)
                for sock in readable:
                    try:
                        data = sock.recv(65536)
                        other[sock].sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                if not readable:
                    return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_the_judge_finds_fault_with_a_relay(origin):  # pylint: disable=redefined-outer-name
    relay = Relay(origin.listener.getsockname())
    requests = [c for c in load("requests")[::7] if not c.get("half_close")]
    responses = load("responses")[::2]
    found = judge_all("requests", requests, ["none"], relay.address, origin)
    found += judge_all("responses", responses, ["none"], relay.address, origin)
    relay.stop()
    blamed = {line.split(" ")[0] for line in found}
    refused = {c["id"] for c in requests if c["outcome"] != "served"}
    bad = {c["id"] for c in responses if c["outcome"] == "bad_gateway"}
    good = {c["id"] for c in requests + responses if c["outcome"] in ("served", "deliver")}
    assert len(refused) > 80 and refused <= blamed, refused - blamed
    assert len(bad) > 40 and bad <= blamed, bad - blamed
    assert len(good - blamed) > 20, "what is well as it is may pass"
    assert origin.violations, "what the relay let through was no HTTP"


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL", b"\r\n", b"E"])
def test_bytes_on_an_idle_connection_end_it(start_sluice, upstream, extra):
    """Nothing was asked, so nothing can be an answer (RFC 9112 9.2): not even to who asks next."""
    received, closed = threading.Event(), threading.Event()

    def handler(request, reply):
        reply.send(200, request.path)
        if request.path == "/first":
            received.wait(patience(10))
            reply.raw(extra)
            if reply.wait_closed():
                closed.set()
            reply.close()
    server = upstream("stable", handler)
    daemon = start_sluice({"workers": 1, "pools": {"stable": {"endpoints": [server.url]}}, "routes": [route()]})
    with daemon.client() as client:
        assert client.ask(target="/first").text == "/first"
        received.set()
        assert closed.wait(patience(10)), "the proxy keeps the connection"
        assert client.ask(target="/next").text == "/next"
    assert [r.connection for r in server.requests] == [0, 1]
