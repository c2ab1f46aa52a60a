"""Retries and fallbacks: what fails before it began to answer is asked elsewhere."""
import json
import signal
import threading

import pytest

from harness.load import Loop
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for

RETRY = {"attempts": 2, "on": ["connect", "reset_before_response", 502, 503, 504], "budget": 100, "non_idempotent": True}


def test_a_refused_connection_is_retried_on_another_endpoint(start_sluice, upstream):
    dead, live = upstream("dead"), upstream("live")
    dead.stop()
    daemon = start_sluice({"pools": {"stable": pool(dead, live, balance="round_robin", ejection={"consecutive_failures": 0})},
                           "routes": [route(retry=RETRY)]})
    for _ in range(20):
        assert daemon.ask("POST", body="x").text == "live"
    assert daemon.counted("sluice_requests_total", 20, code="2xx", variant="stable")
    metrics = daemon.metrics()
    assert metrics.sum("sluice_retries_total", route="chat", reason="connect") >= 5
    assert metrics.sum("sluice_request_errors_total") == 0, "the client's answer was good"


@pytest.mark.parametrize("fault", ["reset", "close", "502", "503", "504", "half head"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_failure_before_the_answer_is_retried(start_sluice, upstream, fault, method):
    def handler(_request, reply):
        if fault == "reset":
            reply.reset()
        elif fault == "close":
            reply.close()
        elif fault == "half head":
            reply.raw(b"HTTP/1.1 200 OK\r\nContent-Le")
            reply.close()
        else:
            reply.send(int(fault), "sick")
    sick, well = upstream("sick", handler), upstream("well", lambda request, reply: reply.send(200, request.body))
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(sick, well, balance="round_robin",
                                                                 ejection={"consecutive_failures": 0})},
                           "routes": [route(retry=RETRY)]})
    body = json.dumps({"prompt": "x" * 20_000}) if method == "POST" else None
    with daemon.client() as client:
        for _ in range(10):
            response = client.ask(method, body=body)
            assert response.status == 200 and response.text == (body or "")
    assert sick.count >= 5
    assert well.count == 10


def test_without_retry_the_failure_is_the_answer(start_sluice, upstream):
    server = upstream("sick", lambda request, reply: reply.send(503, "sick"))
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, upstream("well"), balance="round_robin")},
                           "routes": [route()]})
    statuses = sorted(daemon.ask().status for _ in range(2))
    assert statuses == [200, 503]


def test_what_is_not_named_is_not_retried(start_sluice, upstream):
    server = upstream("sick", lambda request, reply: reply.send(500, "sick"))
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route(retry=RETRY)]})
    assert daemon.ask().status == 500 and server.count == 1


def test_attempts_bound_the_retries(start_sluice, upstream):
    server = upstream("sick", lambda request, reply: reply.send(503, "sick"))
    daemon = start_sluice({"pools": {"stable": pool(server, ejection={"consecutive_failures": 0})}, "routes": [route(retry=RETRY)]})
    response = daemon.ask()
    assert response.status == 503 and response.text == "sick"
    assert server.count == 3, "attempts are in addition to the first"


def test_the_budget_bounds_the_load_that_retries_add(start_sluice, upstream):
    server = upstream("sick", lambda request, reply: reply.send(503, "sick"))
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, ejection={"consecutive_failures": 0})},
                           "routes": [route(retry={**RETRY, "budget": 20})]})
    with daemon.client() as client:
        for _ in range(200):
            assert client.ask().status == 503
    assert 200 + 40 <= server.count <= 200 * 1.2 + 10 + 1, server.count


def test_a_body_too_large_to_keep_is_not_retried_and_not_cut(start_sluice, upstream):
    sick, well = upstream("sick", lambda request, reply: reply.send(503, "sick")), upstream("well")
    daemon = start_sluice({"workers": 1, "limits": {"buffered_body_bytes": "64KiB"},
                           "pools": {"stable": pool(sick, well, balance="round_robin")}, "routes": [route(retry=RETRY)]})
    big = b"x" * 1_000_000
    answers = [daemon.ask("POST", body=big) for _ in range(4)]
    assert sorted(a.status for a in answers) == [200, 200, 503, 503]
    assert all(r.body_bytes == len(big) for r in sick.requests + well.requests)


def two(upstream, canary_handler):
    servers = {"stable": upstream("stable"), "canary": upstream("canary", canary_handler)}
    return servers, {"pools": {n: pool(s, ejection={"consecutive_failures": 0}) for n, s in servers.items()},
                     "routes": [route("chat", {"stable": 0, "canary": 100}, retry=RETRY, fallback="stable")]}


@pytest.mark.parametrize("fault", [503, "refused", "reset"])
def test_the_fallback_answers_and_the_chosen_variant_is_charged(start_sluice, upstream, fault):
    def handler(_request, reply):
        if fault == "reset":
            reply.reset()
        reply.send(503, "sick")
    servers, config = two(upstream, handler)
    if fault == "refused":
        servers["canary"].stop()
    daemon = start_sluice(config)
    for _ in range(5):
        response = daemon.ask("POST", body="x")
        assert response.status == 200 and response.text == "stable"
    assert daemon.counted("sluice_fallbacks_total", 5, route="chat")
    metrics = daemon.metrics()
    assert metrics.values("sluice_fallbacks_total", "from") >= {"canary"}
    assert metrics.sum("sluice_request_errors_total", route="chat", variant="canary") == 5
    assert metrics.sum("sluice_request_errors_total", route="chat", variant="stable") == 0
    assert servers["stable"].requests[0].header("X-Sluice-Variant") == "stable"


def test_nothing_falls_back_once_the_answer_has_begun(start_sluice, upstream):
    from harness.client import Cut  # pylint: disable=import-outside-toplevel

    def handler(_request, reply):
        reply.begin_sse()
        reply.event("one")
        reply.reset()
    servers, config = two(upstream, handler)
    daemon = start_sluice(config)
    with daemon.client() as client:
        client.request()
        assert client.final_head().status == 200
        with pytest.raises((Cut, ConnectionError)):
            client.event()
            client.event()
    assert servers["stable"].count == 0 and servers["canary"].count == 1


@pytest.mark.parametrize("hint, answers", [("103 Early Hints", 502), ("100 Continue", 200)])
def test_nothing_is_asked_again_once_a_hint_went_to_the_client(start_sluice, upstream, hint, answers):
    """100 only says that the body may come; any other interim answer is the beginning of the answer."""
    def handler(_request, reply):
        reply.raw(f"HTTP/1.1 {hint}\r\n\r\n".encode())
        reply.close()
    sick, well = upstream("sick", handler), upstream("well")
    daemon = start_sluice({"pools": {"stable": pool(sick), "canary": pool(well)}, "routes": [
        route(variants={"stable": 100, "canary": 0}, fallback="canary", retry=RETRY)]})
    with daemon.client() as client:
        response = client.ask("POST", body="x")
        assert response.status == answers and response.interim[0] == int(hint[:3])
    assert well.count == (0 if answers == 502 else 1)


def test_a_begun_answer_on_a_reused_connection_is_not_asked_for_again(start_sluice, upstream):
    """An idle connection that closes before a byte came is the upstream's time-out; after a byte it is a failure."""
    def handler(request, reply):
        if request.path == "/half":
            reply.raw(b"HTTP/1.1 200 OK\r\nContent-Le")
            reply.close()
        else:
            reply.send(200, "well")
    server = upstream("sick", handler)
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()]})
    with daemon.client() as client:
        assert client.ask().text == "well"
        assert client.ask(target="/half").status == 502
    assert [r.path for r in server.requests] == ["/", "/half"] and {r.connection for r in server.requests} == {0}


def test_a_stale_connection_is_followed_by_a_fresh_one(start_sluice, upstream):
    """Where one idle connection was closed the others were too: the second try must not go over one of them."""
    together = threading.Barrier(2)

    def handler(request, reply):
        if request.path == "/warm":
            together.wait(patience(10))
        elif request.connection < 2:
            reply.close()
            return
        reply.send(200, "well")
    server = upstream("stable", handler)
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()]})
    with daemon.client() as one, daemon.client() as other:
        one.request(target="/warm")
        other.request(target="/warm")
        assert one.response().status == other.response().status == 200
        assert one.ask().text == "well"
    assert [r.connection for r in server.requests if r.path == "/"] in ([0, 2], [1, 2])


@pytest.mark.heavy
def test_an_endpoint_killed_under_load_costs_no_client_an_error(start_sluice, simulate):
    """kill -9 of a model server; the other endpoint and the fallback take over what had not begun to be answered."""
    models = [simulate("canary-1"), simulate("canary-2"), simulate("stable")]
    config = {"pools": {"canary": pool(models[0], models[1]), "stable": pool(models[2])},
              "routes": [route("chat", {"stable": 50, "canary": 50}, sticky={"by": ["header X-User-Id"]},
                               retry={**RETRY, "budget": 20}, fallback="stable")]}
    daemon = start_sluice(config)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]})

    def make(i):
        return "POST", "/v1/chat/completions", [("X-User-Id", f"u{i}"), ("Content-Type", "application/json")], body
    load = Loop(daemon.address, 16, make)
    wait_for(lambda: load.total > scaled(500, 100), patience(30))
    models[0].child.signal(signal.SIGKILL)
    models[0].child.wait()
    at_kill = load.total
    wait_for(lambda: load.total > at_kill + scaled(1000, 200), patience(30))
    models[1].child.signal(signal.SIGKILL)
    models[1].child.wait()
    at_kill = load.total
    wait_for(lambda: load.total > at_kill + scaled(1000, 200), patience(30))
    load.stop()
    assert not load.failures, load.failures[:3]
    assert set(load.statuses) == {200}, load.statuses
    assert daemon.metrics().sum("sluice_fallbacks_total", route="chat") > 0
