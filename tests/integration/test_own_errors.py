"""Every row of docs/errors.md, produced by a real request: status, reason, both forms, request id, log line, counter."""
import json
import os
import re
import select
import socket
import threading

import pytest

from harness.metrics import LABEL
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "errors.md")
with open(PAGE, encoding="utf-8") as page:
    ROWS = [re.findall(r"(?<=\| )(.*?)(?= \|)", line) for line in page if re.match(r"\| [0-9]{3} \|", line)]
OWN = {row[1].strip("`"): row for row in ROWS if len(row) == 5}
REFUSALS = {row[1].strip("`"): row for row in ROWS if len(row) == 3}
HOST = "Host: a.example\r\n"
CHUNKED = "POST /{0} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n{1}\r\n"

# {0} is the target, {1} the fields that say what is accepted.
MALFORMED = {
    "bad_start_line": "GET /{0} HTTP/1.1 \r\n" + HOST + "{1}\r\n",
    "bad_method": "G(T /{0} HTTP/1.1\r\n" + HOST + "{1}\r\n",
    "bad_target": "GET {0} HTTP/1.1\r\n" + HOST + "{1}\r\n",
    "target_too_long": "GET /" + "a" * 9000 + " HTTP/1.1\r\n" + HOST + "{1}\r\n",
    "connect": "CONNECT a.example:443 HTTP/1.1\r\n" + HOST + "{1}\r\n",
    "trace": "TRACE /{0} HTTP/1.1\r\n" + HOST + "{1}\r\n",
    "bad_version": "GET /{0} HTTP/2.0\r\n" + HOST + "{1}\r\n",
    "bare_lf": "GET /{0} HTTP/1.1\n" + HOST + "{1}\r\n",
    "bare_cr": "GET /{0} HTTP/1.1\r\nX: a\rb\r\n" + HOST + "{1}\r\n",
    "bad_field_name": "GET /{0} HTTP/1.1\r\nX y: z\r\n" + HOST + "{1}\r\n",
    "bad_field_value": "GET /{0} HTTP/1.1\r\nX: \x00\r\n" + HOST + "{1}\r\n",
    "folded_field": "GET /{0} HTTP/1.1\r\nX: a\r\n b\r\n" + HOST + "{1}\r\n",
    "too_many_fields": "GET /{0} HTTP/1.1\r\n" + HOST + "X: y\r\n" * 101 + "{1}\r\n",
    "head_too_large": "GET /{0} HTTP/1.1\r\n" + HOST + "X: " + "y" * 40000 + "\r\n{1}\r\n",
    "bad_host": "GET /{0} HTTP/1.1\r\nHost: a b\r\n{1}\r\n",
    "bad_length": "POST /{0} HTTP/1.1\r\n" + HOST + "Content-Length: x\r\n{1}\r\n",
    "length_and_coding": "POST /{0} HTTP/1.1\r\n" + HOST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n{1}\r\n",
    "bad_coding": "POST /{0} HTTP/1.1\r\n" + HOST + "Transfer-Encoding: chunked, x\r\n{1}\r\n",
    "unknown_coding": "POST /{0} HTTP/1.1\r\n" + HOST + "Transfer-Encoding: gzip\r\n{1}\r\n",
    "bad_chunk": CHUNKED + "x\r\n",
    "bad_trailer": CHUNKED + "0\r\nX y: z\r\n\r\n",
    "expectation": "POST /{0} HTTP/1.1\r\n" + HOST + "Expect: more\r\nContent-Length: 5\r\n{1}\r\n",
    "misdirected": "GET https://a.example/{0} HTTP/1.1\r\n" + HOST + "{1}\r\n",
}
# Our scanner and llhttp agree on every message that is known: only a unit test can make them differ.
BY_UNIT_TEST = {"parsers_disagree": ("../unit/http/test_parser.c", "notices_another_framing")}
# Refused before the head's fields are known, so that the form is text and the log has no target.
EARLY = {"bad_start_line", "bad_method", "bad_target", "target_too_long", "connect", "trace", "bad_version", "bare_lf",
         "bare_cr", "bad_field_name", "bad_field_value", "folded_field", "too_many_fields", "head_too_large", "bad_host"}


def counter_of(daemon, text):
    """The value of the counter that a row names: `name{label="value"}`."""
    name, labels = re.fullmatch(r"`(\w+)\{(.*)\}`", text).groups()
    return daemon.metrics().sum(name, **dict(LABEL.findall(labels)))


def judge(response, status, reason):
    assert (response.status, response.header("X-Sluice-Error")) == (status, reason), response
    assert response.header("X-Request-Id")
    assert response.header("X-Request-Id") in response.text
    assert (response.header("Retry-After") is not None) == (status == 503)
    if response.header("Content-Type") == "application/json":
        error = response.json()["error"]
        assert error["code"] == reason and error["message"] and error["request_id"] == response.header("X-Request-Id")
    else:
        assert response.header("Content-Type").startswith("text/plain") and f"({reason})" in response.text


def logged(daemon, request_id):
    def line():
        with open(os.path.join(daemon.directory, "access.log"), encoding="utf-8") as file:
            found = [json.loads(text) for text in file.read().splitlines() if request_id in text and text.endswith("}")]
        return found[0] if found else None
    return wait_for(line, 5, f"the log has {request_id}")


def test_every_row_has_a_producer():
    assert set(MALFORMED) | set(BY_UNIT_TEST) == set(REFUSALS)
    assert set(PRODUCERS) == set(OWN)
    for path, test in BY_UNIT_TEST.values():
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), path), encoding="utf-8") as file:
            assert f"cmocka_unit_test({test})" in file.read()


def test_refusals(start_sluice, upstream):
    server = upstream()
    daemon = start_sluice({"workers": 1, "access_log": {"path": "access.log"}, "pools": {"stable": pool(server)},
                           "routes": [route(retry={"on": ["connect"]})]})
    answers = []
    for reason, raw in MALFORMED.items():
        status = int(REFUSALS[reason][0])
        counter = f'`sluice_rejected_requests_total{{reason="{reason}"}}`'
        before = counter_of(daemon, counter)
        for accept in ("application/json", "text/plain"):
            with daemon.client() as client:
                client.send(raw.format("never", f"Accept: {accept}\r\n").encode("latin-1"))
                response = client.response()
                judge(response, status, reason)
                if reason not in EARLY:
                    assert response.header("Content-Type").startswith(accept)
                assert response.header("Connection") == "close" and client.closed()
            answers.append((response.header("X-Request-Id"), reason, status))
        assert counter_of(daemon, counter) == before + 2
    for request_id, reason, status in answers:
        line = logged(daemon, request_id)
        assert (line["reply"], line["status"]) == (reason, status)
    assert server.count == 0 or all(r.path == "/never" and r.chunked for r in server.requests)


# ---- the proxy's own answers: each producer starts what it needs and gives (daemon, ask), where ask(headers, method)
# returns the answer.

class Case:
    def __init__(self, start_sluice, upstream):
        self.start_sluice, self.upstream, self.closers = start_sluice, upstream, []

    def daemon(self, *endpoints, pool_settings=None, variants=None, **settings):
        config = {"workers": 1, "access_log": {"path": "access.log"}, "pools": {"stable": pool(*endpoints, **(pool_settings or {}))},
                  "routes": [route(**(variants or {}))]}
        prefix = settings.pop("argv_prefix", ())
        config.update(settings)
        return self.start_sluice(config, argv_prefix=prefix)

    @staticmethod
    def asking(daemon, body=None):
        def ask(headers, method="GET"):
            with daemon.client() as client:
                return client.ask(method, "/", headers, body)
        return ask


def hang(_request, reply):
    reply.hang()


def refused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def no_route(case):
    daemon = case.daemon(case.upstream(), variants={"match": {"path": "/other"}})
    return daemon, case.asking(daemon)


def body_too_large(case):
    daemon = case.daemon(case.upstream(), limits={"body_bytes": 10})

    def ask(headers, method="POST"):
        with daemon.client() as client:
            return client.ask(method, "/", headers, "x" * 11)
    return daemon, ask


def edited(body, headers=()):
    """A body that the variant's edit cannot be made in."""
    def produce(case):
        daemon = case.daemon(case.upstream(), variants={"variants": {"stable": {
            "pool": "stable", "weight": 100, "request": {"json": {"/a/b": 1}}}}}, limits={"buffered_body_bytes": 1000})

        def ask(more, method="POST"):
            with daemon.client() as client:
                return client.ask(method, "/", [*more, *headers], body)
        return daemon, ask
    return produce


def header_timeout(case):
    daemon = case.daemon(case.upstream(), timeouts={"client_header": "200ms"})

    def ask(headers, method="GET"):
        with daemon.client() as client:
            client.send(client.render(method, "/", headers)[:-2])
            return client.response()
    return daemon, ask


def body_timeout(case):
    daemon = case.daemon(case.upstream(), timeouts={"client_idle": "200ms"})

    def ask(headers, method="POST"):
        with daemon.client() as client:
            client.request(method, "/", [*headers, ("Content-Length", "5")])
            return client.response(method)
    return daemon, ask


def connections(case):
    daemon = case.daemon(case.upstream(), limits={"connections": 1})
    first = daemon.client()
    assert first.ask().status == 200
    case.closers.append(first.close)

    def ask(_headers, _method="GET"):
        with daemon.client() as client:
            return client.response()
    return daemon, ask


def occupied(case, queue):
    """A pool whose only place is taken."""
    begun = threading.Event()

    def handler(_request, reply):
        begun.set()
        reply.hang(30)
    daemon = case.daemon(case.upstream(handler=handler), pool_settings={"max_inflight": 1, "queue": queue})
    client = daemon.client()
    client.request()
    assert begun.wait(10)
    case.closers.append(client.close)
    return daemon, case.asking(daemon)


def requests(case):
    begun = threading.Event()

    def handler(_request, reply):
        begun.set()
        reply.hang(30)
    daemon = case.daemon(case.upstream(handler=handler), limits={"requests": 1})
    client = daemon.client()
    client.request()
    assert begun.wait(10)
    case.closers.append(client.close)
    return daemon, case.asking(daemon)


def memory(case):
    """Heads in pieces hold a buffer each; the one that is too much is refused itself."""
    daemon = case.daemon(case.upstream(), limits={"memory": "1MiB"})
    for _ in range(20):
        client = daemon.client()
        client.send("GET / HTTP/1.1\r\n")
        case.closers.append(client.close)
    wait_for(lambda: daemon.metrics().sum("sluice_rejected_requests_total", reason="memory") == 5, 5, "15 hold a buffer")
    return daemon, case.asking(daemon)


def descriptors(case):
    """Requests that hang take what there is for connections to endpoints; the others get none, and are told."""
    server = case.upstream(handler=lambda request, reply: reply.hang(600))
    daemon = case.daemon(server, argv_prefix=("prlimit", "--nofile=100:100"))
    clients = [daemon.client() for _ in range(40)]
    case.closers += [client.close for client in clients]
    for client in clients:
        client.request()

    def refused():
        """The clients that have an answer, once every request hangs or has one: nobody else is counted after that."""
        answered = select.select([client.socket for client in clients], [], [], 0)[0]
        return server.count + len(answered) == len(clients) and [c for c in clients if c.socket in answered]
    told = wait_for(refused, patience(20), "every request hangs or was answered")
    for client in told:
        assert client.response().header("X-Sluice-Error") == "descriptors"
    client = told[0]

    def ask(headers, method="GET"):
        return client.ask(method, "/", headers)
    return daemon, ask


def queue_full(case):
    return occupied(case, {"size": 0, "timeout": "5s"})


def queue_timeout(case):
    return occupied(case, {"size": 10, "timeout": "100ms"})


def no_endpoint(case):
    server = case.upstream()
    daemon = case.daemon(server)
    assert daemon.cli("drain", "stable", server.url).returncode == 0
    return daemon, case.asking(daemon)


def connect_failed(case):
    daemon = case.daemon(refused_port(), pool_settings={"ejection": {"consecutive_failures": 0}})
    return daemon, case.asking(daemon)


def connect_timeout(case):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(8):  # what a queue of none takes, and more
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    case.closers += [listener.close, *[f.close for f in fillers]]
    daemon = case.daemon(f"http://127.0.0.1:{listener.getsockname()[1]}", timeouts={"connect": "200ms"},
                         pool_settings={"ejection": {"consecutive_failures": 0}})
    return daemon, case.asking(daemon)


def tls_failed(case):
    listener = socket.create_server(("127.0.0.1", 0))

    def no_tls():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    threading.Thread(target=no_tls, daemon=True).start()
    case.closers += [lambda: listener.shutdown(socket.SHUT_RDWR), listener.close]
    daemon = case.daemon(f"https://127.0.0.1:{listener.getsockname()[1]}",
                         pool_settings={"ejection": {"consecutive_failures": 0}})
    return daemon, case.asking(daemon)


def answering(handler, **timeouts):
    def produce(case):
        daemon = case.daemon(case.upstream(handler=handler), pool_settings={"ejection": {"consecutive_failures": 0}},
                             **({"timeouts": timeouts} if timeouts else {}))
        return daemon, case.asking(daemon)
    return produce


def malformed(_request, reply):
    reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
    reply.wait_closed()
    reply.close()


PRODUCERS = {
    "body_too_large_to_edit": edited('{"a":"' + "x" * 1000 + '"}'), "body_coded": edited("x", [("Content-Encoding", "gzip")]),
    "body_not_json": edited("{"), "body_too_deep": edited("[" * 129 + "]" * 129), "body_no_place": edited('{"a":1}'),
    "no_route": no_route, "body_too_large": body_too_large, "header_timeout": header_timeout, "body_timeout": body_timeout,
    "connections": connections, "requests": requests, "memory": memory, "descriptors": descriptors, "queue_full": queue_full, "queue_timeout": queue_timeout, "no_endpoint": no_endpoint,
    "connect_failed": connect_failed, "connect_timeout": connect_timeout, "tls_failed": tls_failed,
    "upstream_reset": answering(lambda request, reply: reply.reset()), "bad_response": answering(malformed),
    "first_byte_timeout": answering(hang, first_byte="200ms"), "total_timeout": answering(hang, total="200ms"),
}


@pytest.mark.parametrize("reason", sorted(OWN))
def test_own_answers(reason, start_sluice, upstream):
    status, counter = int(OWN[reason][0]), OWN[reason][2]
    case = Case(start_sluice, upstream)
    daemon, ask = PRODUCERS[reason](case)
    before = counter_of(daemon, counter)
    early = reason in ("connections", "header_timeout")  # what the client accepts is not known yet
    asked = 0
    try:
        for accept in ("application/json", "text/plain"):
            response = ask([("Accept", accept)])
            asked += 1
            if reason == "connections":  # said while accepting: nothing of a request was read
                assert (response.status, response.header("X-Sluice-Error")) == (status, reason)
                assert response.header("Retry-After") and f"({reason})" in response.text
                continue
            judge(response, status, reason)
            assert early or response.header("Content-Type").startswith(accept)
            line = logged(daemon, response.header("X-Request-Id"))
            assert (line["reply"], line["status"]) == (reason, status)
        if not early:
            response = ask([("Accept", "application/json")], "HEAD")
            asked += 1
            assert (response.status, response.body, response.header("X-Sluice-Error")) == (status, b"", reason)
        wait_for(lambda: counter_of(daemon, counter) == before + asked, 5, f"{counter} counts each of them once")
    finally:
        for close in case.closers:
            close()


