"""What a rollout asks and tells: gates before the first step, the hook before each, notifications, Prometheus; and what becomes
of it when they do not answer."""
import json
import os
import shutil
import threading

import pytest

from harness.scale import patience
from harness.wait import wait_for
from test_rollout import Paced, answering, configuration, decisions_of, rollout_of, weight_of

SHORT = [{"weight": 20, "for": "500ms"}, {"weight": 100}]


class World:
    """An HTTP server that answers as told and keeps what it was asked."""

    def __init__(self, upstream, name):
        self.status, self.text, self.asked = 200, "{}", []
        self.hang = threading.Event()
        self.server = upstream(name, self.handle)
        self.url = self.server.url

    def handle(self, request, reply):
        self.asked.append((request.target, json.loads(request.body) if request.body else None))
        if self.hang.is_set():
            reply.hang(30)
        text = self.text(request) if callable(self.text) else self.text
        reply.send(self.status, text, [("Content-Type", "application/json")])


@pytest.fixture
def world(upstream):
    return lambda name="world": World(upstream, name)


@pytest.fixture
def begin(start_sluice, upstream):
    loads = []

    def make(rollout, canary=None, rate=100, **settings):
        servers = upstream("stable"), upstream("canary", canary)
        config = configuration(*servers, {"steps": SHORT, "watch": "500ms", "horizon": "1s", **rollout}, **settings)
        daemon = start_sluice(config)
        loads.append(Paced(daemon.address, rate, threads=4))
        return daemon
    yield make
    for load in loads:
        load.stop()


def state_is(daemon, state, hold="none", within=20):
    def reached():
        now = rollout_of(daemon)
        return now["state"] == state and now["hold"] == hold
    wait_for(reached, patience(within), f"{state} ({hold})")


def test_smoke_tests_come_before_the_first_step(begin):
    broken = threading.Event()
    broken.set()

    def canary(request, reply):
        if request.target == "/smoke":
            reply.send(503 if broken.is_set() else 200, '{"answer": 4}')
        reply.send(200, "well") if request.target != "/smoke" else None
    daemon = begin({"before": {"smoke_tests": [{"request": {"path": "/smoke"}, "expect": {"status": [200], "json": {"/answer": 4}}}]}},
                   canary=canary)
    state_is(daemon, "gates", "gate")
    assert weight_of(daemon) == 0
    last = decisions_of(daemon)[-1]
    assert last["action"] == "gate" and "503" in last["because"]
    assert daemon.cli("retry", "chat").returncode == 0
    state_is(daemon, "gates", "gate")
    broken.clear()
    assert daemon.cli("retry", "chat").returncode == 0
    state_is(daemon, "promoted")
    assert weight_of(daemon) == 100


def test_the_evaluation_must_be_good_enough(begin, tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text('{"quality": 0.8}')
    daemon = begin({"before": {"evaluation": {"file": str(path), "json": "/quality", "min": 0.85}}})
    state_is(daemon, "gates", "gate")
    assert "0.8" in rollout_of(daemon)["because"]
    path.write_text('{"quality": 0.9}')
    assert daemon.cli("retry", "chat").returncode == 0
    state_is(daemon, "promoted")


def test_the_evaluation_must_be_as_good_as_the_baselines(begin, tmp_path):
    candidate, baseline = tmp_path / "v2.json", tmp_path / "v1.json"
    candidate.write_text('{"quality": 0.88}')
    baseline.write_text('{"quality": 0.90}')
    daemon = begin({"before": {"evaluation": {"file": str(candidate), "json": "/quality", "baseline": str(baseline), "margin": 0.01}}})
    state_is(daemon, "gates", "gate")
    assert "worse than the baseline's 0.9 by more than 0.01" in rollout_of(daemon)["because"]
    baseline.unlink()
    assert daemon.cli("retry", "chat").returncode == 0
    wait_for(lambda: "cannot be read" in rollout_of(daemon)["because"])
    state_is(daemon, "gates", "gate")
    baseline.write_text('{"quality": 0.885}')
    assert daemon.cli("retry", "chat").returncode == 0
    state_is(daemon, "promoted")


def test_a_person_may_pass_a_gate(begin, tmp_path):
    daemon = begin({"before": {"evaluation": {"file": str(tmp_path / "none.json"), "json": "/quality", "min": 0.85}}})
    state_is(daemon, "gates", "gate")
    assert daemon.cli("promote", "chat").returncode == 0
    assert decisions_of(daemon)[-1]["who"] == "person"
    state_is(daemon, "promoted")


def test_the_hook_before_a_step_can_say_no(begin, world):
    hook = world("hook")
    hook.status, hook.text = 409, "not on Fridays"
    daemon = begin({"hooks": {"before_step": hook.url + "/before"}})
    state_is(daemon, "hook", "hook")
    assert weight_of(daemon) == 0
    target, body = hook.asked[0]
    assert target == "/before" and (body["route"], body["step"], body["candidate"], body["version"]) == ("chat", 0, "canary", "v2")
    assert daemon.cli("resume", "chat").returncode == 0
    wait_for(lambda: len(hook.asked) >= 2, patience(10), "asked again")
    hook.status = 204
    state_is(daemon, "hook", "hook")
    assert daemon.cli("resume", "chat").returncode == 0
    state_is(daemon, "promoted")


def test_a_hook_that_hangs_blocks_no_judging(begin, world):
    hook = world("hook")
    daemon = begin({"hooks": {"before_step": hook.url}, "guards": {"error_rate": {"margin": 1}},
                    "steps": [{"weight": 20, "for": "500ms"}, {"weight": 30, "for": "10m"}, {"weight": 100}]},
                   canary=answering(error_rate=0))
    wait_for(lambda: weight_of(daemon) == 20, patience(20))
    hook.hang.set()
    assert daemon.cli("promote", "chat").returncode == 0
    state_is(daemon, "hook")
    assert daemon.cli("rollback", "chat", "--reason", "enough").returncode == 0
    assert weight_of(daemon) == 0
    hook.hang.clear()


def test_who_wants_to_know_is_told(begin, world):
    chat, plain, promoted = world("slack"), world("json"), world("promoted")
    plain.status = 500  # at first
    daemon = begin({"notify": [{"url": chat.url + "/T0/secret", "format": "slack"}, {"url": plain.url}],
                    "hooks": {"on_promote": promoted.url}})
    state_is(daemon, "promoted")
    wait_for(lambda: len(chat.asked) >= 3, patience(10), "every decision is told")
    assert all("chat" in body["text"] for _, body in chat.asked)
    wait_for(lambda: promoted.asked, patience(10), "on_promote")
    assert promoted.asked[0][1]["version"] == "v2"
    plain.status = 200
    wait_for(lambda: [body["number"] for _, body in plain.asked][-1:] == [decisions_of(daemon)[-1]["number"]], patience(30),
             "what failed is sent again, in order")
    assert "secret" not in daemon.stderr()
    def tries(result):
        return daemon.metrics().sum("sluice_notifications_total", result=result)
    wait_for(lambda: tries("delivered") + tries("failed") == sum(len(each.asked) for each in (chat, plain, promoted)), patience(10),
             "each try is counted")
    assert tries("failed") >= 1 and tries("dropped") == 0


def prometheus_answers(value):
    data = {"resultType": "vector", "result": [] if value is None else [{"metric": {}, "value": [1, str(value)]}]}
    return json.dumps({"status": "success", "data": data})


def test_a_metric_of_prometheus_takes_the_canary_back(begin, world):
    prometheus = world("prometheus")
    prometheus.text = prometheus_answers(0.1)
    daemon = begin({"steps": [{"weight": 20, "for": "10m"}, {"weight": 100}],
                    "guards": {"refusals": {"prometheus": {"url": prometheus.url, "query": 'refusals{variant="$variant"}'}, "max": 0.5}}})
    wait_for(lambda: rollout_of(daemon)["guards"][0]["verdict"] == "pass", patience(20))
    assert "canary" in prometheus.asked[0][0]
    prometheus.text = prometheus_answers(0.9)
    state_is(daemon, "rolled_back", within=30)
    assert "refusals: candidate 0.9, at most 0.5" in rollout_of(daemon)["because"] and weight_of(daemon) == 0


def test_a_prometheus_that_is_gone_holds(begin, world):
    prometheus = world("prometheus")
    prometheus.status = 503
    daemon = begin({"guards": {"refusals": {"prometheus": {"url": prometheus.url, "query": "x"}, "max": 0.5}}})
    wait_for(lambda: rollout_of(daemon)["guards"][0]["verdict"] == "error", patience(30))
    assert rollout_of(daemon)["state"] == "step" and weight_of(daemon) == 20
    prometheus.status, prometheus.text = 200, prometheus_answers(0.1)
    state_is(daemon, "promoted", within=30)


def test_a_state_dir_that_cannot_be_written_holds_and_serves(begin, world):
    """The disk is full, or somebody took the folder away: users notice nothing, the rollout waits and says so. What could not be
    written then is in the list of decisions afterwards."""
    told = world("told")
    daemon = begin({"steps": [{"weight": 20, "for": "3s"}, {"weight": 100}], "notify": [{"url": told.url}]})
    folder = os.path.join(daemon.config["state_dir"], "rollouts")
    shutil.rmtree(folder)
    with open(folder, "w", encoding="utf-8"):  # so that it cannot be made again
        pass
    state_is(daemon, "step", "journal", within=30)
    assert daemon.ask().status == 200 and weight_of(daemon) == 20
    assert rollout_of(daemon)["journal_failing"] and "the journal cannot be written" in daemon.stderr()
    assert daemon.counted("sluice_rollout_journal_failing", 1, route="chat")
    assert daemon.counted("sluice_rollout_hold", 1, route="chat", hold="journal")
    wait_for(lambda: [body for _, body in told.asked if body["to"]["hold"] == "journal"], patience(10), "somebody is told")
    os.unlink(folder)
    state_is(daemon, "promoted", within=30)
    assert daemon.counted("sluice_rollout_journal_failing", 0) and daemon.counted("sluice_rollout_hold", 1, hold="none")
    actions = [(each["action"], each["to"]["hold"]) for each in decisions_of(daemon)]
    assert ("hold", "journal") in actions, actions
    numbers = [each["number"] for each in decisions_of(daemon)]
    assert numbers == list(range(1, len(numbers) + 1))
    wait_for(lambda: [body["number"] for _, body in told.asked] == numbers, patience(10), "each decision is told once, in order")
    assert os.listdir(folder) == ["chat.json"]


def test_the_last_decision_is_told_before_the_daemon_ends(begin, world):
    told = world("told")
    told.status = 503  # it hears of nothing at first, so everything waits for its next try
    daemon = begin({"steps": [{"weight": 20, "for": "10m"}, {"weight": 100}], "notify": [{"url": told.url}]})
    wait_for(lambda: told.asked, patience(10))
    assert daemon.cli("pause", "chat", "--reason", "going home").returncode == 0
    told.status = 200
    daemon.stop()
    actions = [body["action"] for _, body in told.asked]
    assert actions[-2:] == ["start", "pause"], actions
    assert "notifications are not delivered" not in daemon.stderr()
