"""Trailers (RFC 9110 6.5): passed on where both sides want them and the field may stand there, else dropped."""
import threading

import pytest

from harness.sluice import pool, route

FORBIDDEN = [("Content-Length", "99"), ("Host", "evil"), ("Transfer-Encoding", "x"), ("Authorization", "Bearer x"),
             ("X-Sluice-Variant", "canary"), ("X-Forwarded-For", "1.2.3.4"), ("Set-Cookie", "a=b"),
             ("Content-Type", "text/evil"), ("Connection", "close"), ("Cache-Control", "public")]


def lines(fields):
    return "".join(f"{n}: {v}\r\n" for n, v in fields)


class Trailing:
    """An upstream's handler that notes the request's trailers and answers with some of its own."""

    def __init__(self, server, fields=(), announce=None):
        self.seen, self.fields, self.announce = [], fields, announce
        server.read_body = False
        server.handler = self

    def __call__(self, request, reply):
        connection = reply._connection  # pylint: disable=protected-access
        body, trailers = b"", []
        if request.header("Transfer-Encoding") == "chunked":
            while size := int(connection.until(b"\r\n"), 16):
                body += b"".join(connection.exactly(size))
                connection.until(b"\r\n")
            while line := connection.until(b"\r\n"):
                trailers.append(line.decode())
        else:
            body = b"".join(connection.exactly(int(request.header("Content-Length") or 0)))
        request.pieces = ()
        self.seen.append((body, trailers))
        head = [("Trailer", self.announce)] if self.announce else []
        reply.begin_chunked(200, head)
        reply.chunk(b"answer")
        reply.over()
        reply.raw(b"0\r\n" + lines(self.fields).encode() + b"\r\n")


@pytest.fixture
def pair(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()]})
    return daemon, server


def answer(client):
    """(head, body, trailers) of a chunked answer."""
    head, body, trailers = client.final_head(), b"", []
    while size := int(client.until(b"\r\n"), 16):
        body += client.exactly(size)
        client.until(b"\r\n")
    while line := client.until(b"\r\n"):
        trailers.append(line.decode())
    return head, body, trailers


def test_a_response_trailer_reaches_a_client_that_takes_trailers(pair):
    daemon, server = pair
    Trailing(server, [("X-Checksum", "abc"), *FORBIDDEN, ("Server-Timing", "db;dur=1")], "X-Checksum, Set-Cookie")
    with daemon.client() as client:
        for _ in range(2):  # and the connection goes on
            client.request("GET", "/", [("TE", "trailers"), ("Connection", "TE")])
            head, body, trailers = answer(client)
            assert body == b"answer" and trailers == ["X-Checksum: abc", "Server-Timing: db;dur=1"]
            assert head.header("Trailer") == "X-Checksum"
    assert server.requests[0].header("TE") == "trailers"
    assert server.connections == 1


def test_a_client_that_does_not_say_so_gets_none(pair):
    daemon, server = pair
    Trailing(server, [("X-Checksum", "abc")], "X-Checksum")
    with daemon.client() as client:
        client.request("GET", "/")
        head, body, trailers = answer(client)
        assert (body, trailers, head.header("Trailer")) == (b"answer", [], None)
    assert server.requests[0].header("TE") is None


def test_an_http_1_0_client_gets_none(pair):
    daemon, server = pair
    Trailing(server, [("X-Checksum", "abc")])
    with daemon.client() as client:
        client.send("GET / HTTP/1.0\r\nHost: x\r\nTE: trailers\r\n\r\n")
        head = client.head()
        assert b"".join(client.pieces(head)) == b"answer"


@pytest.mark.parametrize("cut", ["whole", "bytes"])
def test_announced_request_trailers_go_upstream_and_others_do_not(pair, cut):
    daemon, server = pair
    trailing = Trailing(server)
    raw = ("POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum, Content-Length\r\n\r\n"
           "5\r\nhello\r\n0\r\n" + lines([("X-Checksum", "abc"), ("X-Other", "1"), *FORBIDDEN]) + "\r\n")
    with daemon.client() as client:
        for piece in ([raw] if cut == "whole" else raw):
            client.send(piece)
        assert answer(client)[0].status == 200
    assert trailing.seen == [(b"hello", ["X-Checksum: abc"])]
    assert server.requests[0].header("Trailer") == "X-Checksum"


def test_unannounced_request_trailers_are_dropped(pair):
    daemon, server = pair
    trailing = Trailing(server)
    with daemon.client() as client:
        client.send("POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX:POST /smuggled HTTP/1.1\r\n\r\n")
        assert answer(client)[0].status == 200
    assert trailing.seen == [(b"", [])]


@pytest.mark.parametrize("section", ["X-T: a\nGET /smuggled HTTP/1.1\r\n\r\n", "X-T : a\r\n\r\n", " X-T: a\r\n\r\n",
                                     "X-T: a\rb\r\n\r\n", "X-T: a\0\r\n\r\n", ": a\r\n\r\n", "no colon\r\n\r\n",
                                     "X-T: " + "a" * 20000 + "\r\n\r\n"])
def test_a_malformed_trailer_section_is_refused(pair, section):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200)
    with daemon.client() as client:
        client.send("POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\n" +
                    section)
        assert client.response().status == 400
    assert all(r.target == "/t" for r in server.requests)


def test_trailers_are_sent_again_with_a_retry(start_sluice, upstream):
    first, second = upstream("first"), upstream("second")
    again = Trailing(second)

    def refuse(request, reply):
        connection = reply._connection  # pylint: disable=protected-access
        connection.until(b"\r\n\r\n")
        request.pieces = ()
        reply.send(503)
    first.read_body = False
    first.handler = refuse
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(first), "spare": pool(second)},
                           "routes": [route(variants={"stable": 100, "spare": 0}, fallback="spare",
                                            retry={"attempts": 0, "on": [503]})]})
    with daemon.client() as client:
        client.send("POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                    "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert answer(client)[0].status == 200
    assert again.seen == [(b"hello", ["X-Sum: 1"])]


def test_a_collected_body_keeps_its_trailers(start_sluice, upstream):
    server = upstream("stable")
    trailing = Trailing(server)
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)},
                           "routes": [route(match={"json": {"/model": "m"}})]})
    with daemon.client() as client:
        client.send("POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                    "d\r\n{\"model\":\"m\"}\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert answer(client)[0].status == 200
    assert trailing.seen == [(b'{"model":"m"}', ["X-Sum: 1"])]


def test_many_clients_with_trailers_at_once(pair):
    daemon, server = pair
    Trailing(server, [("X-Checksum", "abc")])
    wrong = []

    def run():
        with daemon.client() as client:
            for _ in range(20):
                client.request("GET", "/", [("TE", "trailers"), ("Connection", "TE")])
                if answer(client)[1:] != (b"answer", ["X-Checksum: abc"]):
                    wrong.append(1)
    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
