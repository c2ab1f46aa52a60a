"""Where clients connect: unix sockets, IPv6, several at once; with TLS and the PROXY protocol on top."""
import json
import os
import random
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import threading

import pytest

from harness.certificates import make_ca, make_certificate
from harness.client import Client
from harness.haproxy import BINARY as HAPROXY, Haproxy
from harness.load import Loop
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for

V1 = b"PROXY TCP4 192.0.2.7 10.0.0.2 4711 443\r\n"


@pytest.fixture
def folder():
    """A unix socket's path has at most 107 bytes: pytest's own folders are too long."""
    path = tempfile.mkdtemp(prefix="slc-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def serve(start_sluice, upstream):
    """serve([listener, …], …) -> daemon, server"""
    server = upstream("stable")

    def make(listeners, **settings):
        return start_sluice({"listeners": listeners, "pools": {"stable": pool(server)}, "routes": [route()], **settings}), server
    return make


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# -- unix sockets ------------------------------------------------------------------------------------------------------

def test_a_unix_socket_serves(serve, folder, tmp_path):
    path = f"{folder}/http.sock"
    daemon, server = serve([{"address": f"unix:{path}"}], access_log={"path": str(tmp_path / "access.log")})
    assert daemon.listening() == [f"unix:{path}"] and mode(path) == 0o660
    with Client(path) as client:
        for _ in range(3):
            assert client.ask("POST", body="x" * 200_000).status == 200
        # what it says of others counts as little as any client's word
        assert client.ask(headers=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https")]).status == 200
    done = subprocess.run(["curl", "-sS", "--unix-socket", path, "-o", os.devnull, "-w", "%{http_code}", "http://h/"],
                          capture_output=True, text=True, timeout=patience(20), check=False)
    assert done.stdout == "200", done.stderr
    assert {r.header("X-Forwarded-For") for r in server.requests} == {"unknown"}
    assert {r.header("X-Forwarded-Proto") for r in server.requests} == {"http"}
    wait_for(lambda: (tmp_path / "access.log").read_text().count("\n") == 5)
    assert {json.loads(line)["client"] for line in (tmp_path / "access.log").read_text().splitlines()} == {"unix"}
    assert daemon.stop() == 0
    assert not os.path.exists(path)


def test_its_mode_is_as_configured_whatever_the_umask_and_changes_with_a_reload(serve, folder):
    paths = [f"{folder}/{name}.sock" for name in "abc"]
    before = os.umask(0o077)
    try:
        daemon, _ = serve([{"address": f"unix:{paths[0]}", "mode": "0600"}, {"address": f"unix:{paths[1]}", "mode": "0666"},
                           {"address": f"unix:{paths[2]}"}])
    finally:
        os.umask(before)
    assert [mode(p) for p in paths] == [0o600, 0o666, 0o660]
    inodes = [os.lstat(p).st_ino for p in paths]
    listeners = [{"address": f"unix:{paths[0]}", "mode": "0666"}, {"address": f"unix:{paths[1]}"}, {"address": f"unix:{paths[2]}"}]
    assert daemon.reload({**daemon.config, "listeners": listeners}).status == 200
    assert [mode(p) for p in paths] == [0o666, 0o660, 0o660]
    assert [os.lstat(p).st_ino for p in paths] == inodes
    assert not [name for name in os.listdir(folder) if not name.endswith(".sock")]


def test_all_workers_accept_from_it(serve, folder):
    path = f"{folder}/http.sock"
    daemon, _ = serve([{"address": f"unix:{path}"}], workers=4)
    clients = [Client(path) for _ in range(scaled(400, least=40))]
    for client in clients:
        client.request()
    assert {client.response().status for client in clients} == {200}
    for client in clients:
        client.close()
    daemon.counted("sluice_client_connections", 0)


def test_a_file_that_a_killed_process_left_is_replaced(serve, folder):
    path = f"{folder}/http.sock"
    daemon, _ = serve([{"address": f"unix:{path}"}])
    daemon.child.signal(signal.SIGKILL)
    assert daemon.child.wait() == -signal.SIGKILL
    assert os.path.exists(path)
    daemon.start()
    with Client(path) as client:
        assert client.ask().status == 200


def test_a_socket_in_use_a_file_and_a_missing_folder_are_refused(serve, folder):
    """At a reload: what runs goes on, and nothing of theirs or ours is touched or left."""
    daemon, _ = serve([{"address": "127.0.0.1:0"}])
    with open(f"{folder}/file", "w", encoding="ascii") as f:
        f.write("mine")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{folder}/other.sock")
        other.listen(1)
        for name, why in (("other.sock", "already in use"), ("file", "there is a file of that name"),
                          ("no/such.sock", "No such file or directory")):
            # the good one is opened first, and taken back
            response = daemon.reload({**daemon.config, "listeners": [
                {"address": "127.0.0.1:0"}, {"address": f"unix:{folder}/good.sock"}, {"address": f"unix:{folder}/{name}"}]})
            assert response.status >= 400 and f"unix:{folder}/{name}" in response.text and why in response.text
            assert not os.path.exists(f"{folder}/good.sock")
            assert daemon.ask().status == 200
        assert os.path.exists(f"{folder}/other.sock")
    with open(f"{folder}/file", encoding="ascii") as f:
        assert f.read() == "mine"
    daemon.config["listeners"] = [{"address": "127.0.0.1:0"}]
    daemon.write()


def test_two_daemons_do_not_share_one(start_sluice, serve, folder):
    path = f"{folder}/http.sock"
    _, server = serve([{"address": f"unix:{path}"}])
    inode = os.lstat(path).st_ino
    second = start_sluice({"listeners": [{"address": "127.0.0.1:0"}], "pools": {"stable": pool(server)}, "routes": [route()]})
    assert second.reload({**second.config, "listeners": [{"address": f"unix:{path}"}]}).status >= 400
    assert os.lstat(path).st_ino == inode
    with Client(path) as client:
        assert client.ask().status == 200


def test_what_somebody_else_put_in_its_place_stays(serve, folder):
    path = f"{folder}/http.sock"
    daemon, _ = serve([{"address": f"unix:{path}", "mode": "0600"}])
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        before = mode(path)
        assert daemon.reload({**daemon.config, "listeners": [{"address": f"unix:{path}", "mode": "0666"}]}).status == 200
        assert mode(path) == before
        assert daemon.stop() == 0
        assert os.path.exists(path)


def test_reloads_keep_it_and_open_and_close_others_under_load(serve, folder):
    paths = [f"{folder}/{name}.sock" for name in "ab"]
    kept, extra = ({"address": f"unix:{path}"} for path in paths)
    daemon, _ = serve([kept])
    inode = os.lstat(paths[0]).st_ino
    loop = Loop(paths[0], threads=4)
    for _ in range(scaled(20, least=4)):
        assert daemon.reload({**daemon.config, "listeners": [kept, extra]}).status == 200
        with Client(paths[1]) as client:
            assert client.ask().status == 200
            assert daemon.reload({**daemon.config, "listeners": [kept]}).status == 200
            assert not os.path.exists(paths[1])
            assert client.ask().status == 200  # a connection outlives its listener
        assert os.lstat(paths[0]).st_ino == inode
    loop.stop()
    assert not loop.failures and set(loop.statuses) == {200}


def test_connections_that_wait_in_the_queue_are_served_when_it_closes(serve, folder):
    path = f"{folder}/http.sock"
    daemon, _ = serve([{"address": f"unix:{path}"}, {"address": "127.0.0.1:0"}])
    daemon.child.signal(signal.SIGSTOP)
    clients = [Client(path) for _ in range(50)]
    for client in clients:
        client.request()
    daemon.child.signal(signal.SIGTERM)
    daemon.child.signal(signal.SIGCONT)
    assert {client.response().status for client in clients} == {200}
    assert daemon.child.wait() == 0


def test_peers_on_a_unix_socket_can_be_trusted(serve, folder):
    path = f"{folder}/http.sock"
    daemon, server = serve([{"address": f"unix:{path}"}, {"address": "127.0.0.1:0"}], trusted_proxies=["unix"])
    with Client(path) as client:
        client.ask(headers=[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example")])
        request = server.requests[-1]
        # the peer has no address to append: whoever walks the chain would stop at a word in its place
        assert request.header("X-Forwarded-For") == "192.0.2.7"
        assert (request.header("X-Forwarded-Proto"), request.header("X-Forwarded-Host")) == ("https", "a.example")
        client.ask()
        assert server.requests[-1].header("X-Forwarded-For") == "unknown"
    with Client(daemon.address_of(1)) as client:
        client.ask(headers=[("X-Forwarded-For", "192.0.2.7")])
    assert server.requests[-1].header("X-Forwarded-For") == "127.0.0.1"


def test_a_client_that_goes_cancels_its_request_there_too(start_sluice, upstream, folder):
    server = upstream("up", lambda request, reply: reply.hang())
    path = f"{folder}/http.sock"
    daemon = start_sluice({"listeners": [{"address": f"unix:{path}"}], "pools": {"stable": pool(server)}, "routes": [route()]})
    client = Client(path)
    client.request()
    wait_for(lambda: server.requests)
    client.close()
    daemon.counted("sluice_requests_total", 1, code="499")
    wait_for(lambda: server.inflight == 0, what="the upstream saw it go")


def test_half_a_close_there_still_gets_its_answer(start_sluice, upstream, folder):
    go = threading.Event()

    def handler(_request, reply):
        assert go.wait(patience(20))
        reply.send(200, "late")
    path = f"{folder}/http.sock"
    server = upstream("up", handler)
    daemon = start_sluice({"listeners": [{"address": f"unix:{path}"}], "pools": {"stable": pool(server)}, "routes": [route()]})
    with Client(path) as client:
        client.request()
        wait_for(lambda: server.requests)
        client.socket.shutdown(socket.SHUT_WR)
        assert daemon.metrics().sum("sluice_client_connections") == 1
        go.set()
        assert client.response().body == b"late"


# -- IPv6 --------------------------------------------------------------------------------------------------------------

def test_ipv6(serve):
    daemon, server = serve([{"address": "[::1]:0"}])
    assert daemon.address[0] == "::1" and daemon.listening()[0].startswith("[::1]:")
    with daemon.client() as client:
        assert client.ask(host="h").status == 200
        assert client.ask(host=f"[::1]:{daemon.port}").status == 200
    assert {r.header("X-Forwarded-For") for r in server.requests} == {"::1"}
    assert server.requests[-1].header("X-Forwarded-Host") == f"[::1]:{daemon.port}"


def port_free_everywhere():
    """Free on every address of both families, and not one that the kernel may give to a connection meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    ports = list(range(max(1024, first - 10_000), first))
    random.shuffle(ports)
    for port in ports:
        with socket.socket(socket.AF_INET) as four, socket.socket(socket.AF_INET6) as six:
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                four.bind(("0.0.0.0", port))
                six.bind(("::", port))
                return port
            except OSError:
                pass
    raise AssertionError("no port is free")


def test_both_families_on_one_port_are_two_listeners(serve):
    port = port_free_everywhere()
    daemon, server = serve([{"address": f"[::]:{port}"}, {"address": f"0.0.0.0:{port}"}])
    for host, client in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
        with Client((host, port)) as connection:
            assert connection.ask(host="h").status == 200
        assert server.requests[-1].header("X-Forwarded-For") == client
    # "[::]" alone is IPv6 alone
    assert daemon.reload({**daemon.config, "listeners": [{"address": f"[::]:{port}"}]}).status == 200
    with Client(("::1", port)) as connection:
        assert connection.ask(host="h").status == 200
    with pytest.raises(ConnectionRefusedError):
        Client(("127.0.0.1", port))


def test_an_ipv6_network_can_be_trusted(serve):
    daemon, server = serve([{"address": "[::1]:0"}], trusted_proxies=["::1/128"])
    daemon.ask(host="h", headers=[("X-Forwarded-For", "2001:db8::7")])
    assert server.requests[-1].header("X-Forwarded-For") == "2001:db8::7, ::1"


# -- on top ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def tls(tmp_path):
    authority = make_ca(tmp_path)
    pair = make_certificate(tmp_path, authority, names=["h.example"])
    return {"certificate": str(pair.certificate), "private_key": str(pair.key)}, ssl.create_default_context(
        cafile=str(authority.certificate))


def ask_over_tls(raw, context, head=b""):
    """A PROXY header in the clear, then TLS, then a request."""
    raw.send(head)
    raw.socket = context.wrap_socket(raw.socket, server_hostname="h.example")
    return raw.ask(host="h.example")


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_proxy_header_comes_before_tls(serve, folder, tls, kind):
    settings, context = tls
    address = "127.0.0.1:0" if kind == "tcp" else f"unix:{folder}/tls.sock"
    daemon, server = serve([{"address": address, "proxy_protocol": True, "tls": settings}])
    with Client(daemon.address) as client:
        assert ask_over_tls(client, context, V1).status == 200
        assert client.ask(host="h.example").status == 200
    assert [r.header("X-Forwarded-For") for r in server.requests] == ["192.0.2.7"] * 2
    assert server.requests[0].header("X-Forwarded-Proto") == "https"
    # a handshake without it is refused before TLS begins
    with Client(daemon.address) as client, pytest.raises((ssl.SSLError, ConnectionError)):
        ask_over_tls(client, context)
    daemon.counted("sluice_rejected_requests_total", 1, reason="proxy_protocol")
    assert daemon.metrics().sum("sluice_rejected_requests_total", reason="tls_handshake") == 0


def test_the_header_and_the_handshake_in_one_piece_and_in_many(serve, tls):
    settings, context = tls
    daemon, server = serve([{"address": "127.0.0.1:0", "proxy_protocol": True, "tls": settings}])
    for pieces in (1, 1 << 20):
        with Client(daemon.address) as client:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = context.wrap_bio(incoming, outgoing, server_hostname="h.example")
            with pytest.raises(ssl.SSLWantReadError):
                session.do_handshake()
            data = V1 + outgoing.read()
            for i in range(0, len(data), pieces):
                client.send(data[i:i + pieces])
            done = False
            while not done:
                incoming.write(client.socket.recv(65536))
                try:
                    session.do_handshake()
                    done = True
                except ssl.SSLWantReadError:
                    pass
                client.send(outgoing.read())
            session.write(b"GET / HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n")
            client.send(outgoing.read())
            answer = b""
            while b"\r\n\r\n" not in answer:
                incoming.write(client.socket.recv(65536))
                try:
                    answer += session.read(65536)
                except ssl.SSLWantReadError:
                    pass
            assert answer.startswith(b"HTTP/1.1 200 ")
    assert [r.header("X-Forwarded-For") for r in server.requests] == ["192.0.2.7"] * 2


def test_haproxy_passes_tls_through_to_a_unix_socket(serve, folder, tls, tmp_path):
    if not HAPROXY:
        pytest.fail("haproxy is not installed (tests/run.sh installs it)")
    settings, context = tls
    path = f"{folder}/tls.sock"
    _, server = serve([{"address": f"unix:{path}", "proxy_protocol": True, "tls": settings}], trusted_proxies=["unix"])
    balancer = Haproxy(tmp_path, f"unix@{path} send-proxy-v2")
    try:
        with Client(balancer.address, source="127.0.0.9") as client:
            assert ask_over_tls(client, context).status == 200
    finally:
        balancer.stop()
    assert server.requests[0].header("X-Forwarded-For") == "127.0.0.9"
