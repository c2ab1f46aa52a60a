"""The rules of HTTP/1.1 that this proxy keeps, one test a subject. What a subject has many cases of (framing, chunks, names,
targets, Host) stands in tests/data/conformance as well; here is the part that is about behaviour."""
import re
import signal
import socket
import threading
import time

import pytest

from harness.client import Client, Cut
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for


@pytest.fixture
def pair(start_sluice, upstream):
    """(daemon, server): one worker, one upstream; `settings` of the route and the file by start()."""
    server = upstream("stable")
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, ejection={"consecutive_failures": 0})},
                           "routes": [route()]})
    return daemon, server


def raw(daemon, text, method="GET"):
    with daemon.client() as client:
        client.send(text)
        return client.response(method)


def refused(daemon, text, status):
    with daemon.client() as client:
        client.send(text)
        response = client.response()
        assert response.status == status and response.header("X-Sluice-Error"), (text, response)
        assert client.closed()


def answer_raw(server, data, close=False):
    def handler(_request, reply):
        reply.raw(data)
        if close:
            reply.close()
    server.handler = handler


HEAD = "{} HTTP/1.1\r\nHost: a.example\r\n"


def test_framing_of_requests(pair):
    daemon, server = pair
    for fields in ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
                   "Content-Length: +5\r\n", "Content-Length: \r\n", "Content-Length: 9223372036854775808\r\n",
                   "Transfer-Encoding: chunked, chunked\r\n"):
        refused(daemon, HEAD.format("POST /") + fields + "\r\n", 400)
    refused(daemon, HEAD.format("POST /") + "Transfer-Encoding: gzip\r\n\r\n", 501)
    refused(daemon, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400)
    assert server.count == 0
    assert raw(daemon, HEAD.format("POST /") + "\r\n").status == 200 and server.requests[0].body == b""


def test_framing_of_responses(pair):
    daemon, server = pair
    for fields in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n",
                   b"Transfer-Encoding: gzip\r\n"):
        answer_raw(server, b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nhello")
        before = server.connections
        assert daemon.ask().header("X-Sluice-Error") == "bad_response"
        daemon.ask()
        assert server.connections == before + 2, "the connection was not used again"
    answer_raw(server, b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close=True)
    assert daemon.ask().text == "until the end"
    for status in (204, 304):
        answer_raw(server, b"HTTP/1.1 %d X\r\nContent-Length: 4\r\n\r\nEVIL" % status)
        assert (daemon.ask().status, daemon.ask().body) == (status, b"")
    answer_raw(server, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    response = daemon.ask("HEAD")
    assert (response.body, response.header("Content-Length")) == (b"", "4")


def test_line_ends_names_values(pair):
    daemon, server = pair
    for text in ("GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
                 "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
                 "GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n",
                 "GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n"):
        refused(daemon, text, 400)
    assert server.count == 0
    for line in (b"X: a\rb", b"X: \0", b"X: a\r\n b", b"X : a", b": a"):
        answer_raw(server, b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Length: 0\r\n\r\n")
        assert daemon.ask().status == 502, line


def test_chunks(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(200, request.body)
    start = HEAD.format("POST /") + "Transfer-Encoding: chunked\r\n\r\n"
    for body in ("+5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
                 "00000000000000005\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n"):
        refused(daemon, start + body, 400)
    assert raw(daemon, start + "5;name=\"a value\"\r\nhello\r\n5;x\r\nworld\r\n0\r\nHost: evil\r\n\r\n").text == "helloworld"
    assert all("evil" not in v for _, v in server.requests[-1].headers)


def test_request_target(pair):
    daemon, server = pair
    assert raw(daemon, "GET http://b.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n").status == 200
    assert (server.requests[0].target, server.requests[0].header("Host")) == ("/x?y", "b.example")
    assert raw(daemon, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status == 200 and server.requests[1].target == "*"
    refused(daemon, "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400)
    refused(daemon, "CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405)
    for target in ("/\x01", "/a b", "/\xe9", "a"):
        refused(daemon, f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n", 400)
    for target in ("/%7Euser/../%2e/x", "//a//b", "/a%00%2fb;c=d?e=%zz"):
        assert raw(daemon, HEAD.format("GET " + target) + "\r\n").status == 200
        assert server.requests[-1].target == target, "byte for byte"


def test_request_target_is_matched_in_its_normal_form(start_sluice, upstream):
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(upstream())}, "routes": [route(match={"path_prefix": "/v1/"})]})
    for target, status in (("/v1/x", 200), ("/%76%31/x", 200), ("/a/../v1/x", 200), ("/v1/../x", 404), ("/v1%2fx", 404)):
        assert raw(daemon, HEAD.format("GET " + target) + "\r\n").status == status, target


def test_host(pair):
    daemon, server = pair
    for fields in ("", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: u@a\r\n", "Host: a, b\r\n", "Host:\r\n"):
        refused(daemon, f"GET / HTTP/1.1\r\n{fields}\r\n", 400)
    assert server.count == 0
    assert raw(daemon, "GET / HTTP/1.0\r\n\r\n").status == 200


def test_version(pair):
    daemon, server = pair
    for line, status in (("GET / HTTP/2.0", 505), ("GET / HTTP/1.2", 505), ("PRI * HTTP/2.0", 505), ("GET / HTTP/3", 400),
                         ("GET /", 400)):
        refused(daemon, line + "\r\nHost: a\r\n\r\n", status)
    assert server.count == 0
    assert raw(daemon, "GET / HTTP/1.0\r\nHost: a\r\n\r\n").status == 200


def test_hop_by_hop(pair):
    daemon, server = pair
    gone = {"Connection": "X-Mine, Host, Content-Length", "X-Mine": "1", "Keep-Alive": "timeout=5", "Proxy-Connection": "close",
            "TE": "gzip", "Upgrade": "h2c", "Proxy-Authorization": "x", "HTTP2-Settings": "AAMAAABk"}
    daemon.ask("POST", "/", [*gone.items(), ("X-Kept", "1")], "hello")
    seen = server.requests[0]
    assert not [name for name in gone if seen.header(name) is not None]
    assert seen.header("X-Kept") == "1" and seen.header("Host") and seen.body == b"hello"
    answer_raw(server, b"HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: x\r\n"
                       b"Content-Length: 0\r\nX-Kept: 1\r\n\r\n")
    response = daemon.ask()
    assert [response.header(n) for n in ("X-Mine", "Keep-Alive", "Proxy-Authenticate", "X-Kept")] == [None, None, None, "1"]


def test_added(pair):
    daemon, server = pair
    daemon.ask(host="a.example:81")
    seen = server.requests[0]
    assert seen.header("Via") == "1.1 sluice" and seen.header("X-Forwarded-For") == "127.0.0.1"
    assert (seen.header("X-Forwarded-Proto"), seen.header("X-Forwarded-Host")) == ("http", "a.example:81")
    assert (seen.header("X-Sluice-Route"), seen.header("X-Sluice-Variant")) == ("chat", "stable")
    assert seen.header("X-Request-Id") and re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", seen.header("traceparent"))


def test_spoofing(pair):
    daemon, server = pair
    lies = [("X-Sluice-Variant", "lie"), ("X_Sluice_Variant", "lie"), ("X-Forwarded-For", "lie"), ("X_Forwarded_For", "lie"),
            ("X-Forwarded-Proto", "lie"), ("Forwarded", "for=lie"), ("x-forwarded_host", "lie")]
    daemon.ask(headers=lies)
    assert not [value for _, value in server.requests[0].headers if "lie" in value]


def test_expect_100_continue(pair):
    daemon, server = pair
    server.read_body = False
    server.handler = lambda request, reply: reply.send(200, b"".join(request.pieces))
    with daemon.client() as client:
        client.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")])
        assert client.head().status == 100
        client.send("hello")
        assert client.response().text == "hello"
    assert server.requests[0].header("Expect") == "100-continue"

    def silent(request, reply):
        request.headers = [(n, v) for n, v in request.headers if n != "Expect"]
        reply.send(200, b"".join(request.pieces))
    server.handler = silent
    with daemon.client() as client:
        client.request("POST", "/", [("Expect", "100-continue"), ("Content-Length", "5")])
        assert client.head().status == 100, "let through by the proxy"
        client.send("world")
        assert client.response().text == "world"
    refused(daemon, HEAD.format("POST /") + "Expect: more\r\nContent-Length: 5\r\n\r\n", 417)
    assert server.count == 2


def test_upgrade_websocket(pair):
    daemon, server = pair
    ask = HEAD.format("GET /") + "Connection: Upgrade\r\nUpgrade: {}\r\n\r\n"

    def switch(request, reply):
        if request.header("Upgrade") != "websocket":
            reply.send(200, "not asked")
            return
        reply.raw(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
        assert reply._connection.until(b"!") == b"ping"  # pylint: disable=protected-access
        reply.raw(b"pong")
        assert reply.wait_closed(patience(10))
        reply.close()
    server.handler = switch
    assert raw(daemon, ask.format("h2c")).text == "not asked"
    with daemon.client() as client:
        client.send(ask.format("websocket"))
        assert client.head().status == 101 and client.exactly(5) == b"first"
        client.send("ping!")
        assert client.exactly(4) == b"pong"
        client.socket.shutdown(socket.SHUT_WR)  # half a close goes on, and then the other half comes back
        assert client.closed()
    daemon.counted("sluice_requests_total", 2, code="2xx")  # the tunnel is one exchange


def test_1xx(pair):
    daemon, server = pair
    answer_raw(server, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
                       b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    response = daemon.ask()
    assert response.interim == [103, 102] and response.text == "ok"
    assert raw(daemon, "GET / HTTP/1.0\r\n\r\n").interim == [], "none to HTTP/1.0"
    answer_raw(server, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
    assert daemon.ask().status == 502


def test_early_response(pair):
    daemon, server = pair
    server.read_body = False

    def early(request, reply):
        request.pieces = ()
        reply.send(413, "too much for me")
        reply.close()
    server.handler = early
    with daemon.client() as client:
        client.send(HEAD.format("POST /") + "Content-Length: 100000000\r\n\r\n" + "x" * 100_000)
        response = client.response()
        assert (response.status, response.text) == (413, "too much for me")
        assert response.header("Connection") == "close"
        try:
            for _ in range(200):
                client.send(b"x" * 1_000_000)  # thrown away up to a bound, then the end
            pytest.fail("all of it was read")
        except OSError:
            pass


def test_pipelining(pair):
    daemon, server = pair
    turn = threading.Semaphore(0)

    def one_by_one(request, reply):
        assert turn.acquire(timeout=patience(10))
        reply.send(200, request.target)
    server.handler = one_by_one
    with daemon.client() as client:
        client.send("".join(HEAD.format(f"GET /{i}") + "\r\n" for i in range(50)))
        for number in range(50):
            wait_for(lambda: server.count == number + 1, 5, "one is asked at a time")  # pylint: disable=cell-var-from-loop
            turn.release()
            assert client.response().text == f"/{number}"
    client = daemon.client()
    client.socket.settimeout(patience(2))
    sent = 0
    with pytest.raises(TimeoutError):  # what comes ahead waits, bounded
        while sent < 64 << 20:
            sent += client.socket.send((HEAD.format("GET /more") + "\r\n").encode() * 1000)
    client.close()
    turn.release()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_keep_alive_race(pair, method):
    daemon, server = pair
    seen = []

    def closes_on_the_second(request, reply):
        seen.append(request.connection)
        if seen.count(request.connection) == 2:
            reply.close()  # after it has read the request: it may have acted on it
        reply.send(200, "ok")
    server.handler = closes_on_the_second
    assert daemon.ask(method, body="x" if method == "POST" else None).status == 200
    second = daemon.ask(method, body="x" if method == "POST" else None)
    if method == "GET":
        assert second.status == 200 and len(seen) == 3, "sent again, once, on a fresh connection"
    else:
        assert second.header("X-Sluice-Error") == "upstream_reset" and len(seen) == 2, "never twice"


def test_retries(start_sluice, upstream):
    first, second = upstream("first", lambda request, reply: reply.send(503, "no")), upstream("second")
    daemon = start_sluice({"workers": 1, "limits": {"buffered_body_bytes": "1KiB"}, "routes": [
        route(retry={"attempts": 1, "on": [503]})], "pools": {"stable": pool(first, second, balance="round_robin",
                                                                             ejection={"consecutive_failures": 0})}})
    for _ in range(4):
        assert daemon.ask("POST", body="small").text == "second"
    statuses = {daemon.ask("POST", body="x" * 5000).status for _ in range(4)}
    assert statuses == {200, 503}, "a body that was not kept is sent once"


def test_streaming(pair):
    daemon, server = pair
    turn = threading.Semaphore(0)

    def events(_request, reply):
        reply.begin_sse()
        for number in range(5):
            assert turn.acquire(timeout=patience(10))
            reply.event(number)
        reply.end_chunked()
    server.handler = events
    with daemon.client() as client:
        client.request()
        client.head()
        for number in range(5):
            turn.release()
            assert client.chunk() == f"data: {number}\n\n".encode(), "as it arrives, not gathered"


def test_client_goes_away(pair):
    daemon, server = pair
    gone = threading.Event()

    def endless(_request, reply):
        reply.begin_sse()
        try:
            while True:
                reply.event("x")
                time.sleep(0.01)
        finally:
            gone.set()
    server.handler = endless
    client = daemon.client()
    client.request()
    client.head()
    client.reset()
    assert gone.wait(patience(5))
    daemon.counted("sluice_requests_total", 1, code="499")
    assert daemon.metrics().sum("sluice_request_errors_total") == 0


def test_limits(start_sluice, upstream):
    daemon = start_sluice({"workers": 1, "limits": {"connections": 2, "header_bytes": "16KiB", "body_bytes": 10},
                           "pools": {"stable": pool(upstream())}, "routes": [route()]})
    refused(daemon, HEAD.format("GET /") + "X: " + "y" * 20000 + "\r\n\r\n", 431)
    refused(daemon, HEAD.format("GET /") + "X: y\r\n" * 101 + "\r\n", 431)
    refused(daemon, HEAD.format("GET /" + "a" * 9000) + "\r\n", 414)
    assert daemon.ask("POST", body="x" * 11).status == 413
    with daemon.client() as one, daemon.client() as two:
        assert one.ask().status == two.ask().status == 200
        with daemon.client() as three:
            assert three.response().status == 503


def test_time_outs(start_sluice, upstream):
    daemon = start_sluice({"workers": 1, "timeouts": {"client_header": "200ms", "first_byte": "200ms", "client_idle": "400ms"},
                           "pools": {"stable": pool(upstream(handler=lambda request, reply: reply.hang()))},
                           "routes": [route()]})
    with daemon.client() as client:
        client.send("GET / HTT")
        assert client.response().status == 408
    assert daemon.ask().status == 504
    with daemon.client() as client:
        client.send(HEAD.format("POST /") + "Content-Length: 5\r\n\r\nhe")
        assert client.response().status == 408
    with daemon.client() as client:
        assert client.closed(), "idle"


def test_drain(start_sluice, upstream):
    release = threading.Event()

    def slow(request, reply):
        if request.path == "/stream":
            reply.begin_sse()
            reply.event("first")
            assert release.wait(patience(10))
            reply.event("last")
            reply.end_chunked()
        else:
            reply.send(200)
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(upstream("stable", slow))}, "routes": [route()]})
    streaming, idle = daemon.client(), daemon.client()
    assert idle.ask().status == 200
    streaming.request("GET", "/stream")
    streaming.head()
    assert b"first" in streaming.chunk()
    daemon.child.signal(signal.SIGTERM)
    assert idle.closed()
    with pytest.raises(OSError):
        socket.create_connection(daemon.address, timeout=2).close()
    release.set()
    assert b"last" in streaming.chunk() and streaming.chunk() == b""
    streaming.close()
    idle.close()
    assert daemon.child.wait(20) == 0


def test_proxy_protocol(start_sluice, upstream):
    server = upstream()
    daemon = start_sluice({"workers": 1, "listeners": [{"address": "127.0.0.1:0", "proxy_protocol": True}],
                           "trusted_proxies": ["127.0.0.1/32"], "pools": {"stable": pool(server)}, "routes": [route()]})
    address = ("127.0.0.1", int(daemon.listening()[0].rsplit(":", 1)[1]))
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    first = b"PROXY TCP4 192.0.2.1 192.0.2.9 1111 80\r\n"
    second = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.2") + socket.inet_aton("192.0.2.9") +
              b"\x04\x57\0\x50")
    for header, status in ((first, 200), (second, 200), (b"", None), (b"PROXY nonsense\r\n", None)):
        with Client(address) as client:
            client.send(header + request)
            assert client.response().status == status if status else client.closed()
    assert [r.header("X-Forwarded-For") for r in server.requests] == ["192.0.2.1", "192.0.2.2"]


def test_own_errors(pair):
    daemon, _ = pair
    daemon.config["routes"][0]["match"] = {"path": "/only"}
    daemon.write()
    assert daemon.cli("reload").returncode == 0
    response = daemon.ask(headers=[("Accept", "application/json"), ("X-Request-Id", "mine-1234")])
    assert response.json()["error"]["code"] == response.header("X-Sluice-Error") == "no_route"
    assert response.header("X-Request-Id") == "mine-1234"
    assert daemon.ask(headers=[("Accept", "text/plain")]).header("Content-Type").startswith("text/plain")
    assert daemon.ask("HEAD").body == b"" and "127.0.0.1" not in response.text


def test_a_cut_answer_is_never_completed(pair):
    daemon, server = pair
    for data in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"):
        answer_raw(server, data, close=True)
        with pytest.raises((Cut, OSError)):
            daemon.ask()
