"""Copies of requests to a shadow variant: they arrive whole, are measured and thrown away, and no client notices."""
import json
import random
import socket
import threading
import time

import pytest

from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for
from harness.xxh3 import xxh3_64
from test_tokens import CHAT, DOLLARS, JSON, PRICE

PATH = "/v1/chat/completions"


def config(real, shadow, mirror=None, edit=None, **settings):
    """A route with all weight on one variant and copies to another."""
    variants = {"stable": {"pool": "real", "weight": 100},
                "shadow": {"pool": "shadow", "weight": 0, **({"request": edit} if edit else {}), "price": PRICE}}
    return {"workers": 1, "pools": {"real": pool(real), "shadow": pool(shadow, **settings.pop("shadow_pool", {}))},
            "routes": [route("chat", variants, mirror={"variant": "shadow", **(mirror or {})}, **settings.pop("route", {}))],
            **settings}


def mirrored(daemon):
    return daemon.metrics().sum("sluice_mirrored_requests_total", variant="shadow")


def dropped(daemon, reason):
    return daemon.metrics().sum("sluice_mirror_dropped_total", variant="shadow", reason=reason)


def test_a_copy_is_the_request_with_the_shadows_edits(start_sluice, upstream):
    real, shadow = upstream("real"), upstream("shadow")
    daemon = start_sluice(config(real, shadow, edit={"set_headers": {"X-Prompt": "new"}, "remove_headers": ["X-Old"],
                                                     "json": {"/model": "b"}}))
    headers = JSON + [("X-Old", "1"), ("X-Mine", "2"), ("X-Request-Id", "req-12345"), ("X-Sluice-Mirror", "forged")]
    answer = daemon.ask("POST", PATH + "?q=1", headers, '{"model": "a"}', host="api.example.com")
    assert (answer.status, answer.text, answer.variant) == (200, "real", "stable")
    wait_for(lambda: shadow.count == 1)
    original, copy = real.requests[0], shadow.requests[0]
    assert (copy.method, copy.target, copy.body) == ("POST", PATH + "?q=1", b'{"model": "b"}')
    assert original.body == b'{"model": "a"}'
    for name in ("Host", "X-Mine", "X-Request-Id", "Content-Type", "X-Forwarded-For", "X-Sluice-Route"):
        assert copy.header(name) == original.header(name), name
    assert (copy.header("X-Prompt"), copy.header("X-Old"), copy.header("X-Sluice-Variant")) == ("new", None, "shadow")
    assert (copy.header("X-Sluice-Mirror"), original.header("X-Sluice-Mirror")) == ("1", None)
    assert (original.header("X-Old"), original.header("X-Prompt")) == ("1", None)
    assert daemon.counted("sluice_mirrored_requests_total", 1, variant="shadow")


@pytest.mark.parametrize("cut", [None, 1, 5, 999])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_any_framing_and_cut(start_sluice, upstream, cut, chunked):
    real, shadow = upstream("real"), upstream("shadow")
    daemon = start_sluice(config(real, shadow))
    body = random.Random(1).randbytes(1000)
    pieces = [body] if cut is None else [body[:cut], body[cut:]]
    with daemon.client() as client:
        framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 1000"
        client.send(f"POST /x HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
        for piece in pieces:
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            time.sleep(0.01)
        if chunked:
            client.send(b"0\r\n\r\n")
        assert client.response("POST").status == 200
        assert client.ask("GET", "/y").status == 200
        assert client.ask("HEAD", "/z").status == 200
    wait_for(lambda: shadow.count == 3)
    copies = {copy.target: copy for copy in shadow.requests}
    assert copies["/x"].body == body and copies["/x"].header("Content-Length") == "1000"
    assert copies["/y"].header("Content-Length") is None and copies["/z"].method == "HEAD"
    assert daemon.counted("sluice_requests_total", 3, variant="shadow", code="2xx")


def test_the_share_is_of_units_and_the_same_ones(start_sluice, upstream):
    real, shadow = upstream("real"), upstream("shadow")
    daemon = start_sluice(config(real, shadow, {"share": 30}, route={"sticky": {"by": ["header X-User-Id"], "salt": "s"}}))
    seed = xxh3_64(b"s/mirror")
    users = [f"user-{i}" for i in range(300)]
    expected = {user for user in users if xxh3_64(user.encode(), seed) % 10000 < 3000}
    assert 60 < len(expected) < 120
    for _ in range(2):
        with daemon.client() as client:
            for user in users:
                assert client.ask("GET", "/", [("X-User-Id", user)]).status == 200
    wait_for(lambda: shadow.count == 2 * len(expected))
    assert {copy.header("X-User-Id") for copy in shadow.requests} == expected


def test_requests_without_a_unit_are_chosen_at_random(start_sluice, upstream):
    real, shadow = upstream("real"), upstream("shadow")
    daemon = start_sluice(config(real, shadow, {"share": 50}))
    with daemon.client() as client:
        for _ in range(400):
            assert client.ask().status == 200
    # 400 draws of 1/2: six standard deviations are 60.
    wait_for(lambda: mirrored(daemon) + 0 > 0 and daemon.metrics().sum("sluice_requests_total", variant="stable") == 400)
    assert 140 <= mirrored(daemon) <= 260


def test_what_goes_to_the_shadow_anyway_is_not_copied(start_sluice, upstream):
    real, shadow = upstream("real"), upstream("shadow")
    settings = config(real, shadow)
    settings["routes"][0]["variants"]["stable"]["weight"] = 0
    settings["routes"][0]["variants"]["shadow"]["weight"] = 100
    daemon = start_sluice(settings)
    for n in range(1, 6):
        assert daemon.ask().text == "shadow"
        assert daemon.counted("sluice_requests_total", n, variant="shadow")
    assert mirrored(daemon) == 0 and real.count == 0 and shadow.count == 5


def test_the_shadow_is_measured(start_sluice, upstream, tmp_path):
    real = upstream("real")
    shadow = upstream("shadow", lambda request, reply: reply.send(200, CHAT, JSON))
    daemon = start_sluice(config(real, shadow, access_log={"path": "access.log"}))
    for n in range(1, 4):
        assert daemon.ask("POST", PATH, JSON, "{}").text == "real"
        assert daemon.counted("sluice_tokens_total", 500 * n, variant="shadow", type="completion")
    metrics = daemon.metrics()
    assert metrics.sum("sluice_cost_dollars_total", variant="shadow") == pytest.approx(3 * DOLLARS)
    assert metrics.sum("sluice_response_bytes_total", variant="shadow") == 3 * len(CHAT)
    assert metrics.sum("sluice_request_duration_seconds_count", variant="shadow") == 3
    assert metrics.sum("sluice_time_to_first_token_seconds_count", variant="shadow") == 3
    assert metrics.sum("sluice_requests_total", variant="stable") == 3

    def logged():
        with open(tmp_path / "access.log", encoding="utf-8") as f:
            entries = [json.loads(line) for line in f]
        return [entry for entry in entries if entry.get("mirror")]
    entries = wait_for(lambda: len(logged()) == 3 and logged())
    assert entries[0]["variant"] == "shadow" and entries[0]["completion_tokens"] == 500 and entries[0]["status"] == 200


def garbage(_request, reply):
    reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx")


def cut(_request, reply):
    reply.head(200, [("Content-Length", 100)])
    reply.raw(b"x")
    reply.close()


@pytest.mark.parametrize("answer, reason", [
    (lambda request, reply: reply.hang(), "timeout"), (lambda request, reply: reply.reset(), "reset"),
    (lambda request, reply: reply.close(), "reset"), (garbage, "bad_response"), (cut, "cut_short"),
    (lambda request, reply: reply.send(500, "no"), "5xx"), (None, "connect")])
def test_a_shadow_that_fails_changes_nothing(start_sluice, upstream, answer, reason):
    real, shadow = upstream("real"), upstream("shadow", answer)
    if answer is None:
        shadow.stop()
    daemon = start_sluice(config(real, shadow, timeouts={"first_byte": "300ms"},
                                 shadow_pool={"ejection": {"consecutive_failures": 1}}))
    with daemon.client() as client:
        for n in range(1, 11):
            response = client.ask("POST", PATH, JSON, '{"a":1}')
            assert (response.status, response.text) == (200, "real")
    if reason == "connect":  # after one that failed no other is tried for a moment
        wait_for(lambda: daemon.metrics().sum("sluice_request_errors_total", variant="shadow", reason=reason)
                 + dropped(daemon, "no_endpoint") == 10)
        assert daemon.metrics().sum("sluice_request_errors_total", variant="shadow", reason=reason) > 0
    else:
        assert daemon.counted("sluice_request_errors_total", 10, variant="shadow", reason=reason)
    assert daemon.counted("sluice_requests_total", 10, variant="stable", code="2xx")
    metrics = daemon.metrics()
    assert metrics.sum("sluice_request_errors_total", variant="stable") == 0
    # The shadow's failures eject nobody: the endpoint may serve others.
    assert metrics.sum("sluice_endpoint_up", pool="shadow") == 1
    wait_for(lambda: daemon.metrics().sum("sluice_endpoint_inflight", pool="shadow") == 0)


def test_an_endless_answer_ends_with_its_time(start_sluice, upstream):
    def endless(_request, reply):
        reply.begin_sse()
        while True:
            reply.event("x" * 1000)
            time.sleep(0.01)
    real, shadow = upstream("real"), upstream("shadow", endless)
    settings = config(real, shadow)
    settings["pools"]["shadow"]["timeouts"] = {"total": "300ms"}
    daemon = start_sluice(settings)
    for n in range(1, 4):
        assert daemon.ask("POST", "/", JSON, "{}").text == "real"
        assert daemon.counted("sluice_request_errors_total", n, variant="shadow", reason="timeout")
    assert daemon.metrics().sum("sluice_requests_total", variant="shadow", code="2xx") == 3
    assert daemon.metrics().sum("sluice_request_errors_total", variant="stable") == 0


def test_copies_are_bounded_and_the_rest_is_dropped(start_sluice, upstream):
    release = threading.Event()
    real, shadow = upstream("real"), upstream("shadow", lambda request, reply: (release.wait(patience(20)), reply.send()))
    daemon = start_sluice(config(real, shadow, {"max_inflight": 5}, limits={"buffered_body_bytes": "1KiB"}))
    with daemon.client() as client:
        assert client.ask("POST", "/", [], "x" * 2000).text == "real"
        for _ in range(20):
            assert client.ask("POST", "/", JSON, "{}").text == "real"
    assert daemon.counted("sluice_mirror_dropped_total", 15, variant="shadow", reason="busy")
    assert daemon.counted("sluice_mirror_dropped_total", 1, variant="shadow", reason="body_too_large")
    assert mirrored(daemon) == 5
    release.set()
    assert daemon.counted("sluice_requests_total", 5, variant="shadow", code="2xx")
    assert daemon.ask().text == "real"
    assert daemon.counted("sluice_mirrored_requests_total", 6, variant="shadow")


def test_no_room_at_the_endpoint_and_bodies_that_cannot_be_edited(start_sluice, upstream):
    release = threading.Event()
    real, shadow = upstream("real"), upstream("shadow", lambda request, reply: (release.wait(patience(20)), reply.send()))
    daemon = start_sluice(config(real, shadow, edit={"json": {"/model": "b"}}, shadow_pool={"max_inflight": 1}))
    for body in ("no json", "{", "[" * 200):
        assert daemon.ask("POST", "/", JSON, body).text == "real"
    assert daemon.counted("sluice_mirror_dropped_total", 3, reason="body_unfit")
    for _ in range(3):
        assert daemon.ask("POST", "/", JSON, "{}").text == "real"
    assert daemon.counted("sluice_mirror_dropped_total", 2, reason="no_endpoint")
    release.set()
    assert daemon.counted("sluice_requests_total", 1, variant="shadow", code="2xx")


def test_a_shadow_that_never_reads_holds_nobody_up(start_sluice, upstream):
    real = upstream("real")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        daemon = start_sluice(config(real, url, {"max_inflight": 40}))
        body = b"x" * 900_000
        with daemon.client() as client:
            for _ in range(60):
                assert client.ask("POST", "/", [], body).text == "real"
        assert daemon.counted("sluice_requests_total", 60, variant="stable")
        assert mirrored(daemon) + dropped(daemon, "busy") == 60
        assert mirrored(daemon) * len(body) <= 32 << 20  # what one worker keeps at most
        begun = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begun < patience(10)  # not the 120 s of first_byte, nor the grace


def test_reloads_and_a_stop_while_copies_are_under_way(start_sluice, upstream):
    real, shadow = upstream("real"), upstream("shadow", lambda request, reply: reply.hang(patience(30)))
    settings = config(real, shadow, workers=2)
    daemon = start_sluice(settings)
    for _ in range(5):
        assert daemon.ask("POST", "/", JSON, "{}").text == "real"
        assert daemon.reload(settings).status == 200
    wait_for(lambda: shadow.count == 5)
    without = json.loads(json.dumps(settings))
    del without["routes"][0]["mirror"]
    assert daemon.reload(without).status == 200
    assert daemon.ask("POST", "/", JSON, "{}").text == "real"
    assert daemon.metrics().sum("sluice_endpoint_inflight", pool="shadow") == 5
    assert daemon.stop() == 0
    assert shadow.count == 5


def test_connections_of_the_shadow_are_used_again(start_sluice, upstream):
    real, shadow = upstream("real"), upstream("shadow")
    daemon = start_sluice(config(real, shadow))
    for n in range(1, 11):
        assert daemon.ask("POST", "/", JSON, "{}").text == "real"
        assert daemon.counted("sluice_requests_total", n, variant="shadow", code="2xx")
    assert shadow.connections == 1


def test_a_retry_and_a_fallback_are_copied_once(start_sluice, upstream):
    seen = []

    def flaky(request, reply):
        seen.append(request)
        reply.send(503 if len(seen) % 2 else 200, "real")
    shadow = upstream("shadow")
    daemon = start_sluice(config(upstream("real", flaky), shadow, route={"retry": {"attempts": 1, "on": [503], "budget": 100}}))
    for n in range(1, 6):
        assert daemon.ask("POST", "/", JSON, "{}").text == "real"
        assert daemon.counted("sluice_mirrored_requests_total", n)
    assert len(seen) == 10
