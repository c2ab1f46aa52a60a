"""Peers that vanish without a word, clients and endpoints: `timeouts.tcp_user` gives them up, and `off` leaves them."""
import struct
import socket
import subprocess
import threading

import pytest

from harness.network import Network, networks_are_allowed
from harness.sluice import pool, route
from harness.wait import wait_for

OFF = {"client_idle": "off", "first_byte": "off", "stream_idle": "off", "total": "off"}


@pytest.fixture
def network():
    if not networks_are_allowed():
        pytest.skip("no network namespace can be made here")
    made = Network()
    yield made
    made.close()


def connected(network, daemon):
    client = network.socket()
    client.connect((network.here, daemon.address_of(0)[1]))
    return client


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in_a_stream"])
def test_a_client_that_vanished_is_given_up(network, start_sluice, upstream, busy):
    over = threading.Event()

    def stream(_request, reply):
        reply.begin_sse()
        reply.event("first")
        over.set() if reply.wait_closed() else None  # pylint: disable=expression-not-assigned
    daemon = start_sluice({"workers": 1, "listeners": [{"address": network.here + ":0"}], "timeouts": {**OFF, "tcp_user": "1s"},
                           "pools": {"stable": pool(upstream(handler=stream))}, "routes": [route()]})
    client = connected(network, daemon)
    if busy:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"first" not in client.recv(4096):
            pass
    daemon.counted("sluice_client_connections", 1)
    network.pull()
    try:
        wait_for(lambda: daemon.metrics().sum("sluice_client_connections") == 0, 15)
    except AssertionError:
        pytest.fail("the client is not given up; the kernel has: " + connections(daemon.address_of(0)[1]))
    if busy:
        assert over.wait(5)  # and so is what was done for it
        daemon.counted("sluice_requests_total", 1, code="499")
    client.close()


def test_an_endpoint_that_vanished_is_given_up(network, start_sluice, upstream):
    """Its answer will not come: the request is answered by the next one."""
    listener = network.socket()
    listener.bind((network.there, 0))
    listener.listen(8)
    daemon = start_sluice({
        "workers": 1, "timeouts": {**OFF, "tcp_user": "1s"},
        "pools": {"gone": pool("http://%s:%d" % listener.getsockname()), "stable": pool(upstream("stable"))},
        "routes": [route(variants={"gone": 100, "stable": 0}, retry={"on": ["connect", "reset_before_response"]},
                         fallback="stable")]})
    with daemon.client() as client:
        client.request()
        peer, _ = listener.accept()
        assert b"\r\n\r\n" in peer.recv(65536)
        network.pull()
        response = client.response()
        assert (response.status, response.text) == (200, "stable")
    peer.close()
    listener.close()


def connections(port):
    """The daemon's side of the connections at its port, with their timers: from ss."""
    return subprocess.run(["ss", "-Htnoi", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout


def test_off_sends_no_probes_and_a_reload_is_for_new_connections(start_sluice, upstream):
    config = {"workers": 1, "timeouts": {"tcp_user": "off"}, "pools": {"stable": pool(upstream())}, "routes": [route()]}
    daemon = start_sluice(config)
    with daemon.client() as client:
        assert client.ask().status == 200
        assert "keepalive" not in connections(daemon.port)
        daemon.reload({**config, "timeouts": {"tcp_user": "90s"}})
        assert client.ask().status == 200
        assert "keepalive" not in connections(daemon.port)
        with daemon.client() as fresh:
            assert fresh.ask().status == 200
            assert "keepalive" in connections(daemon.port)


def test_garbage_behind_an_abrupt_end_is_nobody_s_loss(start_sluice, upstream):
    """Half-open the other way round: clients that reset at every point of a request."""
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(upstream())}, "routes": [route()]})
    whole = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    with daemon.client() as good:
        for cut in range(len(whole) + 1):
            with daemon.client() as client:
                client.send(whole[:cut])
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            assert good.ask().status == 200
        daemon.counted("sluice_client_connections", 1)
