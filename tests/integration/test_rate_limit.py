"""429 and Retry-After of upstreams: counted apart, passed on or spilt to others, and their endpoints are spared."""
import re
import threading
import time
from email.utils import formatdate

import pytest

from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

BODY = "".join(f"line {n}\n" for n in range(5000))


class Limited:
    """A handler that refuses while `refusing`, with a status and headers."""

    def __init__(self, status=429, headers=(), refusing=True):
        self.status, self.headers, self.refusing = status, list(headers), refusing
        self.refused = 0
        self.lock = threading.Lock()

    def __call__(self, request, reply):
        if not self.refusing:
            reply.send(200, f"{len(request.body or b'')}")
            return
        with self.lock:
            self.refused += 1
        reply.send(self.status, "slow down", self.headers)


def start(start_sluice, *servers, back_off="1h", routes=None, workers=2, **settings):
    return start_sluice({"workers": workers, "pools": {"stable": pool(*servers, back_off=back_off, **settings)},
                         "routes": routes or [route()]})


def shown(daemon, server, name="stable"):
    """The `back_off` of an endpoint in the status."""
    pools = {p["name"]: {e["url"]: e for e in p["endpoints"]} for p in daemon.status()["pools"]}
    endpoint = pools[name][server.url]
    assert endpoint["state"] == "ready"
    return endpoint["back_off"]


def spare(daemon, server, asks=50):
    """Asks until the endpoint has refused and is spared."""
    for _ in range(asks):
        daemon.ask()
        if shown(daemon, server):
            return
    raise AssertionError(f"{server.url} is not spared after {asks} requests")


def spared_for(daemon):
    """For how long, in ms, each time that the log tells of."""
    return [int(ms) for ms in re.findall(r"endpoint backs off.* for_ms=(\d+)", daemon.stderr())]


def no_errors(daemon):
    assert daemon.metrics().sum("sluice_request_errors_total") == 0


# ---- counted, passed on, spilt -----------------------------------------------------------------------------------------
def test_it_reaches_the_client_as_it_is_and_is_no_error(start_sluice, upstream):
    server = upstream("a", Limited(headers=[("Retry-After", "7"), ("X-RateLimit-Reset", "9")]))
    daemon = start(start_sluice, server, ejection={"consecutive_failures": 2})
    for n in range(6):
        response = daemon.ask("POST", body="x") if n % 2 else daemon.ask()
        assert (response.status, response.text, response.header("Retry-After")) == (429, "slow down", "7")
        assert response.header("X-RateLimit-Reset") == "9" and not response.header("X-Sluice-Error")
    daemon.counted("sluice_rate_limited_total", 6, route="chat", variant="stable")
    daemon.counted("sluice_requests_total", 6, route="chat", variant="stable", code="4xx")
    no_errors(daemon)
    variant, = daemon.admin().get("/api/v1/routes/chat")["variants"]
    assert (variant["rate_limited"], variant["errors"]) == (6, 0)
    assert daemon.metrics().sum("sluice_endpoint_up") == 1, "failures that are none eject nobody"


@pytest.mark.parametrize("body,headers", [(None, ()), (BODY, ()), (BODY, [("Transfer-Encoding", "chunked")])],
                         ids=["GET", "POST", "chunked"])
def test_a_retry_takes_it_to_another_endpoint_body_and_all(start_sluice, upstream, body, headers):
    busy, free = upstream("busy", Limited()), upstream("free", Limited(refusing=False))
    daemon = start(start_sluice, busy, free, back_off="off", balance="round_robin", workers=1,
                   routes=[route(retry={"attempts": 1, "on": [429], "budget": 1000})])
    sent = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n" if headers else body
    for _ in range(8):
        response = daemon.ask("POST" if body else "GET", body=sent, headers=headers)
        assert (response.status, response.text) == (200, str(len(body or "")))
    assert busy.count == free.count == 8, "the retry takes the next turn, so each first one is the busy one's"
    assert all(r.body == (body or "").encode() for r in free.requests)
    daemon.counted("sluice_rate_limited_total", busy.count, variant="stable")
    daemon.counted("sluice_requests_total", 8, variant="stable", code="2xx")
    daemon.counted("sluice_retries_total", busy.count, reason="status")
    no_errors(daemon)


def test_the_fallback_takes_it_and_nobody_is_charged(start_sluice, upstream):
    busy, free = upstream("busy", Limited()), upstream("free", Limited(refusing=False))
    daemon = start_sluice({"pools": {"stable": pool(free), "canary": pool(busy)}, "routes": [
        route(variants={"stable": 0, "canary": 100}, fallback="stable", retry={"attempts": 0, "on": [429]})]})
    for _ in range(4):
        response = daemon.ask("POST", body=BODY)
        assert (response.status, response.text, response.variant) == (200, str(len(BODY)), "stable")
    daemon.counted("sluice_fallbacks_total", 4, **{"from": "canary"})
    daemon.counted("sluice_rate_limited_total", 4, variant="canary")
    daemon.counted("sluice_rate_limited_total", 0, variant="stable")
    daemon.counted("sluice_requests_total", 4, variant="canary", code="4xx")
    no_errors(daemon)


def test_what_cannot_be_sent_again_goes_to_the_client(start_sluice, upstream):
    busy, free = upstream("busy", Limited()), upstream("free", Limited(refusing=False))
    daemon = start_sluice({"limits": {"buffered_body_bytes": "1KiB"}, "pools": {"stable": pool(busy), "spare": pool(free)},
                           "routes": [route(variants={"stable": 100, "spare": 0}, fallback="spare",
                                            retry={"attempts": 3, "on": [429]})]})
    assert daemon.ask("POST", body=BODY).status == 429
    assert (busy.count, free.count) == (1, 0)
    assert daemon.ask("POST", body="short").status == 200
    no_errors(daemon)


def test_evidence_of_a_rollout_leaves_it_out(start_sluice, upstream):
    """Neither an error of the candidate nor a good answer."""
    good, busy = upstream("good"), upstream("busy", Limited())
    daemon = start_sluice({"pools": {"stable": pool(good), "canary": pool(busy)}, "routes": [route(
        "chat", {"stable": {"pool": "stable", "weight": 100}, "canary": {"pool": "canary", "version": "v2", "weight": 0}},
        sticky={"by": ["header X-User-Id"]},
        rollout={"strategy": "canary", "steps": [{"weight": 50, "for": "1h"}, {"weight": 100}],
                 "guards": {"error_rate": {"margin": 1}}, "horizon": "1s"})]})

    def rollout():
        return daemon.admin().get("/api/v1/routes/chat")["rollout"]
    users = iter(range(100000))

    def ask_some():
        for n in range(10):
            daemon.ask(headers={"X-User-Id": f"u{next(users)}"})
        guard, = rollout()["guards"]
        return guard["baseline"]["requests"] >= 20 and guard
    guard = wait_for(ask_some, patience(30), "the baseline's requests are judged")
    assert guard["candidate"]["requests"] == guard["candidate"]["events"] == 0, guard
    assert busy.count >= 5 and rollout()["state"] == "step"


def test_a_mirrored_copys_is_counted_and_spares_nobody(start_sluice, upstream):
    busy, other, good = upstream("busy", Limited(headers=[("Retry-After", "1800")])), upstream("other"), upstream("good")
    daemon = start_sluice({"pools": {"stable": pool(good), "dark": pool(busy, other, balance="round_robin")}, "routes": [
        route(variants={"stable": 100, "dark": 0}, mirror={"variant": "dark", "share": 100})]})

    def refused():
        assert daemon.ask().text == "good"
        return busy.count >= 3
    wait_for(refused, patience(10), "copies go on to the busy one")
    daemon.counted("sluice_rate_limited_total", busy.count, variant="dark")
    assert shown(daemon, busy, "dark") is None
    no_errors(daemon)


# ---- back-off ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("balance", ["least_inflight", "round_robin", "unit_hash"])
def test_an_endpoint_that_asks_for_time_gets_it(start_sluice, upstream, balance):
    refusal = Limited(headers=[("Retry-After", "1800")])
    busy, others = upstream("busy", refusal), [upstream(n) for n in "ab"]
    daemon = start(start_sluice, busy, *others, balance=balance)
    for n in range(200):
        response = daemon.ask(headers={"X-User-Id": str(n)})
        if response.status == 429:
            break
    assert response.status == 429 and shown(daemon, busy)
    for n in range(60):
        assert daemon.ask().status == 200
    assert busy.count == 1 and all(other.count for other in others), "nobody goes there, the others share it"
    told = shown(daemon, busy)
    assert 1700 < told["for_seconds"] <= 1800 and re.match(r"\d{4}-\d\d-\d\dT", told["until"])
    assert shown(daemon, others[0]) is None
    assert daemon.metrics().sum("sluice_endpoint_backing_off") == 1
    assert daemon.metrics().sum("sluice_endpoint_backing_off", endpoint=busy.url) == 1
    text = daemon.cli("status").stdout
    assert re.search(rf"{re.escape(busy.url)} .* backing off for 1\d{{3}}\.\d s", text), text
    assert text.count("backing off") == 1
    assert "endpoint backs off" in daemon.stderr() and "status=429 for_ms=1800000" in daemon.stderr()
    # It survives a reload; switched off, it counts no more.
    daemon.reload_by_signal(daemon.config)
    assert shown(daemon, busy)
    daemon.config["pools"]["stable"]["back_off"] = "off"
    daemon.reload_by_signal(daemon.config)
    assert shown(daemon, busy) is None and daemon.metrics().sum("sluice_endpoint_backing_off") == 0
    wait_for(lambda: daemon.ask().status == 429, patience(10), "the endpoint is asked again")


def test_it_comes_back_when_its_time_has_passed(start_sluice, upstream):
    refusal = Limited(headers=[("Retry-After", "2")])
    busy, free = upstream("busy", refusal), upstream("free")
    daemon = start(start_sluice, busy, free, balance="round_robin")
    spare(daemon, busy)
    begin, before = time.monotonic(), busy.count
    refusal.refusing = False
    wait_for(lambda: daemon.ask().text == "0", patience(10), "it is asked again")
    assert time.monotonic() - begin > 0.5 and busy.count == before + 1
    assert shown(daemon, busy) is None


def test_without_a_time_it_is_a_second_and_twice_as_long_each_time_in_a_row(start_sluice, upstream):
    refusal = Limited()
    busy, free = upstream("busy", refusal), upstream("free")
    daemon = start(start_sluice, busy, free, balance="round_robin")

    def refused(*times):
        before = refusal.refused
        wait_for(lambda: daemon.ask().status and refusal.refused > before, patience(10), "it refuses again")
        wait_for(lambda: spared_for(daemon) == list(times), patience(5), f"the log tells of {times}")
    refused(1000)
    refused(1000, 2000)
    refusal.refusing = False
    wait_for(lambda: daemon.ask().text == "0", patience(10), "it takes a request")
    refusal.refusing = True
    refused(1000, 2000, 1000)


@pytest.mark.parametrize("refusal,spared_ms", [
    (Limited(headers=[("Retry-After", "3600")]), 30000),
    (Limited(headers=[("Retry-After", "soon")]), 1000),
    (Limited(headers=[("Retry-After", formatdate(time.time() + 7200, usegmt=True))]), 30000),
    (Limited(headers=[("Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"), ("Date", "Sun, 06 Nov 1994 08:49:27 GMT")]), 20000),
    (Limited(503, [("Retry-After", "25")]), 25000),
], ids=["most", "garbage", "date", "own clock", "503"])
def test_how_long_it_may_ask_for(start_sluice, upstream, refusal, spared_ms):
    daemon = start(start_sluice, upstream("busy", refusal), upstream("free"), back_off="30s", balance="round_robin", workers=1)
    assert {daemon.ask().status for _ in range(2)} == {200, refusal.status}
    wait_for(lambda: spared_for(daemon) == [spared_ms], patience(5))


@pytest.mark.parametrize("refusal", [
    Limited(503), Limited(503, [("Retry-After", "soon")]), Limited(429, [("Retry-After", "0")]),
    Limited(429, [("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]), Limited(500, [("Retry-After", "60")]),
    Limited(200, [("Retry-After", "60")])], ids=["503", "503 garbage", "0", "past", "500", "200"])
def test_what_asks_for_no_time_gets_none(start_sluice, upstream, refusal):
    busy = upstream("busy", refusal)
    daemon = start(start_sluice, busy, upstream("free"), balance="round_robin", workers=1,
                   ejection={"consecutive_failures": 0})
    assert [daemon.ask().status for _ in range(8)].count(refusal.status) == (8 if refusal.status == 200 else 4)
    assert busy.count == 4 and shown(daemon, busy) is None


def test_when_all_ask_for_time_requests_go_on(start_sluice, upstream):
    servers = [upstream(n, Limited(headers=[("Retry-After", "1800")])) for n in "ab"]
    daemon = start(start_sluice, *servers, balance="round_robin")
    for _ in range(20):
        response = daemon.ask()
        assert response.status == 429 and not response.header("X-Sluice-Error"), "never a refusal of our own"
    assert all(shown(daemon, server) for server in servers)
    assert min(server.count for server in servers) >= 8, "as if none had asked"
    servers[0].handler.refusing = False
    wait_for(lambda: daemon.ask().status == 200, patience(5), "one takes requests again")


def test_one_that_asks_for_time_is_better_than_none_with_room(start_sluice, upstream):
    go_on, busy = threading.Event(), upstream("busy", Limited(headers=[("Retry-After", "1800")]))

    def slow(_request, reply):
        go_on.wait(30)
        reply.send(200, "slow")
    full = upstream("full", slow)
    daemon = start(start_sluice, busy, full, balance="round_robin", max_inflight=1, queue={"size": 0})
    go_on.set()
    spare(daemon, busy)
    go_on.clear()
    with daemon.client() as first:
        first.request()
        wait_for(lambda: full.inflight == 1, patience(5))
        assert daemon.ask().status == 429, "not our own 503"
        go_on.set()
        assert first.response().text == "slow"


def test_a_retry_finds_an_endpoint_that_was_not_spared_already(start_sluice, upstream):
    """Of five, four refuse: each is asked once, and from then on every request takes the fifth at once."""
    busy = [upstream(f"busy{n}", Limited(headers=[("Retry-After", "1800")])) for n in range(4)]
    free = upstream("free", Limited(refusing=False))
    daemon = start(start_sluice, *busy, free, routes=[route(retry={"attempts": 4, "on": [429], "budget": 1000})])
    assert [daemon.ask("POST", body="x").status for _ in range(40)] == [200] * 40
    assert all(server.count <= 1 for server in busy) and free.count == 40
    no_errors(daemon)
