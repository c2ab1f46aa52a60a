"""The wall clock is set forward and back by years while the daemon runs: nothing that decides depends on it. By libfaketime,
which leaves the monotonic clock alone."""
import glob
import json
import os
import time

import pytest

from harness.load import Loop
from harness.scale import sanitizer
from harness.sluice import pool, route
from harness.wait import wait_for

LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
YEAR = 365 * 86400
JSON = [("Content-Type", "application/json")]


class Clock:
    def __init__(self, directory):
        self.path = os.path.join(directory, "clock")
        self.set(0)
        self.env = {"LD_PRELOAD": LIBRARIES[0], "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}

    def set(self, seconds):
        """So many seconds off."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(f"{seconds:+d}s\n")
        os.replace(self.path + ".new", self.path)


@pytest.fixture
def clock(tmp_path):
    if not LIBRARIES:
        pytest.skip("libfaketime is not installed")
    if sanitizer():
        pytest.skip("a sanitizer does not go with a preloaded library")
    return Clock(str(tmp_path))


def year_of(response):
    return int(response.header("Date").split()[3])


def test_requests_streams_and_time_outs_go_on(clock, start_sluice, upstream):
    def handler(request, reply):
        if request.path == "/hang":
            reply.hang(30)
        reply.head(200, [("Content-Length", 2)])  # its answer has no Date: ours shows which time we think it is
        reply.over()
        reply.raw(b"ok")
    daemon = start_sluice({"workers": 2, "timeouts": {"first_byte": "2s"}, "pools": {
        "stable": pool(upstream(handler=handler), ejection={"consecutive_failures": 0})}, "routes": [route()]}, env=clock.env)
    load = Loop(daemon.address, threads=2)
    for jump in (20 * YEAR, -10 * YEAR, 0):
        clock.set(jump)
        wait_for(lambda: abs(year_of(daemon.ask()) - time.gmtime().tm_year - jump // YEAR) <= 1, 10, "Date follows")  # pylint: disable=W0640
        assert daemon.ask(target="/hang").status == 504
        assert daemon.cli("status").returncode == 0 and daemon.cli("reload").returncode == 0
    load.stop()
    assert not load.failures and set(load.statuses) == {200}


def test_a_rollout_steps_as_if_nothing_had_happened(clock, start_sluice, upstream):
    """A step of an hour is not over because somebody says that it is ten years later, and one of a second is when it is
    ten years earlier."""
    daemon = start_sluice({
        "workers": 1, "pools": {"stable": pool(upstream("stable")), "canary": pool(upstream("canary"))},
        "routes": [route(variants={"stable": {"pool": "stable", "weight": 100, "version": "v1"},
                                   "canary": {"pool": "canary", "weight": 0, "version": "v2"}},
                         rollout={"strategy": "canary", "baseline": "stable", "candidate": "canary", "start": "manual",
                                  "steps": [{"weight": 10, "for": "1s", "min_requests": 1}, {"weight": 50, "for": "1h"},
                                            {"weight": 100}]})]}, env=clock.env)

    def weight():
        return daemon.metrics().sum("sluice_variant_weight", variant="canary")
    clock.set(-10 * YEAR)
    load = Loop(daemon.address, threads=2, make=lambda i: ("GET", "/", [("X-User-Id", str(i))], None))
    assert daemon.cli("promote", "chat").returncode == 0
    wait_for(lambda: weight() == 50, 30, "the first step passes")
    clock.set(10 * YEAR)
    seen = daemon.metrics().sum("sluice_requests_total", variant="canary")
    wait_for(lambda: daemon.metrics().sum("sluice_requests_total", variant="canary") > seen + 500, 30, "requests go on")
    assert weight() == 50
    load.stop()
    assert not load.failures


def test_tasks_are_not_forgotten(clock, start_sluice, upstream):
    """A day later, says the clock: what began a moment ago still runs where it runs."""
    def model(name):
        def handler(request, reply):
            body = {"id": "task-1"} if request.method == "POST" else {"from": name}
            reply.send(200, json.dumps(body), JSON)
        return handler
    servers = [upstream(name, model(name)) for name in ("a", "b", "c", "d")]
    daemon = start_sluice({"workers": 2, "pools": {"stable": pool(*servers, balance="round_robin")},
                           "routes": [route(affinity={"learn": ["json /id"], "use": ["path_segment"], "ttl": "24h"})]},
                          env=clock.env)
    assert daemon.ask("POST", "/v1/tasks", JSON, "{}").status == 200
    home = daemon.ask(target="/v1/tasks/task-1").json()["from"]
    for jump in (2 * YEAR, -2 * YEAR, 3 * YEAR):
        clock.set(jump)
        assert {daemon.ask(target="/v1/tasks/task-1").json()["from"] for _ in range(12)} == {home}
    assert daemon.metrics().sum("sluice_tasks", route="chat") == 1
