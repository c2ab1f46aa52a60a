"""https endpoints: verified unless told otherwise, for requests and for health checks."""
import re
import socket
import ssl
import threading

import pytest

from harness.certificates import make_ca, make_certificate
from harness.client import Cut
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.upstream import Upstream
from harness.wait import wait_for


class TlsUpstream(Upstream):
    """The stand-in under TLS. Counts whole and resumed handshakes, and failed ones; knows its clients' subjects."""

    def __init__(self, pair, name="tls", handler=None, client_ca=None, version=None, goodbye=True, **settings):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca)
        if version:
            self.context.minimum_version = self.context.maximum_version = version
        self.goodbye, self.handshakes, self.resumed, self.failed, self.asked, self.subjects = goodbye, 0, 0, 0, [], []
        self.protocols = []
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.sni_callback = lambda sock, asked, context: self.asked.append(asked)
        super().__init__(name, handler, **settings)

    @property
    def url(self):
        return super().url.replace("http:", "https:")

    def _serve(self, connection):
        connection.socket.settimeout(patience(10))
        try:
            plain = connection.socket
            connection.socket = self.context.wrap_socket(plain, server_side=True)
        except OSError:
            self.failed += 1
            with self._lock:
                self.open -= 1
                self._live.discard(connection)
            plain.close()
            return
        connection.socket.settimeout(None)
        self.handshakes += 1
        self.resumed += bool(connection.socket.session_reused)
        self.protocols.append(connection.socket.selected_alpn_protocol())
        self.subjects.append(connection.socket.getpeercert())
        close = connection.socket.close
        if self.goodbye:
            connection.socket.close = lambda: _goodbye(connection.socket, close)
        super()._serve(connection)


def _goodbye(sock, close):
    try:
        sock.settimeout(0.2)
        sock.unwrap()
    except (OSError, ValueError):
        pass
    close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("upstream-tls")
    ca, stranger = make_ca(directory, "ca"), make_ca(directory, "stranger")
    return {"ca": ca, "stranger": stranger,
            "server": make_certificate(directory, ca, ["models.test", "127.0.0.1", "localhost"], stem="server"),
            "expired": make_certificate(directory, ca, ["models.test", "127.0.0.1"], days=-1, stem="expired"),
            "named": make_certificate(directory, ca, ["models.test"], stem="named"),
            "self": make_certificate(directory, None, ["127.0.0.1"], stem="self"),
            "client": make_certificate(directory, ca, ["sluice"], client=True, stem="client")}


@pytest.fixture
def serve(made):
    servers = []

    def start(pair="server", **settings):
        servers.append(TlsUpstream(made[pair], **settings))
        return servers[-1]
    yield start
    for server in servers:
        server.stop()
    assert not [e for server in servers for e in server.unexpected]


def start(start_sluice, server, tls=None, workers=1, **settings):
    return start_sluice({"workers": workers, "routes": [route()], "pools": {
        "stable": pool(server, **({"tls": tls} if tls else {}), ejection={"consecutive_failures": 0}, **settings)}})


def test_a_verified_endpoint_is_asked_over_one_connection(start_sluice, serve, made):
    server = serve()
    daemon = start(start_sluice, server, {"ca": made["ca"].certificate})
    with daemon.client() as client:
        for _ in range(20):
            assert client.ask("POST", "/x", [], "hello").body == b"tls"
    assert (server.handshakes, server.count) == (1, 20)
    assert server.asked == [None], "an address is no server name (RFC 6066 3)"
    assert server.requests[0].body == b"hello" and server.protocols == ["http/1.1"]
    assert server.requests[0].header("Host") == "%s:%d" % daemon.address


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(start_sluice, serve, made, version):
    server = serve(version=version, handler=lambda request, reply: (reply.send(200, "x", [("Connection", "close")]),
                                                                    reply.close()))
    daemon = start(start_sluice, server, {"ca": made["ca"].certificate})
    for number in range(5):
        assert daemon.ask().status == 200
        wait_for(lambda: server.open == 0, 5, "the connection is closed")
    assert server.handshakes == 5 and server.resumed == 4, (server.handshakes, server.resumed)


# which certificate the endpoint has, what the pool says, what the log says
WAYS = {
    "stranger": ("server", lambda m: {"ca": m["stranger"].certificate}, "unable to get local issuer certificate"),
    "system": ("server", lambda m: None, "unable to get local issuer certificate"),
    "self": ("self", lambda m: {"ca": m["ca"].certificate}, "self-signed certificate"),
    "name": ("server", lambda m: {"ca": m["ca"].certificate, "server_name": "other.test"}, "hostname mismatch"),
    "address": ("named", lambda m: {"ca": m["ca"].certificate}, "IP address mismatch"),
    "expired": ("expired", lambda m: {"ca": m["ca"].certificate}, "certificate has expired"),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_an_endpoint_that_is_not_to_be_trusted_gets_nothing(start_sluice, serve, made, way):
    pair, tls, logged = WAYS[way]
    server = serve(pair)
    daemon = start(start_sluice, server, tls(made))
    response = daemon.ask("POST", "/secret", [("Authorization", "Bearer x")], "secret")
    assert (response.status, response.header("X-Sluice-Error")) == (502, "tls_failed")
    assert "certificate" not in response.text, "and the client learns no more"
    wait_for(lambda: re.search(f'TLS handshake with an endpoint failed pool=stable endpoint={server.url} reason="{logged}',
                               daemon.stderr()), 5, logged)
    assert server.count == 0
    assert daemon.counted("sluice_request_errors_total", 1, reason="tls")


def test_verification_can_be_turned_off(start_sluice, serve):
    server = serve("self")
    assert start(start_sluice, server, {"verify": False}).ask().body == b"tls"


def test_a_server_name_is_asked_for_and_verified(start_sluice, serve, made):
    server = serve("named")
    assert start(start_sluice, server, {"ca": made["ca"].certificate, "server_name": "models.test"}).ask().status == 200
    assert server.asked == ["models.test"]


def test_a_name_in_the_url_is_asked_for(start_sluice, serve, made):
    server = serve()
    url = f"https://localhost:{server.port}"
    daemon = start_sluice({"workers": 1, "routes": [route()], "pools": {"stable": {
        "endpoints": [url], "tls": {"ca": made["ca"].certificate}}}})
    assert daemon.ask().status == 200 and server.asked == ["localhost"]


def test_a_client_certificate_is_shown(start_sluice, serve, made):
    server = serve(client_ca=made["ca"].certificate)
    tls = {"ca": made["ca"].certificate}
    refused = start(start_sluice, server, tls).ask()
    assert (refused.status, server.count) == (502, 0)
    tls.update({"certificate": made["client"].certificate, "private_key": made["client"].key})
    assert start(start_sluice, server, tls).ask().status == 200
    assert dict(server.subjects[-1]["subject"][0]) == {"commonName": "sluice"}


def test_an_endpoint_that_speaks_no_tls(start_sluice, upstream):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        thread = threading.Thread(target=answer)
        thread.start()
        daemon = start_sluice({"workers": 1, "routes": [route()], "pools": {
            "stable": {"endpoints": [f"https://127.0.0.1:{listener.getsockname()[1]}"]}}})
        assert daemon.ask().header("X-Sluice-Error") == "tls_failed"
        thread.join(10)
        assert "wrong version number" in daemon.stderr()


def test_a_handshake_that_hangs_is_a_connect_timeout(start_sluice):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        daemon = start_sluice({"workers": 1, "routes": [route()], "timeouts": {"connect": "300ms"}, "pools": {
            "stable": {"endpoints": [f"https://127.0.0.1:{listener.getsockname()[1]}"]}}})
        response = daemon.ask()
        assert (response.status, response.header("X-Sluice-Error")) == (504, "connect_timeout")


def test_a_failed_handshake_is_retried_elsewhere_and_falls_back(start_sluice, serve, made):
    bad, good, spare = serve("self"), serve(), serve(name="spare")
    tls = {"ca": made["ca"].certificate}
    daemon = start_sluice({"workers": 1, "pools": {
        "stable": pool(bad, good, tls=tls, balance="round_robin", ejection={"consecutive_failures": 0}),
        "canary": pool(bad, tls=tls, ejection={"consecutive_failures": 0}), "spare": pool(spare, tls=tls)}, "routes": [
            route("a", match={"path_prefix": "/a"}, retry={"attempts": 1, "on": ["connect"]}),
            route("b", {"canary": 100, "spare": 0}, fallback="spare")]})
    assert [daemon.ask("POST", "/a", [], "x").status for _ in range(6)] == [200] * 6
    assert daemon.ask("POST", "/b", [], "x").body == b"spare"
    assert bad.count == 0 and good.count == 6


def test_an_end_that_says_nothing_cuts_a_body_without_length(start_sluice, serve, made):
    def until_close(_request, reply):
        reply.head(200, [])
        reply.raw(b"half")
        reply.close()
    honest, cut = serve(handler=until_close), serve(handler=until_close, goodbye=False)
    for server, whole in ((honest, True), (cut, False)):
        daemon = start(start_sluice, server, {"ca": made["ca"].certificate})
        with daemon.client() as client:
            client.request()
            head, got = client.final_head(), b""
            try:
                for piece in client.pieces(head):
                    got += piece
                ended = True
            except Exception:  # pylint: disable=broad-except
                ended = False
            assert (got, ended) == (b"half", whole)


def test_large_bodies_and_streams(start_sluice, serve, made):
    data = bytes(range(256)) * 40_000
    server = serve(handler=lambda request, reply: reply.send(200, data if request.path == "/down" else request.body_sha))
    daemon = start(start_sluice, server, {"ca": made["ca"].certificate})
    import hashlib  # pylint: disable=import-outside-toplevel
    with daemon.client() as client:
        assert client.ask("POST", "/up", [], data).text == hashlib.sha256(data).hexdigest()
        assert client.ask("GET", "/down").body == data
        assert client.ask("POST", "/up", [], data).status == 200
    assert server.handshakes == 1


def test_health_checks_verify_too(start_sluice, serve, made):
    good, named, bad = serve(), serve("named"), serve("self")
    health = {"interval": "100ms", "unhealthy_after": 1, "healthy_after": 1}
    tls = {"ca": made["ca"].certificate}
    daemon = start_sluice({"workers": 1, "routes": [route("b", {"named": 100}, match={"path": "/b"}),
                                                    route("c", {"bad": 100}, match={"path": "/c"}), route("a", {"good": 100})],
                           "pools": {"good": pool(good, tls=tls, health=health), "bad": pool(bad, tls=tls, health=health),
                                     "named": pool(named, tls={**tls, "server_name": "models.test"}, health=health)}})
    wait_for(lambda: good.count > 2 and named.count > 2, 10, "checks arrive")

    def up(name):
        return daemon.metrics().sum("sluice_endpoint_up", pool=name)
    wait_for(lambda: (up("good"), up("named"), up("bad")) == (1, 1, 0), 10, "the verdicts are in")
    assert bad.count == 0
    assert {r.header("Host") for r in named.requests} == {f"127.0.0.1:{named.port}"}
    assert "models.test" in named.asked


def test_another_authority_ends_the_old_connections(start_sluice, serve, made):
    server = serve()
    daemon = start(start_sluice, server, {"ca": made["ca"].certificate})
    assert daemon.ask().status == 200
    daemon.config["pools"]["stable"]["keepalive"] = 7  # nothing about TLS: the connection is kept
    daemon.write()
    assert daemon.cli("reload").returncode == 0
    assert daemon.ask().status == 200 and server.handshakes == 1
    daemon.config["pools"]["stable"]["tls"]["ca"] = made["stranger"].certificate
    daemon.write()
    assert daemon.cli("reload").returncode == 0
    assert daemon.ask().header("X-Sluice-Error") == "tls_failed"
    assert server.handshakes == 1


def test_a_missing_file_is_refused_with_its_place(start_sluice, serve, made):
    server = serve()
    daemon = start(start_sluice, server, {"ca": made["ca"].certificate})
    for tls, said in (({"ca": "absent.pem"}, "absent.pem"),
                      ({"certificate": made["client"].certificate, "private_key": made["server"].key}, "is not the one of")):
        daemon.config["pools"]["stable"]["tls"] = tls
        daemon.write()
        done = daemon.cli("reload")
        assert done.returncode == 1 and said in done.stdout + done.stderr
        assert re.search(r"\.yaml:\d+:\d+: pool stable: ", done.stdout + done.stderr), done
        assert daemon.ask().status == 200


def test_a_reset_right_behind_an_event_is_seen(start_sluice, serve, made):
    """Both may come in one event of the socket; the client must not wait for a time-out."""
    def gone(_request, reply):
        reply.begin_sse()
        reply.event("last")
        reply.reset()
    daemon = start(start_sluice, serve(handler=gone, goodbye=False), {"ca": made["ca"].certificate})
    count = scaled(100, 40)
    for i in range(count):
        with daemon.client() as client:
            client.request()
            assert client.final_head().status == 200
            assert client.event() == "last"
            with pytest.raises((Cut, ConnectionError)):
                client.event()
                pytest.fail(f"stream {i} went on")
    assert daemon.counted("sluice_request_errors_total", count, reason="cut_short")
