"""The proxy's own answers, its limits and its time-outs."""
import json
import threading

import pytest

from harness.client import Cut
from harness.sluice import pool, route
from harness.wait import wait_for


def start(start_sluice, server, pool_settings=None, route_settings=None, **settings):
    return start_sluice({"pools": {"stable": pool(server, **(pool_settings or {}))},
                         "routes": [route(match={"path_prefix": "/v1/"}, **(route_settings or {}))], **settings})


def test_no_route_is_404_in_the_form_the_client_accepts(start_sluice, upstream):
    server = upstream()
    daemon = start(start_sluice, server)
    for accept in ("application/json", "text/html, application/json;q=0.9", "application/*", "*/*"):
        response = daemon.ask(target="/nothing", headers=[("Accept", accept), ("X-Request-Id", "req-12345678")])
        assert response.status == 404, response
        assert response.header("Content-Type").startswith("application/json"), accept
        error = response.json()["error"]
        assert error["code"] and error["message"]
        assert response.header("X-Request-Id") == "req-12345678" and "req-12345678" in response.text
        assert response.header("X-Sluice-Error") == error["code"]
    for accept in ("text/plain", "text/html"):
        response = daemon.ask(target="/nothing", headers=[("Accept", accept)])
        assert response.status == 404 and response.header("Content-Type").startswith("text/plain")
        assert response.header("X-Request-Id") in response.text
        assert response.header("X-Sluice-Variant") is None
    assert daemon.ask("HEAD", "/nothing").status == 404
    assert server.count == 0


def test_a_connection_goes_on_after_the_proxys_own_answer(start_sluice, upstream):
    daemon = start(start_sluice, upstream())
    with daemon.client() as client:
        for _ in range(5):
            assert client.ask("GET", "/nothing").status == 404
            assert client.ask("GET", "/v1/x").status == 200


def test_a_body_that_is_not_wanted_ends_the_connection_after_the_answer(start_sluice, upstream):
    daemon = start(start_sluice, upstream())
    with daemon.client() as client:
        response = client.ask("POST", "/nothing", body="x" * 500_000)
        assert response.status == 404
        if (response.header("Connection") or "").lower() == "close":
            assert client.closed(), "and nothing of the body is taken for a request"
        else:
            assert client.ask("GET", "/v1/x").status == 200


def test_an_upstreams_own_errors_pass_as_they_are(start_sluice, upstream):
    server = upstream("up", lambda request, reply: reply.send(int(request.path[-3:]), b'{"error": "mine"}',
                                                             [("Content-Type", "application/problem+json")]))
    daemon = start(start_sluice, server)
    for status in (400, 404, 429, 500, 503):
        response = daemon.ask(target=f"/v1/{status}")
        assert response.status == status and response.text == '{"error": "mine"}'
        assert response.header("Content-Type") == "application/problem+json"
        assert response.header("X-Sluice-Error") is None
    assert daemon.counted("sluice_requests_total", 3, code="4xx", route="chat")
    assert daemon.counted("sluice_requests_total", 2, code="5xx", route="chat")
    assert daemon.counted("sluice_request_errors_total", 2, route="chat", variant="stable"), "5xx only"


def test_nobody_listens_is_502_or_503(start_sluice, upstream):
    server = upstream()
    server.stop()
    daemon = start(start_sluice, server)
    response = daemon.ask(target="/v1/x", headers=[("Accept", "application/json")])
    assert response.status in (502, 503) and response.header("X-Sluice-Error") and response.json()["error"]["code"]
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="connect")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_past_the_limit_is_413(start_sluice, upstream, framing):
    server = upstream()
    daemon = start(start_sluice, server, limits={"body_bytes": "64KiB"})
    limit = 64 * 1024
    with daemon.client() as client:
        assert client.ask("POST", "/v1/x", body=b"x" * limit).status == 200
        if framing == "length":
            client.request("POST", "/v1/x", [("Content-Length", limit + 1)])
        else:
            client.request("POST", "/v1/x", [("Transfer-Encoding", "chunked")])
            piece = b"%x\r\n%s\r\n" % (8192, b"x" * 8192)
            try:
                for _ in range(20):
                    client.send(piece)
            except OSError:
                pass
        response = client.response()
        assert response.status == 413 and response.header("X-Sluice-Error")
        assert client.closed()
    wait_for(lambda: server.inflight == 0)
    assert sum(r.body_sha is not None for r in server.requests) == 1, "the upstream never took the cut body for whole"


def test_a_head_past_the_limit_is_431_and_a_target_414(start_sluice, upstream):
    server = upstream()
    daemon = start(start_sluice, server, limits={"header_bytes": "16KiB"})
    assert daemon.ask(target="/v1/x", headers=[("X-Big", "x" * 14_000)]).status == 200
    response = daemon.ask(target="/v1/x", headers=[("X-Big", "x" * 20_000)])
    assert response.status == 431 and response.header("X-Sluice-Error")
    assert daemon.ask(target="/v1/x", headers=[(f"X-{i}", "x") for i in range(200)]).status == 431
    response = daemon.ask(target="/v1/" + "x" * 9000)
    assert response.status == 414 and response.header("X-Sluice-Error")
    assert server.count == 1


def test_connections_past_the_limit_wait_or_are_closed_and_others_go_on(start_sluice, upstream):
    daemon = start(start_sluice, upstream(), limits={"connections": 10})
    clients = [daemon.client() for _ in range(10)]
    for client in clients:
        assert client.ask(target="/v1/x").status == 200
    extra = None
    try:
        extra = daemon.client(1)
        extra.request(target="/v1/x")
        extra.socket.settimeout(1)
        got = extra.response().status
    except (OSError, Cut):
        got = None
    assert got in (None, 503), "no more than limits.connections are served"
    for client in clients:
        assert client.ask(target="/v1/x").status == 200
        client.close()
    if extra:
        extra.close()
    assert daemon.counted("sluice_client_connections", 0)
    assert daemon.ask(target="/v1/x").status == 200


SHORT = {"timeouts": {"client_header": "300ms", "client_idle": "300ms", "connect": "300ms", "first_byte": "300ms",
                      "stream_idle": "300ms"}}


def test_a_head_that_does_not_come_is_408(start_sluice, upstream):
    daemon = start(start_sluice, upstream(), **SHORT)
    with daemon.client() as client:
        client.send("GET /v1/x HTTP/1.1\r\nHost: x\r\nX-Never")
        response = client.response()
        assert response.status == 408 and response.header("X-Sluice-Error")
        assert client.closed()


@pytest.mark.parametrize("by", ["header X-User-Id", "json /user"])
def test_a_body_that_does_not_come_is_408(start_sluice, upstream, by):
    server = upstream()
    # The client's silence is not the upstream's, though that is allowed less of it.
    daemon = start(start_sluice, server, route_settings={"sticky": {"by": [by]}},
                   timeouts={"client_idle": "400ms", "first_byte": "100ms"})
    with daemon.client() as client:
        client.request("POST", "/v1/x", [("Content-Length", "100"), ("Content-Type", "application/json")])
        client.send("{")
        response = client.response()
        assert response.status == 408 and response.header("X-Sluice-Error")
        assert client.closed()
    wait_for(lambda: server.inflight == 0)
    assert not any(r.body_sha for r in server.requests)
    assert daemon.counted("sluice_request_errors_total", 0)


def test_a_dripping_head_is_408_too(start_sluice, upstream):
    daemon = start(start_sluice, upstream(), **SHORT)
    with daemon.client() as client:
        client.send("GET /v1/x HTTP/1.1\r\nHost: x\r\n")

        def drip():
            try:
                for i in range(1000):
                    if done.wait(0.05):
                        return
                    client.send(f"X-{i}: y\r\n")
            except OSError:
                pass
        done = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert client.response().status == 408
        finally:
            done.set()
            thread.join()


def test_an_idle_connection_is_closed_without_a_word(start_sluice, upstream):
    daemon = start(start_sluice, upstream(), **SHORT)
    with daemon.client() as client:
        assert client.ask(target="/v1/x").status == 200
        assert client.closed()
    with daemon.client() as silent:
        assert silent.closed()


def test_upstream_silence_before_the_answer_is_504(start_sluice, upstream):
    server = upstream("up", lambda request, reply: reply.hang())
    daemon = start(start_sluice, server, **SHORT)
    with daemon.client() as client:
        response = client.ask(target="/v1/x")
        assert response.status == 504 and response.header("X-Sluice-Error")
        server.handler = server.answer_name
        assert client.ask(target="/v1/x").status == 200, "the connection goes on"
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="timeout")
    wait_for(lambda: server.open <= 1, what="the silent upstream connection is closed")


def test_silence_inside_a_stream_ends_it(start_sluice, upstream):
    def handler(_request, reply):
        reply.begin_sse()
        reply.event("one")
        reply.hang()
    daemon = start(start_sluice, upstream("up", handler), **SHORT)
    with daemon.client() as client:
        client.request(target="/v1/x")
        client.final_head()
        assert client.event() == "one"
        with pytest.raises((Cut, ConnectionError)):
            client.event()
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable")


def test_a_stream_that_goes_on_outlives_every_idle_time(start_sluice, upstream):
    """Ten events 100 ms apart are longer than first_byte and stream_idle together, and no silence."""
    def handler(_request, reply):
        reply.begin_sse()
        tick = threading.Event()
        for i in range(10):
            tick.wait(0.1)
            reply.event(i)
        reply.end_chunked()
    daemon = start(start_sluice, upstream("up", handler),
                   timeouts={"first_byte": "500ms", "stream_idle": "500ms", "client_idle": "500ms"})
    with daemon.client() as client:
        client.request(target="/v1/x")
        client.final_head()
        assert [client.event() for _ in range(10)] == [str(i) for i in range(10)]
        assert client.chunk() == b""


def test_total_bounds_a_request_whatever_it_does(start_sluice, upstream):
    def handler(request, reply):
        if request.path == "/v1/stream":
            reply.begin_sse()
            tick = threading.Event()
            while True:
                reply.event("x")
                tick.wait(0.05)
        reply.hang()
    daemon = start(start_sluice, upstream("up", handler), timeouts={"total": "400ms"})
    assert daemon.ask(target="/v1/hang").status == 504
    with daemon.client() as client:
        client.request(target="/v1/stream")
        assert client.final_head().status == 200
        with pytest.raises((Cut, ConnectionError)):
            while True:
                client.event()


def test_a_connect_that_does_not_answer_is_504(start_sluice, full_backlog):
    daemon = start(start_sluice, full_backlog, **SHORT)
    response = daemon.ask(target="/v1/x")
    assert response.status == 504, response
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="connect_timeout")


def test_refusals_before_a_route_are_counted_by_reason_only(start_sluice, upstream):
    daemon = start(start_sluice, upstream())
    with daemon.client() as client:
        client.send("GET / HTTP/1.1\nHost: x\n\n")
        assert client.response().status == 400
    daemon.ask(target="/nothing")
    metrics = daemon.metrics()
    assert metrics.sum("sluice_rejected_requests_total") >= 2
    assert all(json.dumps(v).isascii() and len(v) < 40 for v in metrics.values("sluice_rejected_requests_total", "reason"))
