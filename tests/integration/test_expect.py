"""Expect: 100-continue (RFC 9110 10.1.1): the upstream decides; one that is silent for a second does not hold the body."""
import threading
import time

import pytest

from harness.sluice import pool, route
from harness.wait import wait_for

EXPECT = [("Expect", "100-continue"), ("Content-Length", "5")]


def start(start_sluice, server, **settings):
    server.read_body = False
    return start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route(**settings)]})


def body_of(request):
    return b"".join(request.pieces)


def test_the_upstreams_100_reaches_the_client_before_the_body_is_sent(start_sluice, upstream):
    server = upstream("stable", lambda request, reply: reply.send(200, body_of(request)))
    daemon = start(start_sluice, server)
    with daemon.client() as client:
        client.request("POST", "/", EXPECT)
        assert client.head().status == 100
        assert server.requests[0].header("Expect") == "100-continue"
        client.send("hello")
        response = client.response()
        assert response.status == 200 and response.body == b"hello" and response.interim == []
        client.request("GET", "/")  # the connection goes on
        assert client.response().status == 200


def test_a_silent_upstream_gets_the_body_after_a_second(start_sluice, upstream):
    def silent(request, reply):
        request.headers = [(n, v) for n, v in request.headers if n != "Expect"]  # knows nothing of it
        reply.send(200, body_of(request))
    server = upstream("stable", silent)
    daemon = start(start_sluice, server)
    with daemon.client() as client:
        begin = time.monotonic()
        client.request("POST", "/", EXPECT)
        assert client.head().status == 100
        assert time.monotonic() - begin >= 0.9
        client.send("hello")
        assert client.response().body == b"hello"
        client.request("POST", "/", [("Content-Length", "2")], None)  # nothing of the wait is left over
        client.send("hi")
        assert client.response().body == b"hi"


def test_a_late_100_of_the_upstream_is_not_told_twice(start_sluice, upstream):
    def late(request, reply):
        request.headers = [(n, v) for n, v in request.headers if n != "Expect"]
        body = body_of(request)
        reply.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
        reply.send(200, body)
    daemon = start(start_sluice, upstream("stable", late))
    with daemon.client() as client:
        client.request("POST", "/", EXPECT)
        assert client.head().status == 100
        client.send("hello")
        assert client.response().interim == []


@pytest.mark.alone
def test_a_client_that_does_not_wait_is_not_made_to(start_sluice, upstream):
    server = upstream("stable", lambda request, reply: reply.send(200, body_of(request)))
    daemon = start(start_sluice, server)
    with daemon.client() as client:
        begin = time.monotonic()
        client.request("POST", "/", EXPECT, "hello")
        assert client.response().body == b"hello"
        assert time.monotonic() - begin < 0.9


def test_a_final_answer_instead_of_100_ends_the_connection(start_sluice, upstream):
    def refuse(_request, reply):
        reply.send(401, "who are you")
        reply.close()
    server = upstream("stable", refuse)
    daemon = start(start_sluice, server)
    with daemon.client() as client:
        client.request("POST", "/", EXPECT)
        response = client.response()
        assert (response.status, response.interim) == (401, [])
        assert response.header("Connection") == "close" and client.closed()
    assert server.requests[0].body_bytes == 0


def test_an_unknown_expectation_is_refused(start_sluice, upstream):
    server = upstream("stable")
    daemon = start(start_sluice, server)
    for value in ("200-ok", "100-continue, more", "100-continue=1"):
        with daemon.client() as client:
            client.request("POST", "/", [("Expect", value), ("Content-Length", "5")])
            response = client.response()
            assert response.status == 417 and response.header("X-Sluice-Error") == "expectation"
    assert server.count == 0


def test_an_http_1_0_clients_expectation_is_ignored(start_sluice, upstream):
    server = upstream("stable", lambda request, reply: reply.send(200, body_of(request)))
    daemon = start(start_sluice, server)
    with daemon.client() as client:
        client.send("POST / HTTP/1.0\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
        response = client.response()
        assert (response.status, response.body, response.interim) == (200, b"hello", [])
    assert server.requests[0].header("Expect") is None


def test_a_body_that_the_route_needs_is_asked_for_by_the_proxy(start_sluice, upstream):
    server = upstream("stable", lambda request, reply: reply.send(200, body_of(request)))
    server.read_body = False
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)},
                           "routes": [route(match={"json": {"/model": "m"}})]})
    with daemon.client() as client:
        client.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "13")])
        assert client.head().status == 100
        client.send('{"model":"m"}')
        response = client.response()
        assert response.body == b'{"model":"m"}' and response.interim == []
    assert server.requests[0].header("Expect") is None


def test_the_next_upstream_is_not_asked_again_once_the_client_was_told(start_sluice, upstream):
    seen = threading.Event()

    def broken(request, reply):
        body_of(request)
        seen.set()
        reply.send(503)
    first, second = upstream("first", broken), upstream("second", lambda r, reply: reply.send(200, body_of(r)))
    first.read_body = second.read_body = False
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(first), "spare": pool(second)},
                           "routes": [route(variants={"stable": 100, "spare": 0}, fallback="spare",
                                            retry={"attempts": 0, "on": [503]})]})
    with daemon.client() as client:
        client.request("POST", "/", EXPECT)
        assert client.head().status == 100
        client.send("hello")
        response = client.response()
        assert (response.status, response.body, response.interim) == (200, b"hello", [])
    assert seen.is_set()
    wait_for(lambda: second.count == 1, 5, "the fallback was asked")
    assert second.requests[0].header("Expect") is None
