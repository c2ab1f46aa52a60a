"""HTTP/1.1 on both sides: framing, connections, bodies of every kind."""
import hashlib
import socket
import threading

import pytest

from harness.client import Client
from harness.scale import scaled
from harness.sluice import pool, route
from harness.wait import wait_for

MIB = 1 << 20


@pytest.fixture
def pair(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()],
                           "limits": {"body_bytes": "1GiB"}})
    return daemon, server


def test_client_connections_are_kept_and_upstream_ones_reused(pair):
    daemon, server = pair
    with daemon.client() as client:
        for _ in range(100):
            response = client.ask()
            assert response.status == 200 and (response.header("Connection") or "keep-alive").lower() != "close"
    assert server.count == 100 and server.connections == 1


def test_pipelined_requests_are_answered_in_order(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, request.target + ":" + request.body.decode())
    with daemon.client() as client:
        client.send(b"".join(client.render("POST", f"/{i}", (), f"body-{i}") if i % 3 else
                             client.render("GET", f"/{i}") for i in range(60)))
        for i in range(60):
            assert client.response().text == (f"/{i}:body-{i}" if i % 3 else f"/{i}:")
    assert [r.target for r in server.requests] == [f"/{i}" for i in range(60)]


def test_requests_cut_at_every_byte(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, request.body)
    with daemon.client() as client:
        raw = client.render("POST", "/cut", [("X-A", "b")], "hello") + client.render("GET", "/next")
        for byte in raw:
            client.send(bytes([byte]))
        assert client.response().text == "hello"
        assert client.response().status == 200


def test_connection_close_is_honoured(pair):
    daemon, _ = pair
    with daemon.client() as client:
        response = client.ask(headers=[("Connection", "close")])
        assert response.header("Connection").lower() == "close"
        assert client.closed()


def test_an_http_1_0_client_gets_its_answer_and_the_end(pair):
    daemon, server = pair

    def chunks(_request, reply):
        reply.begin_chunked()
        for piece in (b"one", b"two"):
            reply.chunk(piece)
        reply.end_chunked()
    server.handler = chunks
    with daemon.client() as client:
        client.send("GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        response = client.head()
        assert response.header("Transfer-Encoding") is None
        response.body = b"".join(client.pieces(response))
        assert response.body == b"onetwo"
    assert server.requests[0].version == "HTTP/1.1"


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(pair, status):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(status, b"", [("ETag", '"x"')])
    with daemon.client() as client:
        for _ in range(3):
            response = client.ask()
            assert response.status == status and response.header("ETag") == '"x"'
            assert response.header("Transfer-Encoding") is None
            assert status == 304 or response.header("Content-Length") is None


def test_head_has_the_length_and_no_body(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, b"x" * 1234)
    with daemon.client() as client:
        for _ in range(3):
            response = client.ask("HEAD")
            assert response.header("Content-Length") == "1234"
        assert client.ask("GET").body == b"x" * 1234
    assert [r.method for r in server.requests] == ["HEAD"] * 3 + ["GET"]


def test_a_body_that_ends_with_the_connection(pair):
    daemon, server = pair

    def until_close(_request, reply):
        reply.head(200, [("Content-Type", "text/plain")])
        reply.raw(b"all of it")
        reply.close()
    server.handler = until_close
    with daemon.client() as client:
        assert client.ask().body == b"all of it"


def test_interim_answers_pass(pair):
    daemon, server = pair

    def hints(_request, reply):
        reply.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        reply.send(200, "done")
    server.handler = hints
    response = daemon.ask()
    assert response.status == 200 and response.interim == [103] and response.text == "done"


def test_interim_answers_wait_for_a_client_that_does_not_read(pair):
    """More of them than fit on their way; the proxy holds them back and goes on when the client does."""
    daemon, server = pair
    written = threading.Event()

    def hints(_request, reply):
        link = "Link: </" + "a" * 7000 + ">\r\n"
        try:
            for _ in range(10):
                reply.raw(("HTTP/1.1 103 Early Hints\r\n" + link * 7 + "\r\n").encode())
        finally:
            written.set()
        reply.send(200, "x" * 300000)
    server.handler = hints
    with daemon.client(receive_buffer=4096) as client:
        client.request()
        written.wait(1)  # either way: then there is as much on the way as fits
        response = client.response()
    assert response.status == 200 and response.interim == [103] * 10 and len(response.body) == 300000
    assert daemon.ask().status == 200


def test_expect_100_continue(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, request.body)
    with daemon.client() as client:
        client.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")])
        assert client.head().status == 100
        client.send("hello")
        assert client.response().text == "hello"


def _random_body(size):
    rng = hashlib.shake_128(str(size).encode())
    block = rng.digest(min(size, MIB))
    return (block * (size // len(block) + 1))[:size] if size else b""


@pytest.mark.parametrize("size", [0, 1, 17, 4096, 65_536, 65_537, 1_000_003, 20 * MIB])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_uploads_arrive_whole(pair, size, framing):
    daemon, server = pair
    body = _random_body(size)
    with daemon.client(60) as client:
        if framing == "length":
            client.request("POST", "/up", (), body)
        else:
            client.request("POST", "/up", [("Transfer-Encoding", "chunked")])
            for at in range(0, size, 300_001):
                piece = body[at:at + 300_001]
                client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            client.send("0\r\n\r\n")
        assert client.response().status == 200
    request = server.requests[0]
    assert request.body_bytes == size and request.body_sha == hashlib.sha256(body).hexdigest()
    assert request.chunked == (framing == "chunked")


@pytest.mark.parametrize("size", [0, 1, 17, 4096, 65_536, 65_537, 1_000_003, 20 * MIB])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_downloads_arrive_whole(pair, size, framing):
    daemon, server = pair
    body = _random_body(size)

    def handler(_request, reply):
        if framing == "length":
            reply.send(200, body)
        elif framing == "chunked":
            reply.begin_chunked()
            for at in range(0, size, 300_001):
                reply.chunk(body[at:at + 300_001])
            reply.end_chunked()
        else:
            reply.head(200)
            reply.raw(body)
            reply.close()
    server.handler = handler
    with daemon.client(60) as client:
        response = client.ask("GET", "/down")
        assert len(response.body) == size
        assert hashlib.sha256(response.body).digest() == hashlib.sha256(body).digest()
        assert client.ask().status == 200 if framing != "close" else True


def test_both_directions_at_once(pair):
    daemon, server = pair
    server.read_body = False
    size = scaled(20, 2) * MIB

    def echo(request, reply):
        reply.begin_chunked()
        for piece in request.pieces:
            reply.chunk(piece)
        reply.end_chunked()
    server.handler = echo
    body = _random_body(size)
    with daemon.client(60) as client:
        sender = threading.Thread(target=client.request, args=("POST", "/echo", (), body))
        sender.start()
        response = client.response()
        sender.join(10)
    assert response.body == body


def test_an_early_answer_reaches_a_client_that_is_still_sending(pair):
    daemon, server = pair
    server.read_body = False

    def early(_request, reply):
        reply.send(403, "no", [("Connection", "close")])
        reply.close()
    server.handler = early
    with daemon.client() as client:
        client.request("POST", "/", [("Content-Length", str(50 * MIB))])
        client.send(b"x" * 1000)
        assert client.response().status == 403


def test_a_client_that_shuts_down_its_sending_side_is_served(pair):
    daemon, _ = pair
    with daemon.client() as client:
        client.request()
        client.socket.shutdown(socket.SHUT_WR)
        assert client.response().text == "stable"
        assert client.closed()


def test_an_idle_upstream_connection_that_was_closed_is_replaced_unseen(pair):
    daemon, server = pair
    with daemon.client() as client:
        for i in range(20):
            assert client.ask(method="POST" if i % 2 else "GET", body="x" if i % 2 else None).status == 200
            server.close_connections()
            wait_for(lambda: server.open == 0, what="the upstream's connections are closed")
    assert server.count == 20


def test_bytes_after_an_answer_never_become_the_next_answer(pair):
    daemon, server = pair

    def smuggle(_request, reply):
        reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    server.handler = smuggle
    with daemon.client() as client:
        assert client.ask().text == "ok"
        server.handler = lambda request, reply: reply.send(200, "good")
        assert client.ask().text == "good"


@pytest.mark.parametrize("raw, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405),
    (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n X-Folded: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX:\rxTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\nContent-Length: 1\r\n\r\nx", 417),
])
def test_ambiguous_requests_are_refused_and_closed(pair, raw, status):
    daemon, server = pair
    with daemon.client() as client:
        client.send(raw)
        if b"\n" not in raw:
            client.send(b"\r\n\r\n")
        response = client.response()
        assert response.status == status
        assert response.header("X-Sluice-Error") and (response.header("Connection") or "").lower() == "close"
        assert client.closed()
    assert server.count == 0


@pytest.mark.parametrize("body", [b"5\r\nhello\r\n0x0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"-1\r\n\r\n", b"g\r\n\r\n",
                                  b"5\nhello\n0\n\n", b"11111111111111111\r\n"])
def test_a_broken_chunked_body_never_completes_upstream(pair, body):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, "complete")
    with daemon.client() as client:
        client.request("POST", "/", [("Transfer-Encoding", "chunked")])
        client.send(body)
        assert client.response().status == 400
        assert client.closed()
    assert not any(r.body_sha for r in server.requests), "the upstream took the body for complete"


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n Folded: x\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X-Many: y\r\n" * 1000 + b"\r\n",
    b"nonsense\r\n\r\n",
    b"",
], ids=lambda raw: raw[:40].decode("latin-1"))
def test_an_answer_that_is_not_http_becomes_502(pair, raw):
    daemon, server = pair

    def handler(_request, reply):
        reply.raw(raw)
        reply.close()
    server.handler = handler
    with daemon.client() as client:
        response = client.ask()
        assert response.status == 502 and response.header("X-Sluice-Error")
        server.handler = lambda request, reply: reply.send(200, "good")
        assert client.ask().text == "good", "the client's connection goes on"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_truncated_answer_is_seen_as_truncated(pair, framing):
    from harness.client import Cut  # pylint: disable=import-outside-toplevel
    daemon, server = pair

    def handler(_request, reply):
        if framing == "length":
            reply.head(200, [("Content-Length", "100")])
            reply.raw(b"x" * 50)
        else:
            reply.begin_chunked()
            reply.chunk(b"x" * 50)
        reply.close()
    server.handler = handler
    with daemon.client() as client:
        with pytest.raises((Cut, ConnectionError)):
            client.ask()
    assert daemon.counted("sluice_request_errors_total", 1, route="chat", variant="stable")


def test_many_connections_at_once(pair):
    daemon, server = pair
    count = scaled(400, 100)
    clients = [Client(daemon.address) for _ in range(count)]
    try:
        for client in clients:
            client.request()
        assert all(client.response().status == 200 for client in clients)
        assert daemon.counted("sluice_client_connections", count)
    finally:
        for client in clients:
            client.close()
    assert daemon.counted("sluice_client_connections", 0)
    assert server.count == count


def test_a_client_that_breaks_off_inside_its_body_is_no_complete_request(pair):
    daemon, server = pair
    for framing in ("length", "chunked"):
        before = server.count
        with daemon.client() as client:
            client.request("POST", "/", [("Content-Length", "100")] if framing == "length" else [("Transfer-Encoding", "chunked")])
            client.send(b"x" * 50 if framing == "length" else b"32\r\n" + b"x" * 50 + b"\r\n")
            wait_for(lambda before=before: server.count > before)
        wait_for(lambda: server.inflight == 0, what="the upstream learns of it")
    assert not any(r.body_sha for r in server.requests)
    assert daemon.counted("sluice_requests_total", 2, code="499")
    assert daemon.ask().status == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_larger_than_what_is_held_for_its_unit_is_passed_on_whole(start_sluice, upstream, framing):
    server = upstream("stable")
    daemon = start_sluice({"limits": {"buffered_body_bytes": "64KiB"}, "pools": {"stable": pool(server)},
                           "routes": [route(match={"json": {"/model": "never"}}), route("rest", sticky={"by": ["json /user"]})]})
    body = b'{"user": "u", "prompt": "' + _random_body(3 * MIB).hex().encode() + b'"}'
    with daemon.client() as client:
        fields = [("Content-Type", "application/json")]
        if framing == "length":
            client.request("POST", "/", fields, body)
        else:
            client.request("POST", "/", [*fields, ("Transfer-Encoding", "chunked")])
            for at in range(0, len(body), 50_000):
                client.send(b"%x\r\n%s\r\n" % (len(body[at:at + 50_000]), body[at:at + 50_000]))
            client.send(b"0\r\n\r\n")
        assert client.response().status == 200
        assert client.ask().status == 200
    assert server.requests[0].body_sha == hashlib.sha256(body).hexdigest()


def test_no_more_idle_upstream_connections_are_kept_than_configured(start_sluice, upstream):
    go = threading.Event()

    def handler(request, reply):
        if request.path == "/hold":
            assert go.wait(30)
        reply.send(200, "x")
    server = upstream("x", handler)
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, keepalive=2)}, "routes": [route()]})
    clients = [daemon.client() for _ in range(12)]
    for client in clients:
        client.request("GET", "/hold")
    wait_for(lambda: server.inflight == 12)
    go.set()
    for client in clients:
        assert client.response().status == 200
        client.close()
    wait_for(lambda: server.open <= 2, what="all but two upstream connections are closed")
    assert daemon.ask().status == 200 and server.connections == 12


def test_an_ipv6_listener(start_sluice, upstream):
    server = upstream("stable")
    try:  # a container may know IPv6 and yet have no such address
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    daemon = start_sluice({"listeners": [{"address": "127.0.0.1:0"}, {"address": "[::1]:0"}],
                           "pools": {"stable": pool(server)}, "routes": [route()]})
    with Client(daemon.address_of(1)) as client:
        assert client.ask(host="x").status == 200
    assert server.requests[0].header("X-Forwarded-For") == "::1"
