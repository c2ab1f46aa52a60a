"""What an endpoint can do wrong: one test each. The client sees the documented answer (docs/errors.md), and a request that is
not idempotent is never sent twice once an endpoint may have acted on any byte of it (docs/decisions/0010)."""
import collections
import itertools
import random
import threading

import pytest

from harness.client import Cut
from harness.load import Loop
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for

# Everything that can be retried is; only what must not be is not.
EAGER = {"attempts": 3, "on": ["connect", "reset_before_response", 502, 503, 504], "budget": 100}
CALM = {"consecutive_failures": 0}


def start(start_sluice, *servers, retry=None, timeouts=None, fallback=None, **settings):
    pools = {"stable": pool(*servers, ejection=CALM, balance="round_robin", **settings)}
    variants = {"stable": 100}
    if fallback:
        pools["spare"] = pool(fallback, ejection=CALM)
        variants["spare"] = 0
    return start_sluice({"workers": 1, "timeouts": timeouts or {}, "pools": pools,
                         "routes": [route("chat", variants, retry=retry or EAGER, **({"fallback": "spare"} if fallback else {}))]})


def judge(response, status, reason):
    assert (response.status, response.header("X-Sluice-Error")) == (status, reason), response


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refuses(start_sluice, upstream, method):
    server = upstream()
    server.stop()
    daemon = start(start_sluice, server)
    judge(daemon.ask(method, body="x" if method == "POST" else None), 502, "connect_failed")
    assert daemon.counted("sluice_request_errors_total", 1, reason="connect")
    assert daemon.counted("sluice_retries_total", 3, reason="connect")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_hangs_at_connect(start_sluice, upstream, full_backlog, method):
    daemon = start(start_sluice, full_backlog, retry={"attempts": 1, "on": ["connect"], "budget": 100},
                   timeouts={"connect": "200ms"})
    judge(daemon.ask(method, body="x" if method == "POST" else None), 504, "connect_timeout")
    assert daemon.counted("sluice_request_errors_total", 1, reason="connect_timeout")
    # Nothing was sent: another endpoint gets it, whatever the method.
    spare = upstream("spare")
    daemon = start(start_sluice, full_backlog, timeouts={"connect": "200ms"}, fallback=spare)
    assert daemon.ask(method, body="x" if method == "POST" else None).text == "spare"


NO_ANSWER = {
    "resets": (lambda reply: reply.reset(), 502, "upstream_reset", "reset"),
    "closes": (lambda reply: reply.close(), 502, "upstream_reset", "reset"),
    "half a head": (lambda reply: (reply.raw(b"HTTP/1.1 200 OK\r\nContent-Le"), reply.close()), 502, "upstream_reset", "reset"),
    "hangs": (lambda reply: reply.hang(), 504, "first_byte_timeout", "timeout"),
    "garbage": (lambda reply: (reply.raw(b"\x16\x03\x01 garbage\r\n\r\n"), reply.close()), 502, "bad_response", "bad_response"),
    "two lengths": (lambda reply: (reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), reply.close()),
                    502, "bad_response", "bad_response"),
}


def no_answer(fault):
    return lambda _request, reply: NO_ANSWER[fault][0](reply)


@pytest.mark.parametrize("fault", sorted(NO_ANSWER))
def test_no_answer_to_a_post_is_not_asked_for_again(start_sluice, upstream, fault):
    """Neither by a retry nor by the fallback, though retry.on names every condition."""
    _, status, reason, counter = NO_ANSWER[fault]
    sick, other, spare = upstream("sick", no_answer(fault)), upstream("other"), upstream("spare")
    daemon = start(start_sluice, sick, other, fallback=spare, timeouts={"first_byte": "300ms"})
    answers = [daemon.ask("POST", f"/{i}", body="charge the card") for i in range(4)]
    assert sick.count == 2 and other.count == 2 and spare.count == 0
    for response in answers:
        if response.status != 200:
            judge(response, status, reason)
    assert sum(response.status == 200 for response in answers) == 2
    assert daemon.counted("sluice_request_errors_total", 2, reason=counter)
    seen = collections.Counter(request.target for server in (sick, other) for request in server.requests)
    assert seen == {f"/{i}": 1 for i in range(4)}


@pytest.mark.parametrize("fault", sorted(NO_ANSWER))
def test_no_answer_to_a_get_is_asked_for_again(start_sluice, upstream, fault):
    sick, other = upstream("sick", no_answer(fault)), upstream("other")
    daemon = start(start_sluice, sick, other, timeouts={"first_byte": "300ms"})
    assert [daemon.ask("GET").text for _ in range(4)] == ["other"] * 4
    assert sick.count >= 2


@pytest.mark.parametrize("fault", sorted(NO_ANSWER))
def test_a_post_that_does_no_harm_is_asked_for_again(start_sluice, upstream, fault):
    sick, spare = upstream("sick", no_answer(fault)), upstream("spare")
    daemon = start(start_sluice, sick, fallback=spare, timeouts={"first_byte": "300ms"},
                   retry=dict(EAGER, attempts=1, non_idempotent=True))
    response = daemon.ask("POST", body="2+2=")
    assert response.text == "spare" and spare.requests[0].body == b"2+2="
    assert sick.count == 2


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_answer_that_says_it_failed_is_the_endpoints_own_word(start_sluice, upstream, status):
    sick, spare = upstream("sick", lambda request, reply: reply.send(status, "sick")), upstream("spare")
    daemon = start(start_sluice, sick, fallback=spare, retry=dict(EAGER, attempts=1))
    response = daemon.ask("POST", body="2+2=")
    assert response.text == "spare" and spare.requests[0].body == b"2+2="
    assert sick.count == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("how", ["length", "chunked", "reset after head"])
def test_cuts_the_body(start_sluice, upstream, method, how):
    """The client sees that the answer is not whole, and nobody is asked again: it has begun."""
    def handler(_request, reply):
        if how == "chunked":
            reply.begin_chunked()
            reply.chunk(b"part")
            reply.close()
        reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + (b"part" if how == "length" else b""))
        if how == "length":
            reply.close()
        wait_for(went.is_set, 10)
        reply.reset()
    went = threading.Event()
    server, spare = upstream("sick", handler), upstream("spare")
    daemon = start(start_sluice, server, fallback=spare)
    with daemon.client() as client:
        client.request(method, body="x" if method == "POST" else None)
        head = client.final_head()
        assert head.status == 200
        went.set()
        with pytest.raises((Cut, ConnectionError)):
            list(client.pieces(head))
    assert server.count == 1 and spare.count == 0
    assert daemon.counted("sluice_request_errors_total", 1, reason="cut_short")


def test_sends_a_head_without_end(start_sluice, upstream):
    """An endpoint that promises 10 GiB of head is cut off early; memory does not notice."""
    sent = collections.Counter()

    def handler(request, reply):
        reply.raw(b"HTTP/1.1 200 OK\r\n")
        line = b"X-Endless: " + b"x" * 4000 + b"\r\n"
        for _ in range(10 * 2**30 // len(line)):
            reply.raw(line)
            sent[request.target] += len(line)
    server = upstream("endless", handler)
    daemon = start(start_sluice, server)
    judge(daemon.ask(target="/first"), 502, "bad_response")
    before = daemon.child.rss_kib()
    for i in range(scaled(50, 10)):
        judge(daemon.ask("POST", target=f"/{i}", body="x"), 502, "bad_response")
    assert daemon.child.rss_kib() - before < 2048
    wait_for(lambda: server.open == 0, patience(10), "the endpoint is cut off")
    # What the kernel's buffers take is sent, not more.
    assert max(sent.values()) < 16 * 2**20, sent


def test_closes_idle_connections_at_random_under_load(start_sluice, upstream):
    """Before a request, as it arrives, or after its answer. GETs are always answered; a POST is answered or fails openly, and
    none is seen twice."""
    rng = random.Random(20261123)
    seen, lock = collections.Counter(), threading.Lock()

    def handler(request, reply):
        with lock:
            seen[request.header("X-Request-Id")] += 1
            what = rng.random()
        if what < 0.1 and request.number > 50:  # it had arrived as the connection was closed
            reply.close() if what < 0.05 else reply.reset()
        if what > 0.6:  # a little later, while it is idle, or just as another request comes
            reply.hang_up_after(rng.random() * 0.002)
        reply.send(200, request.body or b"")
        if what > 0.8:
            reply.close()
    servers = [upstream(f"model-{i}", handler) for i in range(2)]
    ids = itertools.count()

    def make(_i):
        number = next(ids)
        method = "POST" if number % 2 else "GET"
        return method, f"/{number}", [("X-Request-Id", f"{method}-{number}")], f"body {number}" if method == "POST" else None
    answers = collections.Counter()

    def note(response):
        answers[response.header("X-Request-Id").split("-")[0], response.status, response.header("X-Sluice-Error")] += 1
    daemon = start(start_sluice, *servers, retry={"attempts": 5, "on": ["connect", "reset_before_response"], "budget": 100})
    load = Loop(daemon.address, threads=8, make=make, on_response=note)
    wait_for(lambda: load.total > scaled(4000, 500), patience(60))
    load.stop()
    assert not load.failures, load.failures[:3]
    assert set(answers) <= {("GET", 200, None), ("POST", 200, None), ("POST", 502, "upstream_reset")}, answers
    assert answers["POST", 502, "upstream_reset"] and answers["POST", 200, None] > answers["POST", 502, "upstream_reset"], answers
    twice = [name for name, count in seen.items() if count > 1 and name.startswith("POST")]
    assert not twice, twice[:5]
    assert any(count > 1 for name, count in seen.items() if name.startswith("GET")), "GETs were sent again"
