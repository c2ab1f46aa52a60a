"""blue_green: gates, one switch for all workers at once, a watch, and one command back while the other side is warm."""
import threading
import time

import pytest

from harness.client import Client
from harness.load import Loop
from harness.scale import patience
from harness.wait import wait_for
from test_rollout import Paced, baseline_seen, configuration, decisions_of, rollout_of, weight_of

SWITCH = {"strategy": "blue_green", "steps": None}


def test_blue_green_switches_at_one_moment(start_sluice, upstream):
    """No request sees blue after one saw green, on four workers under load; and one command takes it back while it is warm."""
    order, lock = [], threading.Lock()

    def serving(name):
        def handler(request, reply):
            with lock:
                order.append((name, float(request.target[1:])))  # when it was sent
            reply.send(200, name)
        return handler
    servers = upstream("blue", serving("stable")), upstream("green", serving("canary"))
    daemon = start_sluice({**configuration(*servers, {"strategy": "blue_green", "switch": "manual", "steps": None,
                                                      "guards": {"error_rate": {"margin": 1}}, "watch": "1s"},
                                           weights=(100, 0)), "workers": 4})
    load = Loop(daemon.address, threads=8, make=lambda i: ("GET", f"/{time.monotonic():.6f}", [("X-User-Id", f"user-{i}")], None))
    wait_for(lambda: baseline_seen(daemon) > 200, patience(20), "blue is known")
    assert {name for name, _ in order} == {"stable"} and rollout_of(daemon)["state"] == "paused"
    assert daemon.cli("promote", "chat").returncode == 0
    done = time.monotonic()  # every worker has said that it decides by the new weights
    wait_for(lambda: load.variants["canary"] > 500, patience(20))
    with lock:
        seen = list(order)
    assert not [at for name, at in seen if name == "stable" and at > done], "the switch was complete"
    answered = min(at for name, at in seen if name == "canary"), max(at for name, at in seen if name == "stable")
    assert answered[1] - answered[0] < patience(0.05), "they cross only as long as a request is under way"
    wait_for(lambda: rollout_of(daemon)["state"] == "promoted", patience(20))
    assert daemon.cli("rollback", "chat", "--reason", "second thoughts").returncode == 0
    assert weight_of(daemon) == 0 and "second thoughts" in rollout_of(daemon)["because"]
    assert daemon.cli("promote", "chat").returncode == 0 and weight_of(daemon) == 100
    load.stop()
    assert not load.failures and set(load.statuses) == {200}


def test_a_guard_takes_the_switch_back(start_sluice, upstream):
    sick = threading.Event()
    stable, green = upstream("blue"), upstream("green", lambda request, reply: reply.send(500 if sick.is_set() else 200, "x"))
    daemon = start_sluice(configuration(stable, green, {"strategy": "blue_green", "steps": None,
                                                        "guards": {"error_rate": {"margin": 1}}, "watch": "10m"},
                                        weights=(100, 0), version=None))
    load = Paced(daemon.address, 200)
    wait_for(lambda: load.statuses[200] > 400 and baseline_seen(daemon) > 200, patience(20), "blue is known")
    time.sleep(2.5)  # and its requests are older than the horizon
    config = daemon.config
    config["routes"][0]["variants"]["canary"]["version"] = "v2"
    assert daemon.reload(config).status == 200
    wait_for(lambda: weight_of(daemon) == 100, patience(10))
    sick.set()
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(10))
    load.stop()
    assert weight_of(daemon) == 0 and decisions_of(daemon)[-1]["who"] == "controller"


@pytest.mark.alone
@pytest.mark.parametrize("fault,said", [("status", "status 500"), ("late", "ms, more than 300 ms")])
def test_smoke_tests_gate_the_switch(start_sluice, upstream, fault, said):
    sick = threading.Event()
    sick.set()

    def green(request, reply):
        if sick.is_set() and fault == "late":
            time.sleep(0.4)
        reply.send(500 if sick.is_set() and fault == "status" else 200, request.target)
    smoke = {"request": {"path": "/smoke"}, "expect": {"status": [200], "latency": "300ms"}}
    daemon = start_sluice(configuration(upstream("blue"), upstream("green", green), {
        **SWITCH, "before": {"smoke_tests": [smoke]}, "watch": "10m"}, weights=(100, 0)))
    wait_for(lambda: rollout_of(daemon)["hold"] == "gate", patience(20))
    assert said in rollout_of(daemon)["because"], rollout_of(daemon)["because"]
    assert weight_of(daemon) == 0 and daemon.ask().variant == "stable"
    sick.clear()
    assert daemon.cli("retry", "chat").returncode == 0
    wait_for(lambda: weight_of(daemon) == 100, patience(20))
    assert daemon.ask().variant == "canary" and daemon.ask().text == "/"


def test_one_command_back_and_forth_while_it_is_warm(start_sluice, upstream):
    daemon = start_sluice(configuration(upstream("blue"), upstream("green"), {**SWITCH, "watch": None, "keep_warm": "10m"},
                                        weights=(100, 0)))
    wait_for(lambda: weight_of(daemon) == 100, patience(10))
    for _ in range(3):
        assert daemon.cli("rollback", "chat").returncode == 0
        assert weight_of(daemon) == 0 and daemon.ask().variant == "stable"
        assert daemon.cli("promote", "chat").returncode == 0
        assert weight_of(daemon) == 100 and daemon.ask().variant == "canary"


def test_once_it_is_cold_it_begins_again(start_sluice, upstream):
    daemon = start_sluice(configuration(upstream("blue"), upstream("green"), {**SWITCH, "keep_warm": "100ms"}, weights=(100, 0)))
    wait_for(lambda: weight_of(daemon) == 100, patience(10))
    assert daemon.cli("rollback", "chat").returncode == 0
    wait_for(lambda: not rollout_of(daemon)["keep_warm"], patience(10))
    refused = daemon.cli("promote", "chat")
    assert refused.returncode == 1 and "keep_warm has passed" in refused.stderr
    assert daemon.cli("retry", "chat").returncode == 0
    wait_for(lambda: weight_of(daemon) == 100, patience(10))


def test_a_stream_of_the_candidate_finishes_after_it_was_taken_back(start_sluice, upstream):
    back = threading.Event()

    def green(_request, reply):
        reply.begin_sse()
        reply.event("first")
        assert back.wait(20)
        for i in range(20):
            reply.event(i)
        reply.end_chunked()
    daemon = start_sluice(configuration(upstream("blue"), upstream("green", green), SWITCH, weights=(100, 0)))
    wait_for(lambda: weight_of(daemon) == 100, patience(10))
    with Client(daemon.address) as client:
        client.request("GET", "/")
        client.until(b"first")
        assert daemon.cli("rollback", "chat").returncode == 0
        assert weight_of(daemon) == 0 and daemon.ask().variant == "stable"
        back.set()
        client.until(b"data: 19\n\n\r\n0\r\n\r\n")


def test_how_fast_the_workers_follow_is_told(start_sluice, upstream):
    daemon = start_sluice({**configuration(upstream("blue"), upstream("green"), SWITCH, weights=(100, 0)), "workers": 4})
    wait_for(lambda: weight_of(daemon) == 100, patience(10))
    assert daemon.cli("rollback", "chat").returncode == 0
    assert daemon.metrics().sum("sluice_plan_adoption_seconds") > 0
