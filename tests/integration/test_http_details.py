"""Details of the HTTP rules that only show when two of them meet: trailers with Connection and edits, HTTP/1.0 with broken
answers, schemes with connections, a half close with pipelining."""
import email.utils
import ssl
import threading
import time

import pytest

from harness.certificates import make_ca, make_certificate
from harness.client import Cut
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
TAKES = [("TE", "trailers"), ("Connection", "TE")]


@pytest.fixture
def start(start_sluice, upstream):
    """start(handler, **settings of the route) -> (daemon, server)."""
    def start(handler=None, **settings):
        server = upstream("stable", handler)
        daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, ejection={"consecutive_failures": 0})},
                               "routes": [route(**settings)]})
        return daemon, server
    return start


def says(data, close=False):
    def handler(_request, reply):
        reply.over()
        reply.raw(data)
        if close:
            reply.close()
    return handler


def with_trailers(client):
    """(head, body, trailer lines) of a chunked answer."""
    head, body, lines = client.final_head(), b"", []
    while size := int(client.until(b"\r\n"), 16):
        body += client.exactly(size)
        client.until(b"\r\n")
    while line := client.until(b"\r\n"):
        lines.append(line.decode())
    return head, body, lines


# ---- trailers

def test_connection_names_trailers_away_too(start):
    daemon, server = start(says(CHUNKED + b"Connection: X-Mine, close\r\nConnection: x-other\r\nTrailer: X-Mine, X-Sum\r\n\r\n"
                                b"2\r\nok\r\n0\r\nX-Mine: 1\r\nX-Other: 2\r\nX-Sum: 3\r\n\r\n"))
    with daemon.client() as client:
        client.request("GET", "/", TAKES)
        head, body, lines = with_trailers(client)
        assert (head.header("Trailer"), body, lines) == ("X-Sum", b"ok", ["X-Sum: 3"])
    server.read_body = False
    seen = []

    def note(request, reply):
        connection = reply._connection  # pylint: disable=protected-access
        seen.append(connection.until(b"0\r\n") + b"0\r\n" + connection.until(b"\r\n\r\n"))
        request.pieces = ()
        reply.send(200, "ok")
    server.handler = note
    with daemon.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: X-Mine\r\nTrailer: X-Mine, X-Sum\r\n"
                    "\r\n2\r\nok\r\n0\r\nX-Mine: 1\r\nX-Sum: 3\r\n\r\n")
        assert client.response().status == 200
    assert seen == [b"2\r\nok\r\n0\r\nX-Sum: 3"] and server.requests[-1].header("Trailer") == "X-Sum"


def test_what_a_variant_sets_or_removes_is_no_trailer_either(start):
    seen = []

    def note(request, reply):
        connection = reply._connection  # pylint: disable=protected-access
        seen.append(connection.until(b"0\r\n") + b"0\r\n" + connection.until(b"\r\n\r\n"))
        request.pieces = ()
        reply.send(200, "ok")
    daemon, server = start(note, variants={"stable": {"weight": 100, "pool": "stable", "request": {
        "set_headers": {"X-Tier": "free"}, "remove_headers": ["X-Secret"]}}})
    server.read_body = False
    with daemon.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Tier, x-secret, X-Sum\r\n\r\n"
                    "2\r\nok\r\n0\r\nX-Tier: paid\r\nX-Secret: 1\r\nX-Sum: 3\r\n\r\n")
        assert client.response().status == 200
    assert seen == [b"2\r\nok\r\n0\r\nX-Sum: 3"]
    assert (server.requests[0].header("Trailer"), server.requests[0].header("X-Tier")) == ("X-Sum", "free")


def test_trailers_of_a_refused_answer_are_forgotten(start):
    answers = [CHUNKED + b"\r\n2\r\nno\r\n0\r\nX-Bad: 1\r\nX-Half\0\r\n\r\n",
               CHUNKED + b"\r\n2\r\nok\r\n0\r\nX-Good: 1\r\n\r\n"]

    def handler(_request, reply):
        reply.raw(answers.pop(0))
    daemon, _ = start(handler, retry={"attempts": 1, "on": [502]})
    with daemon.client() as client:
        client.request("GET", "/", TAKES)
        assert with_trailers(client)[1:] == (b"ok", ["X-Good: 1"])


# ---- HTTP/1.0

@pytest.mark.parametrize("answer", [CHUNKED + b"\r\n5\r\nhello\r\n", CHUNKED + b"\r\n5\r\nhello\r\nXX"])
def test_a_cut_answer_does_not_look_whole_to_http_1_0(start, answer):
    daemon, _ = start(says(answer, close=True))
    with daemon.client() as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        # Without a length only the kind of end can tell.
        with pytest.raises((ConnectionResetError, Cut)):
            response = client.response()
            assert response.status == 502, f"looks whole: {response}"
            raise Cut


def test_a_whole_answer_ends_in_order_for_http_1_0(start):
    daemon, _ = start(says(CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n"))
    with daemon.client() as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        assert client.response().text == "hello"


def test_via_tells_the_version_that_was_received(start):
    daemon, server = start()
    with daemon.client() as client:
        client.send("GET / HTTP/1.0\r\nVia: 1.1 other\r\n\r\n")
        assert client.response().status == 200
    daemon.ask()
    assert [r.header("Via") for r in server.requests] == ["1.1 other, 1.0 sluice", "1.1 sluice"]


# ---- schemes

def ask_raw(client, text):
    client.send(text)
    return client.response()


def test_an_https_target_on_a_plain_connection_is_misdirected(start):
    daemon, server = start()
    for target in ("https://a.example/", "HTTPS://a.example/"):
        with daemon.client() as client:
            response = ask_raw(client, f"GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n")
            assert (response.status, response.header("X-Sluice-Error")) == (421, "misdirected")
            assert client.closed()
    assert server.count == 0
    with daemon.client() as client:
        assert ask_raw(client, "GET HTTP://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n").status == 200


def test_an_https_target_on_a_secure_connection_is_served(start_sluice, upstream, tmp_path):
    ca = make_ca(tmp_path)
    pair = make_certificate(tmp_path, ca, names=["127.0.0.1"])
    server = upstream()
    tls = {"certificate": pair.certificate, "private_key": pair.key}
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()],
                           "listeners": [{"address": "127.0.0.1:0", "tls": tls}]})
    with daemon.client() as client:
        client.socket = ssl.create_default_context(cafile=ca.certificate).wrap_socket(client.socket, server_hostname="127.0.0.1")
        for scheme in ("https", "http"):
            assert ask_raw(client, f"GET {scheme}://a.example/x HTTP/1.1\r\nHost: b\r\n\r\n").status == 200
    for request in server.requests:
        assert (request.target, request.header("Host")) == ("/x", "a.example")
        assert request.header("X-Forwarded-Proto") == "https"


def test_a_trusted_proxys_word_makes_it_secure(start_sluice, upstream):
    server = upstream()
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()],
                           "trusted_proxies": ["127.0.0.1/32"]})
    for proto, status in (("https", 200), ("http", 421)):
        with daemon.client() as client:
            assert ask_raw(client, "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n"
                           f"X-Forwarded-Proto: {proto}\r\n\r\n").status == status


# ---- time

def test_an_answer_without_a_date_gets_one(start):
    daemon, server = start()
    response = daemon.ask()
    told = email.utils.parsedate_to_datetime(response.header("Date")).timestamp()
    assert abs(told - time.time()) < 5 and response.header("Date").endswith(" GMT")
    server.handler = lambda request, reply: reply.send(200, "x", [("Date", "Tue, 15 Nov 1994 08:12:31 GMT")])
    assert daemon.ask().all("Date") == ["Tue, 15 Nov 1994 08:12:31 GMT"]
    with daemon.client() as client:
        assert ask_raw(client, "GET / HTTP/1.1\r\n\r\n").header("Date"), "the proxy's own too"


# ---- limits

@pytest.mark.parametrize("cut", [1, 1000])
def test_a_body_that_is_collected_has_its_limit_too(start_sluice, upstream, cut):
    server = upstream()
    daemon = start_sluice({"workers": 1, "limits": {"body_bytes": 20, "buffered_body_bytes": "1KiB"},
                           "pools": {"stable": pool(server)}, "routes": [route(match={"json": {"/m": 1}})]})
    for spaces, status in ((0, 200), (12, 200), (13, 413)):
        body = '{"m": 1' + " " * spaces + "}"
        with daemon.client() as client:
            text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            text += f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
            for at in range(0, len(text), cut):
                client.send(text[at:at + cut])
            response = client.response()
            assert response.status == status, spaces
            assert response.header("X-Sluice-Error") == (None if status == 200 else "body_too_large")
    assert server.count == 2


# ---- half close

def test_half_a_request_behind_the_last_one_and_the_end(start):
    daemon, server = start()
    begin = time.monotonic()
    with daemon.client() as client:
        client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HT")
        client.socket.shutdown(1)
        assert [client.response().status for _ in range(2)] == [200, 200]
        assert client.closed()
    assert time.monotonic() - begin < 8, "not a matter of a time-out"
    assert [r.target for r in server.requests] == ["/1", "/2"]


def test_half_a_body_and_the_end_is_no_request(start):
    gone = threading.Event()

    def handler(request, _reply):
        try:
            for _ in request.pieces:
                pass
        finally:
            gone.set()
    daemon, server = start(handler)
    server.read_body = False
    with daemon.client() as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        client.socket.shutdown(1)
        assert client.closed()
    assert gone.wait(10)


@pytest.mark.parametrize("when", ["with the request", "while it waits"])
def test_what_is_sent_after_asking_for_the_end_costs_no_answer(start, when):
    size, sent = 4 << 20, threading.Event()

    def handler(_request, reply):
        assert sent.wait(patience(10))
        reply.send(200, b"x" * size)
    daemon, _ = start(handler)
    with daemon.client(receive_buffer=4096) as client:
        asked, more = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /more HTTP/1.1\r\nHost: h\r\n\r\n"
        client.send(asked + more if when == "with the request" else asked)
        if when == "while it waits":
            wait_for(lambda: daemon.metrics().sum("sluice_endpoint_inflight") == 1, 10, "it waits for the answer")
            client.send(more)
        sent.set()
        answer = client.response()
        assert (answer.status, len(answer.body)) == (200, size)
        assert client.closed()
