"""Rolling updates: each endpoint is drained, updated, healthy again and back, and users notice nothing."""
import json
import os
import threading

import pytest

from harness.load import Loop
from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for
from test_rollout import decisions_of, rollout_of

# The servers are threads of this process: one that gets no CPU for a second is no sick server.
CHECK = {"interval": "50ms", "timeout": "20s", "healthy_after": 1, "unhealthy_after": 1, "request": {"path": "/health"}}


class Fleet:
    """Model servers and the webhook that updates them."""

    def __init__(self, upstream, count):
        self.versions, self.sick, self.asked, self.busy = {}, set(), [], []
        self.answer, self.hold = 200, threading.Event()
        self.hold.set()
        self.servers = [upstream(f"model-{i}", self.model(i)) for i in range(count)]
        self.hook = upstream("hook", self.update)

    def model(self, index):
        def handler(request, reply):
            if request.target == "/health":
                reply.send(503 if index in self.sick else 200, "ok")
            else:
                reply.send(200, self.versions.get(index, "v1"))
        return handler

    def update(self, request, reply):
        body = json.loads(request.body)
        index = next(i for i, server in enumerate(self.servers) if server.url == body["endpoint"])
        self.asked.append(body)
        self.busy.append(sum(1 for r in self.servers[index].requests if r.target != "/health" and r.in_flight))
        self.hold.wait(20)
        if self.answer == 200:
            self.versions[index] = body["version"]
        reply.send(self.answer, "no image" if self.answer != 200 else "done")


@pytest.fixture
def fleet(start_sluice, upstream):
    loads = []

    def make(count=4, checked=True, **rollout):
        there = Fleet(upstream, count)
        settings = {"health": CHECK} if checked else {}
        daemon = start_sluice({
            "pools": {"models": pool(*there.servers, **settings)},
            "routes": [route("chat", {"all": {"pool": "models", "weight": 100}},
                             rollout={"strategy": "rolling", "update": there.hook.url + "/update", **rollout})]})
        load = Loop(daemon.address, threads=4)
        loads.append(load)
        wait_for(lambda: load.total > 50, patience(20))
        config = daemon.config
        config["routes"][0]["variants"]["all"]["version"] = "v2"
        assert daemon.reload(config).status == 200
        return there, daemon, load
    yield make
    for load in loads:
        load.stop()


def ends(daemon, state):
    wait_for(lambda: rollout_of(daemon)["state"] in ("promoted", "stopped"), patience(40))
    assert rollout_of(daemon)["state"] == state, decisions_of(daemon)[-1]["because"]


def states(daemon):
    return [endpoint["state"] for endpoint in daemon.status()["pools"][0]["endpoints"]]


@pytest.mark.parametrize("batch, checked", [(1, True), (3, True), (1, False)])
def test_every_endpoint_is_updated_and_no_request_fails(fleet, batch, checked):
    there, daemon, load = fleet(batch=batch, checked=checked)
    ends(daemon, "promoted")
    load.stop()
    assert there.versions == {i: "v2" for i in range(4)} and not load.failures and set(load.statuses) == {200}
    assert [body["endpoint"] for body in there.asked] == [server.url for server in there.servers] or batch > 1
    assert there.asked[0]["pool"] == "models" and there.asked[0]["route"] == "chat" and there.asked[0]["version"] == "v2"
    assert set(there.busy) == {0}, "drained before it was updated"
    assert states(daemon) == ["ready"] * 4
    assert decisions_of(daemon)[-1]["action"] == "complete"


def test_the_first_failure_stops_it(fleet):
    there, daemon, load = fleet()
    wait_for(lambda: len(there.versions) == 1, patience(20))
    there.answer = 500
    ends(daemon, "stopped")
    load.stop()
    assert not load.failures and set(load.statuses) == {200}
    done = len(there.versions)
    because = decisions_of(daemon)[-1]["because"]
    assert there.servers[done].url in because and "500" in because and f"{done} endpoints before it are updated" in because
    assert states(daemon).count("updating") == 1, "what failed is out, what was not touched is in"
    there.answer = 200
    assert daemon.cli("retry", "chat").returncode == 0
    ends(daemon, "promoted")
    assert there.versions == {i: "v2" for i in range(4)}


def test_one_that_stays_sick_is_not_taken_back(fleet):
    there, daemon, load = fleet(count=2)
    there.sick.add(0)
    wait_for(lambda: states(daemon)[0] == "updating" and there.asked, patience(20))
    assert rollout_of(daemon)["state"] == "step" and len(there.asked) == 1, "the next one waits"
    there.sick.clear()
    ends(daemon, "promoted")
    load.stop()
    assert not load.failures and set(load.statuses) == {200}


def test_a_pause_holds_before_the_next_batch(fleet):
    there, daemon, _ = fleet()
    there.hold.clear()
    wait_for(lambda: there.asked, patience(20))
    assert daemon.cli("pause", "chat").returncode == 0
    there.hold.set()
    wait_for(lambda: rollout_of(daemon)["state"] == "paused", patience(20))
    assert len(there.versions) == 1 and states(daemon) == ["ready"] * 4
    assert daemon.cli("resume", "chat").returncode == 0
    ends(daemon, "promoted")
    assert len(there.versions) == 4


def test_a_reload_in_the_middle_goes_on_with_the_same_update(fleet):
    there, daemon, load = fleet(count=2)
    there.hold.clear()
    wait_for(lambda: there.asked, patience(20))
    for _ in range(3):
        assert daemon.reload(daemon.config).status == 200
    # Another weight makes the endpoint anew; it is the same one nevertheless.
    daemon.config["pools"]["models"]["endpoints"] = [{"url": server.url, "weight": 2} for server in there.servers]
    assert daemon.reload(daemon.config).status == 200
    assert states(daemon) == ["updating", "ready"] and rollout_of(daemon)["state"] == "step"
    there.hold.set()
    ends(daemon, "promoted")
    load.stop()
    assert [body["endpoint"] for body in there.asked] == [server.url for server in there.servers], "each was asked once"
    assert states(daemon) == ["ready", "ready"]
    assert not load.failures and set(load.statuses) == {200}


def test_other_endpoints_stop_it(fleet):
    there, daemon, _ = fleet(count=3)
    there.hold.clear()
    wait_for(lambda: there.asked, patience(20))
    daemon.config["pools"]["models"]["endpoints"] = [server.url for server in there.servers[:2]]
    assert daemon.reload(daemon.config).status == 200
    assert rollout_of(daemon)["state"] == "stopped"
    assert "endpoints or `batch` changed" in decisions_of(daemon)[-1]["because"]
    there.hold.set()
    assert states(daemon)[1] == "ready"
    assert daemon.cli("retry", "chat").returncode == 0
    ends(daemon, "promoted")
    assert states(daemon) == ["ready", "ready"]


def test_what_a_person_has_drained_stays_drained(fleet):
    there, daemon, _ = fleet(count=2)
    there.hold.clear()
    assert daemon.cli("drain", "models", there.servers[1].url).returncode == 0
    there.hold.set()
    ends(daemon, "promoted")
    assert states(daemon) == ["ready", "drained"] and there.versions == {0: "v2", 1: "v2"}
    assert daemon.cli("undrain", "models", there.servers[1].url).returncode == 0
    assert states(daemon) == ["ready", "ready"]


def test_a_person_takes_back_what_failed(fleet):
    there, daemon, _ = fleet(count=2)
    there.answer = 500
    ends(daemon, "stopped")
    failed = states(daemon).index("updating")
    assert daemon.cli("undrain", "models", there.servers[failed].url).returncode == 0
    assert states(daemon) == ["ready", "ready"]


def test_a_batch_that_ends_while_nothing_can_be_written_is_not_forgotten(fleet):
    there, daemon, load = fleet(count=2)
    there.hold.clear()
    wait_for(lambda: there.asked, patience(20))
    folder = os.path.join(daemon.config["state_dir"], "rollouts")
    os.rename(folder, folder + ".away")
    with open(folder, "w", encoding="utf-8"):
        pass  # a file where a folder should be
    there.hold.set()
    wait_for(lambda: rollout_of(daemon)["journal_failing"] and states(daemon)[0] == "ready", patience(40))
    assert rollout_of(daemon)["step"] == 0 and len(there.asked) == 1, "the next one waits"
    os.remove(folder)
    os.rename(folder + ".away", folder)
    ends(daemon, "promoted")
    load.stop()
    assert [body["endpoint"] for body in there.asked] == [server.url for server in there.servers]
    assert not load.failures and set(load.statuses) == {200}
