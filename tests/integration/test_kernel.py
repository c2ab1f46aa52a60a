"""What the daemon tells the kernel when it is asked to: which cores, when to sleep, when a connection is one."""
import os
import re
import socket

import pytest

from harness.client import Client
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for


@pytest.fixture
def start(start_sluice, upstream):
    server = upstream("stable")

    def start(**settings):
        return start_sluice({"pools": {"stable": pool(server)}, "routes": [route()], **settings})
    return start


def change(daemon, **settings):
    daemon.reload({**daemon.config, **settings})


def told(daemon, name):
    """Of each thread, by its name."""
    threads = {}
    for task in os.listdir(f"/proc/{daemon.pid}/task"):
        with open(f"/proc/{daemon.pid}/task/{task}/status", encoding="utf-8") as f:
            status = f.read()
        threads[re.search(r"^Name:\t(.*)", status)[1]] = re.search(rf"^{name}:\t(.*)", status, re.M)[1]
    return threads


def cores_of(daemon):
    return {name: cores for name, cores in told(daemon, "Cpus_allowed_list").items() if name.startswith("worker")}


def test_workers_stay_on_cores_of_their_own_while_they_are_told_to(start):
    mine = sorted(os.sched_getaffinity(0))
    daemon = start(workers=len(mine) + 1, cpu_affinity=True)
    free = told(daemon, "Cpus_allowed_list")["sluice"]
    assert cores_of(daemon) == {f"worker-{i:02}": str(mine[i % len(mine)]) for i in range(len(mine) + 1)}
    assert daemon.ask().status == 200
    change(daemon, cpu_affinity=False)
    wait_for(lambda: set(cores_of(daemon).values()) == {free})
    change(daemon, cpu_affinity=True)
    wait_for(lambda: len(set(cores_of(daemon).values())) == len(mine))


def test_a_worker_that_polls_does_not_sleep_after_a_request(start):
    daemon = start(workers=1, busy_poll="600s")

    def sleeps():
        return int(told(daemon, "voluntary_ctxt_switches")["worker-00"])

    def ran_ns():
        return sum(int(open(f"/proc/{daemon.pid}/task/{task}/schedstat", encoding="utf-8").read().split()[0])
                   for task in os.listdir(f"/proc/{daemon.pid}/task"))
    assert daemon.ask().status == 200
    before, from_ns = sleeps(), ran_ns()
    wait_for(lambda: ran_ns() > from_ns + 300_000_000, patience(30), "it looks for events")
    assert sleeps() == before, "a worker that sleeps does so 50 times a second, for the deadlines"
    assert daemon.ask().status == 200
    change(daemon, busy_poll="off")
    before = sleeps()
    wait_for(lambda: sleeps() > before + 5)
    change(daemon, busy_poll="1ms")
    assert daemon.ask().status == 200
    before = sleeps()
    wait_for(lambda: sleeps() > before + 5, what="it sleeps when nothing has happened for that long")


def test_a_deferred_connection_is_none_before_its_client_speaks(start):
    daemon = start(listeners=[{"address": "127.0.0.1:0"}])

    def connections():
        return daemon.metrics().sum("sluice_client_connections")
    with Client(daemon.address) as client:
        wait_for(lambda: connections() == 1)
        assert client.ask().status == 200
    wait_for(lambda: connections() == 0)
    change(daemon, listeners=[{"address": "127.0.0.1:0", "defer_accept": True}])  # the same socket goes on
    with Client(daemon.address) as silent, Client(daemon.address) as client:
        assert client.ask().status == 200
        assert connections() == 1
        assert silent.ask().status == 200
        assert connections() == 2


def test_a_unix_socket_has_nothing_to_defer(start, tmp_path):
    path = str(tmp_path / "s")
    daemon = start(listeners=[{"address": f"unix:{path}", "defer_accept": True}])
    with Client(path) as client:
        assert client.ask().status == 200
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        wait_for(lambda: daemon.metrics().sum("sluice_client_connections") == 1)
