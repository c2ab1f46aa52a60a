"""Which endpoint of a pool: three balancers, weights, limits, queues, drains."""
import collections
import threading

import pytest

from harness.client import Client
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for


def start(start_sluice, endpoints, **settings):
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(*endpoints, **settings)},
                           "routes": [route(sticky={"by": ["header X-User-Id"]})]})
    return daemon


def spread(daemon, count, users=None):
    """How many of `count` requests each upstream answered."""
    seen = collections.Counter()
    with daemon.client() as client:
        for i in range(count):
            response = client.ask(headers=[("X-User-Id", users[i % len(users)])] if users else ())
            assert response.status == 200
            seen[response.text] += 1
    return seen


def test_round_robin_takes_turns(start_sluice, upstream):
    servers = [upstream(f"e{i}") for i in range(3)]
    daemon = start(start_sluice, servers, balance="round_robin")
    assert spread(daemon, 300) == {"e0": 100, "e1": 100, "e2": 100}


def test_round_robin_by_weight(start_sluice, upstream):
    servers = [{"url": upstream("e0").url, "weight": 3}, {"url": upstream("e1").url, "weight": 1}]
    daemon = start(start_sluice, servers, balance="round_robin")
    assert spread(daemon, 400) == {"e0": 300, "e1": 100}


def test_least_inflight_spreads_evenly_and_by_weight(start_sluice, upstream):
    daemon = start(start_sluice, [upstream(f"e{i}") for i in range(4)], balance="least_inflight")
    count = scaled(2000, 500)
    for seen in spread(daemon, count).values():
        assert abs(seen - count / 4) < 5 * (count * 3 / 16) ** 0.5
    heavy = [{"url": upstream("h0").url, "weight": 3}, {"url": upstream("h1").url}]
    weighted = start(start_sluice, heavy)
    seen = spread(weighted, count)
    assert seen["h0"] > 2 * seen["h1"] > 0


def test_least_inflight_avoids_a_busy_endpoint(start_sluice, upstream):
    release = threading.Event()

    def slow(request, reply):
        if request.path == "/hold":
            release.wait(30)
        reply.send(200, "slow")
    servers = [upstream("slow", slow), upstream("quick")]
    daemon = start(start_sluice, servers, balance="least_inflight")
    held = []
    try:
        while not servers[0].inflight:
            held.append(daemon.client())
            held[-1].request("GET", "/hold")
            wait_for(lambda: sum(s.inflight for s in servers) or sum(s.count for s in servers) == len(held))
            assert len(held) < 50
        assert spread(daemon, 200)["quick"] == 200, "two choices of two always see the idle one"
    finally:
        release.set()
    for client in held:
        assert client.response().status == 200
        client.close()


USERS = [f"user-{i}" for i in range(300)]


def affinity(daemon):
    with daemon.client() as client:
        return {u: client.ask(headers=[("X-User-Id", u)]).text for u in USERS}


def test_unit_hash_sends_a_unit_to_the_same_endpoint_and_moves_few(start_sluice, upstream):
    servers = [upstream(f"e{i}") for i in range(5)]
    daemon = start(start_sluice, servers, balance="unit_hash")
    first = affinity(daemon)
    assert affinity(daemon) == first
    sizes = collections.Counter(first.values())
    assert len(sizes) == 5 and min(sizes.values()) >= 20, sizes
    daemon.config["pools"]["stable"] = pool(*servers[:4], balance="unit_hash")
    daemon.reload_by_signal(daemon.config)
    without = affinity(daemon)
    assert all(without[u] == first[u] for u in USERS if first[u] != "e4"), "only the removed endpoint's units move"
    assert len({without[u] for u in USERS if first[u] == "e4"}) > 1, "and they spread"
    daemon.config["pools"]["stable"] = pool(*servers, balance="unit_hash")
    daemon.reload_by_signal(daemon.config)
    assert affinity(daemon) == first, "and come back"


def test_unit_hash_survives_a_restart_and_an_endpoint_that_is_down(start_sluice, upstream):
    servers = [upstream(f"e{i}") for i in range(3)]
    daemon = start(start_sluice, servers, balance="unit_hash")
    first = affinity(daemon)
    daemon.restart()
    assert affinity(daemon) == first
    done = daemon.cli("drain", "stable", servers[1].url)
    assert done.returncode == 0, done.stderr
    moved = affinity(daemon)
    assert all(moved[u] == first[u] for u in USERS if first[u] != "e1") and "e1" not in moved.values()


class Held:
    """An upstream handler that holds every request until it is let go."""

    def __init__(self):
        self.slots = threading.Semaphore(0)
        self.order = []

    def __call__(self, request, reply):
        self.order.append(request.target)
        assert self.slots.acquire(timeout=patience(30))
        reply.send(200, request.target)



def test_max_inflight_holds_and_the_queue_is_first_come_first_served(start_sluice, upstream):
    held = Held()
    server = upstream("e0", held)
    daemon = start(start_sluice, [server], max_inflight=2, queue={"size": 10, "timeout": "30s"})
    clients = []
    for i in range(8):
        client = daemon.client(30)
        client.request("GET", f"/{i}")
        clients.append(client)
        # The order of arrival must be known: each is in before the next is sent.
        wait_for(lambda i=i: server.count == min(i + 1, 2) and
                 waiting(daemon) == max(0, i + 1 - 2), what=f"request {i} arrived")
    assert server.most_inflight == 2 and held.order == ["/0", "/1"]
    for i in range(8):
        held.slots.release()
        wait_for(lambda i=i: len(held.order) == min(8, i + 3), what="the oldest of the queue goes on")
    assert [client.response().text for client in clients] == [f"/{i}" for i in range(8)]
    assert held.order == [f"/{i}" for i in range(8)] and server.most_inflight == 2
    for client in clients:
        client.close()


def waiting(daemon):
    """Requests in the pool's queue, as status tells."""
    for entry in daemon.status()["pools"]:
        if entry["name"] == "stable":
            return entry["waiting"]
    raise AssertionError("no such pool in the status")


def test_past_the_queues_size_503_with_retry_after(start_sluice, upstream):
    held = Held()
    server = upstream("e0", held)
    daemon = start(start_sluice, [server], max_inflight=1, queue={"size": 2, "timeout": "30s"})
    clients = [daemon.client(30) for _ in range(3)]
    clients[0].request()
    wait_for(lambda: server.count == 1)
    for n, client in enumerate(clients[1:], 1):
        client.request()
        wait_for(lambda n=n: waiting(daemon) == n)
    response = daemon.ask()
    assert response.status == 503 and int(response.header("Retry-After")) >= 1 and response.header("X-Sluice-Error")
    for client in clients:
        held.slots.release()
        assert client.response().status == 200
        client.close()
    assert daemon.counted("sluice_requests_total", 1, code="5xx")
    assert server.count == 3


def test_past_the_queues_time_503_with_retry_after(start_sluice, upstream):
    held = Held()
    server = upstream("e0", held)
    daemon = start(start_sluice, [server], max_inflight=1, queue={"size": 100, "timeout": "200ms"})
    with daemon.client() as first:
        first.request()
        wait_for(lambda: server.count == 1)
        response = daemon.ask()
        assert response.status == 503 and response.header("Retry-After")
        held.slots.release()
        assert first.response().status == 200
    held.slots.release()
    assert daemon.ask().status == 200


def test_a_client_that_leaves_the_queue_gives_its_place_up(start_sluice, upstream):
    held = Held()
    server = upstream("e0", held)
    daemon = start(start_sluice, [server], max_inflight=1, queue={"size": 1, "timeout": "30s"})
    with daemon.client() as first, daemon.client() as third:
        first.request("GET", "/1")
        wait_for(lambda: server.count == 1)
        second = daemon.client()
        second.request("GET", "/2")
        wait_for(lambda: waiting(daemon) == 1)
        second.reset()
        wait_for(lambda: waiting(daemon) == 0)
        third.request("GET", "/3")
        wait_for(lambda: waiting(daemon) == 1)
        held.slots.release(2)
        assert first.response().text == "/1" and third.response().text == "/3"
    assert held.order == ["/1", "/3"]


def test_max_inflight_is_per_endpoint_and_over_all_workers(start_sluice, upstream):
    servers = [upstream(f"e{i}", Held()) for i in range(2)]
    daemon = start_sluice({"workers": 3, "pools": {"stable": pool(*servers, max_inflight=3, queue={"size": 100, "timeout": "30s"})},
                           "routes": [route()]})
    clients = [daemon.client(30) for _ in range(30)]
    for client in clients:
        client.request()
    wait_for(lambda: sum(s.inflight for s in servers) == 6 and waiting(daemon) == 24)
    for server in servers:
        server.handler.slots.release(30)
    assert all(client.response().status == 200 for client in clients)
    assert max(s.most_inflight for s in servers) == 3
    for client in clients:
        client.close()


def test_drain_lets_requests_finish_and_undrain_brings_it_back(start_sluice, upstream):
    held = Held()
    first = upstream("first", lambda request, reply: held(request, reply) if request.path == "/hold" else reply.send(200, "first"))
    second = upstream("second")
    daemon = start(start_sluice, [first, second], balance="round_robin")
    with daemon.client() as client:
        while not first.inflight:
            client.request("GET", "/hold")
            wait_for(lambda: first.inflight or second.inflight == 0 and second.count)
            if not first.inflight:
                assert client.response().text == "second"
        done = daemon.cli("drain", "stable", first.url)
        assert done.returncode == 0, done.stderr
        assert spread(daemon, 20) == {"second": 20}
        assert first.inflight == 1, "the request that was there goes on"
        held.slots.release()
        assert client.response().text == "/hold"
    assert daemon.cli("undrain", "stable", first.url).returncode == 0
    assert spread(daemon, 20) == {"first": 10, "second": 10}


def test_drains_survive_a_reload(start_sluice, upstream):
    servers = [upstream("a"), upstream("b")]
    daemon = start(start_sluice, servers, balance="round_robin")
    assert daemon.cli("drain", "stable", servers[0].url).returncode == 0
    daemon.reload_by_signal(daemon.config)
    assert spread(daemon, 10) == {"b": 10}


@pytest.mark.parametrize("pool_name, endpoint", [("nobody", "http://127.0.0.1:1"), ("stable", "http://127.0.0.1:1")])
def test_draining_what_is_not_there_is_refused(start_sluice, upstream, pool_name, endpoint):
    daemon = start(start_sluice, [upstream()])
    done = daemon.cli("drain", pool_name, endpoint)
    assert done.returncode == 1 and done.stderr.strip()


def test_no_endpoint_left_is_503(start_sluice, upstream):
    server = upstream()
    daemon = start(start_sluice, [server])
    assert daemon.cli("drain", "stable", server.url).returncode == 0
    response = daemon.ask()
    assert response.status == 503 and response.header("X-Sluice-Error")
    with Client(daemon.address) as client:
        assert client.ask().status == 503


def test_no_workers_clients_starve_in_the_queue(start_sluice, upstream):
    """Twenty clients on three workers that always have the next request ready share one slot: each gets its turns."""
    server = upstream("e0")
    daemon = start_sluice({"workers": 3, "pools": {"stable": pool(server, max_inflight=1, queue={"size": 100, "timeout": "30s"})},
                           "routes": [route()]})
    turns = collections.Counter()
    total = scaled(3000, 600)
    enough = threading.Event()

    def client_loop(number):
        with daemon.client(60) as client:
            while not enough.is_set():
                assert client.ask().status == 200
                turns[number] += 1
                if sum(turns.values()) >= total:
                    enough.set()
    threads = [threading.Thread(target=client_loop, args=(n,), daemon=True) for n in range(20)]
    for thread in threads:
        thread.start()
    assert enough.wait(patience(40))
    for thread in threads:
        thread.join(patience(20))
    assert server.most_inflight == 1
    assert len(turns) == 20 and min(turns.values()) >= total / 20 / 4, sorted(turns.values())
