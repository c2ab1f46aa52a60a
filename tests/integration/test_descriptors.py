"""File descriptors run out: clients are told, who is connected goes on, the admin address answers, and it passes by itself."""
import os
import resource

import pytest

from harness.load import Ticker
from harness.sluice import pool, route
from harness.wait import wait_for

FEW = ("prlimit", "--nofile=160:160")


def clients_allowed(daemon):
    return int(daemon.metrics().sum("sluice_client_connections_limit"))


@pytest.fixture
def small(start_sluice, upstream):
    """A daemon with few descriptors, whose endpoint answers /s with a stream and all else at once."""
    ticker = Ticker()
    server = upstream(handler=lambda request, reply: ticker(request, reply) if request.path == "/s" else reply.send(200))
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()]}, argv_prefix=FEW)
    yield daemon, ticker
    ticker.end()


def test_the_limit_of_open_files_lowers_that_of_connections(small):
    daemon, _ = small
    most = clients_allowed(daemon)
    assert 60 < most < 160
    assert "limits.connections cannot be reached" in daemon.stderr()
    clients = [daemon.client() for _ in range(most)]
    daemon.counted("sluice_client_connections", most)
    surplus = [daemon.client() for _ in range(100)]
    for client in surplus:
        response = client.response()
        assert (response.status, response.header("X-Sluice-Error")) == (503, "connections")
        assert response.header("Retry-After")
    assert all(client.ask().status == 200 for client in clients)  # one after the other: they share what is left
    assert daemon.cli("status").returncode == 0
    for client in clients[:10] + surplus:
        client.close()
    daemon.counted("sluice_client_connections", most - 10)
    assert daemon.ask().status == 200
    for client in clients:
        client.close()


def test_upstream_connections_run_out_and_nobody_is_to_blame(small):
    daemon, ticker = small
    most = clients_allowed(daemon)
    clients = [daemon.client() for _ in range(most)]
    daemon.counted("sluice_client_connections", most)
    for client in clients:
        client.request("GET", "/s")
    answers = [client.head() for client in clients]
    refused = [a for a in answers if a.status == 503]
    assert refused and all(a.header("X-Sluice-Error") == "descriptors" and a.header("Retry-After") for a in refused)
    going = [client for client, answer in zip(clients, answers) if answer.status == 200]
    assert len(going) + len(refused) == most and going
    daemon.counted("sluice_request_errors_total", len(refused), reason="overloaded")
    assert daemon.metrics().sum("sluice_request_errors_total", reason="connect") == 0
    assert daemon.cli("status").returncode == 0
    ticker.tick()
    assert all(client.event() == "0" for client in going)
    assert daemon.metrics().sum("sluice_endpoint_up") == 1  # it did nothing wrong
    going[0].reset()
    daemon.counted("sluice_requests_inflight", len(going) - 1)
    with daemon.client() as again:
        # The connection that asked for the figures may hold the second descriptor a moment longer.
        wait_for(lambda: again.ask().status == 200, 5)
    for client in clients:
        client.close()


def test_a_copy_that_finds_none_is_not_the_shadows_failure(start_sluice, upstream):
    ticker = Ticker()
    server = upstream(handler=lambda request, reply: ticker(request, reply) if request.path == "/s" else reply.send(200))
    variants = {"stable": {"pool": "stable", "weight": 100}, "shadow": {"pool": "stable", "weight": 0}}
    chat = route(variants=variants, mirror={"variant": "shadow", "share": 100, "max_inflight": 1000})
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [chat]}, argv_prefix=FEW)
    clients = [daemon.client() for _ in range(clients_allowed(daemon))]
    for client in clients:
        client.request("GET", "/s")
    assert any(client.head().status == 503 for client in clients)
    wait_for(lambda: daemon.metrics().sum("sluice_request_errors_total", variant="shadow", reason="overloaded") > 0, 10)
    assert daemon.metrics().sum("sluice_request_errors_total", variant="shadow", reason="connect") == 0
    ticker.end()
    for client in clients:
        client.close()


def free_below(pid, limit):
    return set(range(limit)) - {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


def settled(daemon):
    """Nobody is about to give a descriptor back: the last question to the admin address is over on the daemon's side too."""
    wait_for(lambda: daemon.metrics().sum("sluice_requests_inflight") == 0, 5)
    seen = []

    def same():
        seen.append(free_below(daemon.pid, 1024))
        return len(seen) > 10 and all(now == seen[-1] for now in seen[-10:])
    wait_for(same, 10, "descriptors settle")


def test_none_is_left_at_all(start_sluice, upstream):
    """Everything that the limit allows is open: who is connected goes on, who comes is told, and when there are
    descriptors again, all is well without a restart."""
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(upstream())}, "routes": [route()]})
    before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    with daemon.client() as good:
        assert good.ask().status == 200
        settled(daemon)
        limit = max(int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd")) + 1
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
        idle = []
        while free := free_below(daemon.pid, limit):
            idle.append(daemon.client())
            wait_for(lambda: len(free_below(daemon.pid, limit)) < len(free), 5, "the connection is taken")  # pylint: disable=W0640
        for _ in range(30):
            with daemon.client() as client:
                response = client.response()
                assert (response.status, response.header("X-Sluice-Error")) == (503, "connections")
            assert good.ask().status == 200
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)
        assert good.ask().status == 200
        wait_for(lambda: daemon.ask().status == 200, 5, "connections are taken again")
    for client in idle:
        client.close()
    wait_for(daemon.answers, 5, "the admin address answers again")
    assert daemon.metrics().sum("sluice_rejected_requests_total", reason="connections") == 30
    assert "no file descriptor is left, a connection was refused" in daemon.stderr()
