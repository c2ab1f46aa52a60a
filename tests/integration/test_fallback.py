"""How retries, their budget and the fallback come after one another, and who is charged (docs/configuration.md, retry, fallback)."""
import json
import os
import threading

import pytest

from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

CALM = {"consecutive_failures": 0}
EVERYTHING = ["connect", "reset_before_response", 429, 500, 502, 503, 504]


def sick(_request, reply):
    reply.send(503, "sick")


def start(start_sluice, chosen, spare, retry, chosen_pool=None, **settings):
    return start_sluice({"workers": 1, "access_log": {"path": "access.log"},
                         "pools": {"chosen": pool(*chosen, **{"ejection": CALM, **(chosen_pool or {})}),
                                   "spare": pool(*spare, ejection=CALM)},
                         "routes": [route("chat", {"chosen": 100, "spare": 0}, fallback="spare", **({"retry": retry} if retry else {}))],
                         **settings})


def logged(daemon, count):
    path = os.path.join(daemon.directory, "access.log")

    def complete():
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines(keepends=True)
        return len(lines) >= count and lines[-1].endswith("\n") and [json.loads(line) for line in lines]
    return wait_for(complete, what=f"{count} lines in the access log")


# -- in which order ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_the_fallback_is_asked_once_after_all_attempts(start_sluice, upstream, attempts):
    """And when it fails as well, its answer is the client's: it has no further attempts of its own."""
    chosen, spare = upstream("chosen", sick), upstream("spare", lambda request, reply: reply.send(503, "spare is sick"))
    daemon = start(start_sluice, [chosen], [spare], {"attempts": attempts, "on": [503], "budget": 100})
    response = daemon.ask()
    assert (response.status, response.text) == (503, "spare is sick")
    assert (chosen.count, spare.count) == (attempts + 1, 1)
    assert daemon.counted("sluice_retries_total", attempts, route="chat")
    assert daemon.counted("sluice_fallbacks_total", 1, route="chat")
    entry, = logged(daemon, 1)
    assert (entry["variant"], entry["fallback"], entry["failed_status"], entry["status"]) == ("chosen", "spare", 503, 503)
    assert entry.get("retries", 0) == attempts


def test_what_on_does_not_name_is_neither_retried_nor_given_to_the_fallback(start_sluice, upstream):
    chosen, spare = upstream("chosen", lambda request, reply: reply.send(500, "chosen")), upstream("spare")
    daemon = start(start_sluice, [chosen], [spare], {"attempts": 3, "on": [503], "budget": 100})
    assert daemon.ask().text == "chosen"
    assert (chosen.count, spare.count) == (1, 0)


def test_without_retry_the_fallback_is_for_connections_that_fail(start_sluice, upstream):
    chosen, spare = upstream("chosen", sick), upstream("spare")
    daemon = start(start_sluice, [chosen], [spare], None)
    assert daemon.ask().text == "sick"
    chosen.stop()
    assert daemon.ask("POST", body="x").text == "spare"
    assert spare.count == 1


def test_a_fallback_of_a_fallback_does_not_exist(start_sluice, upstream):
    """Who is sent to the fallback variant by its weight has none."""
    chosen, spare = upstream("chosen"), upstream("spare", sick)
    daemon = start_sluice({"pools": {"chosen": pool(chosen), "spare": pool(spare, ejection=CALM)}, "routes": [
        route("chat", {"chosen": 0, "spare": 100}, fallback="spare", retry={"attempts": 0, "on": [503]})]})
    assert daemon.ask().text == "sick"
    assert (chosen.count, spare.count) == (0, 1)
    assert daemon.counted("sluice_fallbacks_total", 0)


# -- the budget --------------------------------------------------------------------------------------------------------

def test_a_budget_of_nothing_allows_no_retry(start_sluice, upstream):
    server = upstream("up", sick)
    daemon = start_sluice({"pools": {"stable": pool(server, ejection=CALM)},
                           "routes": [route(retry={"attempts": 3, "on": [503], "budget": 0})]})
    for _ in range(5):
        assert daemon.ask().status == 503
    assert server.count == 5
    assert daemon.counted("sluice_retries_total", 0)


def spend(daemon, server, path="/", most=40):
    """Asks until a request is not retried any more; how many retries there were."""
    retries = 0
    for _ in range(most):
        before = server.count
        assert daemon.ask(target=path).status == 503
        if server.count == before + 1:
            return retries
        retries += server.count - before - 1
    raise AssertionError("the budget does not end")


def test_each_route_has_a_budget_of_its_own_that_weights_do_not_fill_up(start_sluice, upstream):
    server = upstream("up", sick)
    retry = {"attempts": 1, "on": [503], "budget": 1}
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, ejection=CALM)}, "routes": [
        route("a", {"x": {"pool": "stable", "weight": 50}, "y": {"pool": "stable", "weight": 50}}, match={"path": "/a"}, retry=retry),
        route("b", match={"path": "/b"}, retry=retry)]})
    assert spend(daemon, server, "/a") == 10, "what is there at the start"
    assert spend(daemon, server, "/b") == 10, "the other route's is untouched"
    assert daemon.cli("weight", "a", "x=30", "y=70").returncode == 0
    assert spend(daemon, server, "/a") == 0


def test_a_spent_budget_leaves_the_fallback_which_costs_nothing_of_it(start_sluice, upstream):
    chosen, spare = upstream("chosen", sick), upstream("spare")
    daemon = start(start_sluice, [chosen], [spare], {"attempts": 1, "on": [503], "budget": 1})
    with daemon.client() as client:
        assert [client.ask().text for _ in range(30)] == ["spare"] * 30
    assert chosen.count == 30 + 10 and spare.count == 30
    assert daemon.counted("sluice_fallbacks_total", 30)


# -- who is charged ----------------------------------------------------------------------------------------------------

def garbage(_request, reply):
    reply.raw(b"\x16\x03\x01\r\n\r\n")
    reply.close()


# How the chosen variant fails: its handler, what it is charged with, as which answer, and the log's `failed_status`.
FAILS = {
    "refuses": (None, "connect", "5xx", 502),
    "hangs at connect": (None, "connect_timeout", "5xx", 504),
    "is drained": (None, "connect", "5xx", 503),
    "hangs": (lambda request, reply: reply.hang(), "timeout", "5xx", 504),
    "resets": (lambda request, reply: reply.reset(), "reset", "5xx", 502),
    "talks nonsense": (garbage, "bad_response", "5xx", 502),
    "says 500": (lambda request, reply: reply.send(500, "no"), "5xx", "5xx", 500),
    "says 429": (lambda request, reply: reply.send(429, "no"), None, "4xx", 429),
}


@pytest.mark.parametrize("attempts", [0, 2])
@pytest.mark.parametrize("how", sorted(FAILS))
def test_the_failure_is_charged_to_the_chosen_variant_once(start_sluice, upstream, full_backlog, how, attempts):
    handler, reason, code, status = FAILS[how]
    server, spare = upstream("chosen", handler), upstream("spare")
    daemon = start(start_sluice, [full_backlog if how == "hangs at connect" else server], [spare],
                   {"attempts": attempts, "on": EVERYTHING, "budget": 100},
                   timeouts={"connect": "200ms", "first_byte": "200ms"})
    if how == "refuses":
        server.stop()
    if how == "is drained":
        assert daemon.cli("drain", "chosen", server.url).returncode == 0
    response = daemon.ask()
    assert (response.status, response.text) == (200, "spare")
    judge_charged(daemon, reason, code, status)


def judge_charged(daemon, reason, code, status):
    assert daemon.counted("sluice_fallbacks_total", 1, **{"from": "chosen"})
    assert daemon.counted("sluice_requests_total", 1, variant="chosen", code=code)
    assert daemon.counted("sluice_request_errors_total", 1 if reason else 0)
    metrics = daemon.metrics()
    if reason:
        assert metrics.sum("sluice_request_errors_total", variant="chosen", reason=reason) == 1
    assert metrics.sum("sluice_requests_total") == 1, "one request is counted once, and never for the fallback"
    entry, = logged(daemon, 1)
    assert (entry["variant"], entry["fallback"], entry["failed_status"], entry["status"]) == ("chosen", "spare", status, 200)


@pytest.mark.parametrize("queue", [{"size": 0, "timeout": "30s"}, {"size": 10, "timeout": "200ms"}], ids=["full", "late"])
@pytest.mark.parametrize("on, falls_back", [([503], True), ([502], False), (["connect"], False), (None, False)])
def test_an_overloaded_variant_is_helped_out_where_503_is_named(start_sluice, upstream, queue, on, falls_back):
    """Nothing was sent, so POST too. The same pool is not asked again: that would be another wait in the same queue."""
    go = threading.Event()

    def handler(_request, reply):
        assert go.wait(patience(30))
        reply.send(200, "chosen")
    server, spare = upstream("chosen", handler), upstream("spare")
    daemon = start(start_sluice, [server], [spare], {"attempts": 3, "on": on, "budget": 100} if on else None,
                   chosen_pool={"max_inflight": 1, "queue": queue})
    with daemon.client() as first:
        first.request()
        wait_for(lambda: server.count == 1)
        response = daemon.ask("POST", body="charge the card")
        go.set()
        assert first.response().text == "chosen"
    assert daemon.counted("sluice_request_errors_total", 1, variant="chosen", reason="overloaded")
    assert daemon.counted("sluice_retries_total", 0)
    assert server.count == 1 and spare.count == falls_back
    if falls_back:
        assert response.text == "spare" and spare.requests[0].body == b"charge the card"
        assert [e["failed_status"] for e in logged(daemon, 2) if "fallback" in e] == [503]
    else:
        assert (response.status, response.header("X-Sluice-Error")) == (503, "queue_full" if not queue["size"] else "queue_timeout")
        assert response.header("Retry-After")


def test_a_fallback_that_is_overloaded_says_so(start_sluice, upstream):
    """The client gets its 503; what is charged is the chosen one's failure alone."""
    go = threading.Event()

    def handler(_request, reply):
        assert go.wait(patience(30))
        reply.send(200, "spare")
    chosen, spare = upstream("chosen", sick), upstream("spare", handler)
    daemon = start_sluice({"workers": 1, "pools": {
        "chosen": pool(chosen, ejection=CALM), "spare": pool(spare, max_inflight=1, queue={"size": 0, "timeout": "1s"})}, "routes": [
            route("chat", {"chosen": 100, "spare": 0}, fallback="spare", retry={"attempts": 0, "on": [503]})]})
    with daemon.client() as first:
        first.request()
        wait_for(lambda: spare.count == 1)
        response = daemon.ask()
        assert (response.status, response.header("X-Sluice-Error")) == (503, "queue_full")
        go.set()
        assert first.response().text == "spare"
    assert daemon.counted("sluice_fallbacks_total", 2)
    assert daemon.counted("sluice_request_errors_total", 2)
    assert daemon.metrics().sum("sluice_request_errors_total", variant="chosen", reason="5xx") == 2
