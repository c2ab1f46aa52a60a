"""Active checks, ejection, and what the proxy does meanwhile."""
import json
import re
import threading
import time

import pytest

from harness.scale import patience
from harness.sluice import pool, route
from harness.wait import wait_for

QUICK = {"interval": "50ms", "timeout": "1s", "healthy_after": 2, "unhealthy_after": 2}


class Model:
    """An upstream handler whose health check answers what the test says."""

    def __init__(self, name):
        self.name = name
        self.check = (200, json.dumps({"choices": [{"finish_reason": "stop", "message": {"content": "4"}}]}))
        self.checks = []
        self.hang = None

    def __call__(self, request, reply):
        if request.path == "/check":
            self.checks.append(request)
            if self.hang:
                self.hang.wait(30)
            reply.send(self.check[0], self.check[1], [("Content-Type", "application/json")])
        else:
            reply.send(200, self.name)


def up(daemon, server):
    return daemon.metrics().sum("sluice_endpoint_up", pool="stable", endpoint=server.url)


def wait_up(daemon, server, value):
    wait_for(lambda: up(daemon, server) == value, patience(15), f"sluice_endpoint_up of {server.name} is {value}")


def answers(daemon, *names):
    """Waits until exactly these endpoints answer: the gauge tells of a change a moment before every worker knows it."""
    def seen():
        with daemon.client() as client:
            return {client.ask().text for _ in range(20)}
    wait_for(lambda: seen() == set(names), patience(5), f"only {names} answer")


def start(start_sluice, servers, health, **settings):
    return start_sluice({"workers": 2, "pools": {"stable": pool(*servers, balance="round_robin", health=health, **settings)},
                         "routes": [route()]})


CHECK = {**QUICK,
         "request": {"method": "POST", "path": "/check", "headers": {"Content-Type": "application/json", "X-Probe": "1"},
                     "body": '{"messages":[{"role":"user","content":"2+2="}]}'},
         "expect": {"status": [200, 201], "body_contains": "4", "json": {"/choices/0/finish_reason": "stop"}}}

BROKEN = {
    "status": (500, json.dumps({"choices": [{"finish_reason": "stop"}], "x": "4"})),
    "body_contains": (200, json.dumps({"choices": [{"finish_reason": "stop", "message": {"content": "five"}}]})),
    "json value": (200, json.dumps({"choices": [{"finish_reason": "length", "x": "4"}]})),
    "json missing": (200, json.dumps({"answer": "4"})),
    "not json": (200, "4 is the answer"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_check_that_fails_takes_the_endpoint_out_and_back(start_sluice, upstream, broken):
    models = [Model("a"), Model("b")]
    servers = [upstream(m.name, m) for m in models]
    daemon = start(start_sluice, servers, CHECK)
    wait_for(lambda: len(models[0].checks) >= 2)
    request = models[0].checks[0]
    assert request.method == "POST" and request.header("X-Probe") == "1"
    assert request.body == b'{"messages":[{"role":"user","content":"2+2="}]}'
    answers(daemon, "a", "b")
    good, models[0].check = models[0].check, BROKEN[broken]
    wait_up(daemon, servers[0], 0)
    answers(daemon, "b")
    models[0].check = good
    wait_up(daemon, servers[0], 1)
    answers(daemon, "a", "b")


def test_a_right_answer_that_comes_too_late_fails_the_check(start_sluice, upstream):
    slow, model = threading.Event(), Model("a")

    def check(request, reply):
        if slow.is_set():
            time.sleep(0.4)
        model(request, reply)
    server = upstream("a", check)
    expect = {**CHECK["expect"], "latency": "300ms"}
    daemon = start(start_sluice, [server], {**CHECK, "timeout": "30s", "expect": expect})
    wait_up(daemon, server, 1)
    slow.set()
    wait_up(daemon, server, 0)

    def result():
        return daemon.status()["pools"][0]["endpoints"][0]["last_check"]["result"]
    took = int(re.fullmatch(r"took (\d+) ms, more than 300 ms", result())[1])
    assert 400 <= took < 30000
    assert "more than 300 ms" in daemon.cli("status").stdout
    slow.clear()
    wait_up(daemon, server, 1)


def test_other_accepted_statuses(start_sluice, upstream):
    model = Model("a")
    model.check = (201, model.check[1])
    server = upstream("a", model)
    daemon = start(start_sluice, [server], CHECK)
    wait_for(lambda: len(model.checks) >= 4)
    assert up(daemon, server) == 1


def test_one_failure_is_not_enough(start_sluice, upstream):
    model = Model("a")
    server = upstream("a", model)
    daemon = start(start_sluice, [server], {**CHECK, "unhealthy_after": 100})
    model.check = (500, "")
    seen = len(model.checks)
    wait_for(lambda: len(model.checks) >= seen + 4)
    assert up(daemon, server) == 1


def test_an_endpoint_that_hangs_or_refuses_is_unhealthy(start_sluice, upstream):
    models = [Model("a"), Model("b")]
    servers = [upstream(m.name, m) for m in models]
    daemon = start(start_sluice, servers, {**CHECK, "timeout": "100ms"})
    wait_for(lambda: models[0].checks and models[1].checks)
    models[0].hang = threading.Event()
    wait_up(daemon, servers[0], 0)
    models[0].hang.set()
    models[0].hang = None
    wait_up(daemon, servers[0], 1)
    servers[1].stop()
    wait_up(daemon, servers[1], 0)
    answers(daemon, "a")


def test_readyz_tells_when_nothing_is_healthy(start_sluice, upstream):
    model = Model("a")
    daemon = start(start_sluice, [upstream("a", model)], CHECK)
    wait_for(lambda: daemon.admin().ask("GET", "/readyz").status == 200)
    model.check = (500, "")
    wait_for(lambda: daemon.admin().ask("GET", "/readyz").status == 503)
    assert daemon.admin().ask("GET", "/healthz").status == 200
    assert daemon.ask().status == 503
    model.check = Model("x").check
    wait_for(lambda: daemon.admin().ask("GET", "/readyz").status == 200)


def test_health_survives_a_reload(start_sluice, upstream):
    models = [Model("a"), Model("b")]
    servers = [upstream(m.name, m) for m in models]
    daemon = start(start_sluice, servers, CHECK)
    models[0].check = (500, "")
    wait_up(daemon, servers[0], 0)
    daemon.reload_by_signal(daemon.config)
    assert up(daemon, servers[0]) == 0
    answers(daemon, "b")


def test_a_new_endpoint_of_a_reload_is_served_and_checked(start_sluice, upstream):
    models = [Model("a"), Model("b")]
    servers = [upstream(m.name, m) for m in models]
    daemon = start(start_sluice, servers[:1], CHECK)
    daemon.config["pools"]["stable"] = pool(*servers, balance="round_robin", health=CHECK)
    daemon.reload_by_signal(daemon.config)
    answers(daemon, "a", "b")
    wait_for(lambda: models[1].checks)


def failing(name, state):
    def handler(_request, reply):
        if state["bad"] == "500":
            reply.send(500, "sick")
        elif state["bad"] == "reset":
            reply.reset()
        else:
            reply.send(200, name)
    return handler


@pytest.mark.parametrize("kind", ["500", "reset"])
def test_consecutive_failures_eject_and_time_brings_back(start_sluice, upstream, kind):
    state = {"bad": kind}
    sick, well = upstream("sick", failing("sick", state)), upstream("well")
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(
        sick, well, balance="round_robin", ejection={"consecutive_failures": 5, "base_time": "2s", "max_share": 50})},
        "routes": [route()]})
    bad = 0
    with daemon.client() as client:
        while up(daemon, sick):
            bad += client.ask().status >= 500
            assert bad < 50
        wait_for(lambda: {client.ask().text for _ in range(5)} == {"well"}, what="the workers know")
        seen = sick.count
        assert {client.ask().text for _ in range(30)} == {"well"}
        assert sick.count == seen, "nothing goes to an ejected endpoint"
    assert bad >= 5
    state["bad"] = None
    wait_up(daemon, sick, 1)
    answers(daemon, "sick", "well")


def test_a_success_between_failures_starts_the_count_anew(start_sluice, upstream):
    def every_fourth_is_good(request, reply):
        reply.send(200 if request.number % 4 == 3 else 500, "x")
    server = upstream("e", every_fourth_is_good)
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(
        server, upstream("f"), balance="round_robin", ejection={"consecutive_failures": 5, "base_time": "10s", "max_share": 100})},
        "routes": [route()]})
    with daemon.client() as client:
        for _ in range(60):
            client.ask()
    assert up(daemon, server) == 1 and server.count == 30


def test_no_more_than_max_share_is_ejected(start_sluice, upstream):
    state = {"bad": "500"}
    servers = [upstream(f"e{i}", failing(f"e{i}", state)) for i in range(4)]
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(
        *servers, balance="round_robin", ejection={"consecutive_failures": 2, "base_time": "60s", "max_share": 50})},
        "routes": [route()]})
    with daemon.client() as client:
        for _ in range(100):
            client.ask()
    wait_for(lambda: sum(up(daemon, s) for s in servers) == 2)
    with daemon.client() as client:
        for _ in range(50):
            client.ask()
    assert sum(up(daemon, s) for s in servers) == 2


def test_ejection_can_be_off(start_sluice, upstream):
    state = {"bad": "500"}
    server = upstream("e", failing("e", state))
    daemon = start_sluice({"pools": {"stable": pool(server, ejection={"consecutive_failures": 0})}, "routes": [route()]})
    for _ in range(20):
        assert daemon.ask().status == 500
    assert up(daemon, server) == 1


def test_4xx_of_clients_eject_nobody(start_sluice, upstream):
    server = upstream("e", lambda request, reply: reply.send(404, "no"))
    daemon = start_sluice({"pools": {"stable": pool(server, upstream("f"), balance="round_robin",
                                                    ejection={"consecutive_failures": 2, "base_time": "60s", "max_share": 100})},
                           "routes": [route()]})
    for _ in range(20):
        daemon.ask()
    assert up(daemon, server) == 1
    assert daemon.counted("sluice_request_errors_total", 0)
