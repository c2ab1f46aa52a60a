"""TLS of listeners, as openssl s_client, curl, gnutls-cli and Python's ssl see it."""
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness.certificates import make_ca, make_certificate, make_ocsp_response
from harness.scale import patience, sanitizer, scaled
from harness.sluice import pool, route
from harness.wait import wait_for


class Made:
    """A certificate, with its files as a listener's `tls` wants them."""

    def __init__(self, pair):
        self.pair, self.certificate = pair, pair.certificate
        self.files = {"certificate": pair.certificate, "private_key": pair.key}


class Authority:
    def __init__(self, directory, name="ca"):
        directory.mkdir(exist_ok=True)
        self.directory, self.ca = directory, make_ca(directory, name)
        self.certificate = self.ca.certificate

    def sign(self, name, names, **settings):
        return Made(make_certificate(self.directory, self.ca, names, stem=name, **settings))

    def ocsp(self, made):
        return make_ocsp_response(self.directory, self.ca, made.pair)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def a_test(ca):
    return ca.sign("a", ["a.test", "localhost", "127.0.0.1"])


class Front:
    """A daemon with one TLS listener, and ways to speak with it."""

    def __init__(self, start_sluice, server, ca, tls, workers=2, **settings):
        self.ca = ca
        self.daemon = start_sluice({"workers": workers, "listeners": [{"address": "127.0.0.1:0", "tls": tls}],
                                    "pools": {"stable": pool(server)}, "routes": [route()], **settings})
        self.port = int(self.daemon.listening()[0].rsplit(":", 1)[1])

    def context(self, **settings):
        context = ssl.create_default_context(cafile=self.ca.certificate)
        context.minimum_version = settings.get("version", ssl.TLSVersion.TLSv1_2)
        context.maximum_version = settings.get("version", ssl.TLSVersion.TLSv1_3)
        context.options &= ~0x80  # SSL_OP_IGNORE_UNEXPECTED_EOF: an end without close_notify is an error
        if "pair" in settings:
            context.load_cert_chain(*settings["pair"])
        if "protocols" in settings:
            context.set_alpn_protocols(settings["protocols"])
        return context

    def connect(self, name="a.test", context=None, session=None):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=patience(10))
        return (context or self.context()).wrap_socket(raw, server_hostname=name, session=session)

    def ask(self, sock, target="/", head="", body=b"", method="GET"):
        sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: a.test\r\n{head}".encode() +
                     (f"Content-Length: {len(body)}\r\n\r\n".encode() if body else b"\r\n") + body)
        data = b""
        while b"\r\n\r\n" not in data:
            got = sock.recv(65536)
            assert got, f"closed after {data!r}"
            data += got
        head, body = data.split(b"\r\n\r\n", 1)
        length, pieces = int(re.search(rb"(?i)content-length: (\d+)", head)[1]), [body]
        missing = length - len(body)
        while missing > 0:
            pieces.append(sock.recv(65536))
            assert pieces[-1], f"{missing} bytes are missing"
            missing -= len(pieces[-1])
        return head.decode(), b"".join(pieces)

    def refused(self, reason="tls_handshake"):
        return self.daemon.metrics().sum("sluice_rejected_requests_total", reason=reason)

    def logged(self, text):
        wait_for(lambda: text in self.daemon.stderr(), 10, f"the log says {text!r}")


def run(*command, stdin="", timeout=30):
    """(output of both kinds, exit code)"""
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, text=True, timeout=patience(timeout),
                          check=False, errors="replace")
    return done.stdout + done.stderr, done.returncode


@pytest.fixture
def front(start_sluice, upstream, ca, a_test):
    def make(tls=None, handler=None, **settings):
        server = upstream("stable", handler)
        made = Front(start_sluice, server, ca, {**a_test.files, **(tls or {})}, **settings)
        made.server = server
        return made
    return make


# ---- three clients, two versions

@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl(front, ca, version):
    made = front()
    output, code = run("curl", "-sS", "-v", "--cacert", ca.certificate, f"--tlsv{version}", "--tls-max", version,
                       f"https://localhost:{made.port}/x", f"https://localhost:{made.port}/y")
    assert code == 0 and output.count("stablestable") == 1, output
    assert f"TLSv{version}" in output and "http/1.1" in output
    assert [r.header("X-Forwarded-Proto") for r in made.server.requests] == ["https", "https"]


@pytest.mark.parametrize("version", ["1_2", "1_3"])
def test_openssl_connects_and_resumes(front, ca, tmp_path, version):
    made = front()
    session = tmp_path / "session"
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{made.port}", "-servername", "a.test", "-CAfile", ca.certificate,
               "-verify_return_error", f"-tls{version}", "-alpn", "http/1.1", "-ign_eof"]
    request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    output, _ = run(*command, "-sess_out", session, stdin=request)
    assert "New, TLSv" in output and "Verify return code: 0" in output and "HTTP/1.1 200" in output, output
    assert "ALPN protocol: http/1.1" in output
    for _ in range(4):  # whichever worker it comes to
        output, _ = run(*command, "-sess_in", session, stdin=request)
        assert "Reused, TLSv" in output and "HTTP/1.1 200" in output, output
    assert made.daemon.cli("reload").returncode == 0
    output, _ = run(*command, "-sess_in", session, stdin=request)
    assert "Reused, TLSv" in output, "a reload forgets no session"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_gnutls_connects_and_resumes(front, ca, version):
    made = front()
    output, code = run("gnutls-cli", "--x509cafile", ca.certificate, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
                       "--resume", "--waitresumption", "--sni-hostname", "a.test", "--verify-hostname", "a.test",
                       "--alpn", "http/1.1", "-p", made.port, "127.0.0.1",
                       stdin="GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
    assert code == 0 and "The certificate is trusted" in output, output
    assert "This is a resumed session" in output and "HTTP/1.1 200" in output, output


def test_sessions_are_resumed_and_versions_kept(front):
    made = front()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = made.context(version=version)
        with made.connect(context=context) as sock:
            made.ask(sock)
            session = sock.session
        for _ in range(3):  # each visit brings the ticket of the next: in TLS 1.3 they are for one use
            with made.connect(context=context, session=session) as sock:
                assert sock.session_reused
                assert made.ask(sock)[1] == b"stable"
                session = sock.session


# ---- certificates

def test_the_certificate_is_chosen_by_name(front, ca):
    b, wild, rsa = ca.sign("b", ["b.test"]), ca.sign("w", ["*.w.test", "B.TEST"]), ca.sign("r", ["r.test"], key="rsa")
    made = front({"certificates": [b.files, wild.files, rsa.files]})
    plain = made.context()
    plain.check_hostname = False
    for asked, common in [("b.test", "b.test"), ("B.test", "b.test"), ("x.w.test", "*.w.test"), ("X.W.TEST", "*.w.test"),
                          ("r.test", "r.test"), ("a.test", "a.test"), ("w.test", "a.test"), ("x.y.w.test", "a.test"),
                          ("other.test", "a.test"), (None, "a.test")]:
        with made.connect(asked, plain) as sock:
            assert dict(sock.getpeercert()["subject"][0])["commonName"] == common, asked
            assert made.ask(sock)[1] == b"stable"


def test_the_ocsp_response_is_stapled(front, ca, a_test):
    made = front({"ocsp_response": ca.ocsp(a_test)})
    for version in ("-tls1_2", "-tls1_3"):
        output, _ = run("openssl", "s_client", "-connect", f"127.0.0.1:{made.port}", "-status", version, "-CAfile",
                        ca.certificate)
        assert "OCSP Response Status: successful" in output and "Cert Status: good" in output, output


def test_client_certificates(front, ca):
    good = ca.sign("client", ["client.test"], client=True, subject="/O=Models, Inc./CN=jane")
    for kind in ("required", "optional"):
        made = front({"client_ca": ca.certificate, "client_certificate": kind})
        with made.connect(context=made.context(pair=good.pair)) as sock:
            made.ask(sock, head="X-Sluice-Client-Subject: CN=root\r\nX_Sluice_Client_Subject: CN=root\r\n")
        assert made.server.requests[-1].header("X-Sluice-Client-Subject") == r"CN=jane,O=Models\, Inc."
        assert not any("root" in v for _, v in made.server.requests[-1].headers)
    with made.connect() as sock:  # optional
        assert made.ask(sock)[1] == b"stable"
    assert made.server.requests[-1].header("X-Sluice-Client-Subject") is None


def test_a_session_does_not_outlive_its_authorities(front, ca, tmp_path):
    good, other = ca.sign("client", ["client.test"], client=True), Authority(tmp_path / "other", "other")
    made = front({"client_ca": ca.certificate, "client_certificate": "optional"})
    context = made.context(pair=good.pair)
    with made.connect(context=context) as sock:
        made.ask(sock)
        session = sock.session
    made.daemon.config["listeners"][0]["tls"]["client_ca"] = other.certificate
    made.daemon.write()
    assert made.daemon.cli("reload").returncode == 0
    with pytest.raises(OSError):
        with made.connect(context=context, session=session) as sock:
            assert not sock.session_reused
            made.ask(sock)


def test_rotation_under_load_loses_nothing(front, ca, a_test):
    made = front(workers=2)
    stop, failures, asked, serials = threading.Event(), [], [0], set()
    made.daemon.write()

    def load(keep):
        context, sock = made.context(), None
        while not stop.is_set():
            try:
                sock = sock or made.connect(context=context)
                serials.add(sock.getpeercert()["serialNumber"])
                assert made.ask(sock)[1] == b"stable"
                asked[0] += 1
                if not keep:
                    sock.close()
                    sock = None
            except Exception as error:  # pylint: disable=broad-except
                failures.append(repr(error))
                return
        if sock:
            sock.close()
    threads = [threading.Thread(target=load, args=(i % 2 == 0,)) for i in range(6)]
    for thread in threads:
        thread.start()
    rotations = scaled(20, 4)
    for number in range(rotations):
        fresh = ca.sign(f"rotated{number % 2}", ["a.test", f"r{number}.test"])
        made.daemon.config["listeners"][0]["tls"] = fresh.files
        made.daemon.write()
        before = asked[0]
        assert made.daemon.cli("reload").returncode == 0
        wait_for(lambda: asked[0] > before + 20 or failures, 30, "requests go on")  # pylint: disable=cell-var-from-loop
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not failures and len(serials) >= rotations, (failures, len(serials))
    assert made.refused() == 0


def test_a_bad_new_certificate_leaves_the_old_one(front, ca, a_test, tmp_path):
    other, made = ca.sign("other", ["a.test"]), front()
    with made.connect() as kept:
        broken = tmp_path / "broken.pem"
        broken.write_text("nothing")
        for tls, said in [({**a_test.files, "private_key": other.files["private_key"]}, "is not the one of certificate"),
                          ({**a_test.files, "certificate": "absent.pem"}, "No such file"),
                          ({**a_test.files, "certificate": str(broken)}, "PEM"),
                          ({**a_test.files, "ocsp_response": a_test.certificate}, "OCSP"),
                          ({**a_test.files, "ocsp_response": ca.ocsp(other)}, "another certificate"),
                          ({**a_test.files, "client_ca": str(broken), "client_certificate": "required"}, "authorities")]:
            made.daemon.config["listeners"][0]["tls"] = tls
            made.daemon.write()
            done = made.daemon.cli("reload")
            assert done.returncode == 1 and said in done.stdout + done.stderr, done
            assert re.search(r"\.yaml:\d+:\d+: ", done.stdout + done.stderr), "the place is named"
            assert made.ask(kept)[1] == b"stable"
            with made.connect() as sock:
                assert made.ask(sock)[1] == b"stable"


# ---- what goes over it

def test_bodies_both_ways(front):
    size = scaled(64, 8) << 20
    made = front(handler=lambda request, reply: reply.send(200, os.urandom(size) if request.path == "/down" else
                                                           f"{request.body_bytes} {request.body_sha}"),
                 limits={"body_bytes": "1GiB"})
    with made.connect() as sock:
        block = os.urandom(1 << 20)
        sock.sendall(f"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size >> 20):
            sock.sendall(block)
        answer = sock.recv(65536)
        while b"\r\n\r\n" not in answer or len(answer.split(b"\r\n\r\n")[1]) < 60:
            answer += sock.recv(65536)
        import hashlib  # pylint: disable=import-outside-toplevel
        digest = hashlib.sha256()
        for _ in range(size >> 20):
            digest.update(block)
        assert answer.endswith(f"{size} {digest.hexdigest()}".encode())
        assert len(made.ask(sock, "/down")[1]) == size


def test_events_come_as_they_are_sent(front):
    turn = threading.Semaphore(0)

    def events(_request, reply):
        reply.begin_sse()
        for number in range(20):
            assert turn.acquire(timeout=patience(10))
            reply.event(number)
        reply.end_chunked()
    made = front(handler=events)
    with made.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        data = b""
        for number in range(20):
            turn.release()
            while f"data: {number}\n\n".encode() not in data:
                data += sock.recv(65536)


def test_close_notify_then_the_answer(front):
    release = threading.Event()

    def late(_request, reply):
        assert release.wait(patience(10))
        reply.send(200, "late")
    made = front(handler=late)
    raw = socket.create_connection(("127.0.0.1", made.port), timeout=patience(10))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = made.context().wrap_bio(incoming, outgoing, server_hostname="a.test")

    def pump(call):
        while True:
            try:
                result = call()
                if outgoing.pending:
                    raw.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    raw.sendall(outgoing.read())
                data = raw.recv(65536)
                incoming.write(data) if data else incoming.write_eof()  # pylint: disable=expression-not-assigned
    pump(tls.do_handshake)
    pump(lambda: tls.write(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"))
    raw.shutdown(socket.SHUT_WR)  # no more from the client, and no word of it: half closed all the same
    wait_for(lambda: made.server.count == 1, 10, "the request is there")
    release.set()
    answer = b""
    while b"late" not in answer:
        answer += pump(lambda: tls.read(65536))
    raw.close()


def test_a_client_that_goes_away_stops_the_upstream(front):
    gone = threading.Event()

    def endless(_request, reply):
        reply.begin_sse()
        try:
            while True:
                reply.event("x")
                time.sleep(0.01)
        finally:
            gone.set()
    made = front(handler=endless)
    sock = made.connect()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    assert sock.recv(100)
    import struct  # pylint: disable=import-outside-toplevel
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    assert gone.wait(patience(5))


def test_a_cut_answer_does_not_look_complete(front):
    def cut(_request, reply):
        reply.head(200, [("Transfer-Encoding", "chunked")])
        reply.chunk(b"half")
        reply.close()
    made = front(handler=cut)
    context = made.context()
    raw = socket.create_connection(("127.0.0.1", made.port), timeout=patience(10))
    with context.wrap_socket(raw, server_hostname="a.test", suppress_ragged_eofs=False) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        with pytest.raises(OSError):  # no close_notify, or a reset
            while sock.recv(65536):
                pass


def test_pipelined_requests_and_cookies(front):
    made = front(routes=[route(sticky={"cookie": "sluice_unit"})])
    with made.connect() as sock:
        sock.sendall(b"GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        data = b""
        while got := sock.recv(65536):
            data += got
    assert data.count(b"HTTP/1.1 200") == 2 and re.search(rb"(?i)set-cookie: sluice_unit=[^\r]*; ?secure", data)
    assert [r.path for r in made.server.requests] == ["/1", "/2"]


def test_idle_connections_hold_no_buffers(front):
    made = front(workers=1)
    count = scaled(400, 60)
    context = made.context()
    first = [made.connect(context=context) for _ in range(20)]
    for sock in first:
        made.ask(sock)
    before = made.daemon.child.rss_kib() * 1024
    socks = [made.connect(context=context) for _ in range(count)]
    for sock in socks:
        made.ask(sock)
    grown = (made.daemon.child.rss_kib() * 1024 - before) / count
    for sock in socks + first:
        sock.close()
    if not sanitizer():
        assert grown < 40_000, f"{grown:.0f} bytes for each idle connection"


def test_shutdown_says_goodbye(front):
    made = front()
    sock = made.connect()
    made.ask(sock)
    made.daemon.stop()
    assert sock.recv(100) == b""  # close_notify: no SSLEOFError
    sock.close()


def test_an_end_that_was_asked_for_reaches_a_slow_client(front):
    made = front(handler=lambda _request, reply: reply.send(200, b"x" * (4 << 20)))
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(patience(10))
    raw.connect(("127.0.0.1", made.port))
    with made.context().wrap_socket(raw, server_hostname="a.test", suppress_ragged_eofs=False) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        data = b""
        while got := sock.recv(65536):  # an end without close_notify is an error
            data += got
    assert data.endswith(b"x" * (4 << 20))
