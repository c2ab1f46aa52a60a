"""kill -9 at random moments of rollouts that have everything: gates, a hook before each step, a pause, a watch. Each start goes on
where it was, with the same weights, and passes nothing."""
import random
import signal
import time

import pytest

from harness.scale import patience, scaled
from harness.wait import wait_for
from test_rollout import Paced, answering, configuration, decisions_of, rollout_of, weight_of
from test_rollout_world import World

STEPS = [{"weight": 10, "for": "100ms"}, {"weight": 20, "for": "100ms", "min_requests": 10}, {"pause": "manual"},
         {"weight": 50, "for": "100ms"}, {"weight": 100}]
LIVE = {0: 10, 1: 20, 2: 20, 3: 50}
RANK = {"idle": 0, "gates": 1, "hook": 2, "step": 3, "paused": 3, "watch": 4, "promoted": 5}


def slowly(_request):
    time.sleep(0.3)
    return "{}"


class Story:
    def __init__(self, daemon, load, seed):
        self.daemon, self.load = daemon, load
        self.rng = random.Random(20261123 + seed)
        self.version, self.promoted, self.kills = 2, 0, 0
        self.states = set()

    def place(self):
        now = rollout_of(self.daemon)
        return (int(now["version"][1:] or 0), 9 if RANK[now["state"]] > 3 else now["step"], RANK[now["state"]])

    def kill(self):
        before = self.place()
        self.load.address = None
        self.daemon.child.signal(signal.SIGKILL)
        self.daemon.child.wait(10)
        self.daemon.start()
        self.load.address = self.daemon.address
        self.kills += 1
        now = rollout_of(self.daemon)
        self.states.add(now["state"])
        assert now["weights"]["canary"] == weight_of(self.daemon)
        if now["state"] in ("step", "paused"):
            assert now["weights"]["canary"] == LIVE[now["step"]], now
        if now["state"] in ("watch", "promoted"):
            assert now["weights"]["canary"] == 100, now
        assert self.place() >= before, (before, now)

    def go_on(self):
        """What a person does: passes the pause now and then, and brings the next version."""
        state = rollout_of(self.daemon)["state"]
        if state == "paused" and self.rng.random() < 0.5:
            self.promoted += 1
            assert self.daemon.cli("promote", "chat", "--reason", "go on").returncode == 0
        elif state == "promoted":
            self.version += 1
            self.daemon.config["routes"][0]["variants"]["canary"]["version"] = f"v{self.version}"
            assert self.daemon.reload(self.daemon.config).status == 200


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(max(1, scaled(10) // 10)))  # SLUICE_SCALE=10: 200 kills
def test_nothing_is_passed_over_however_often_it_is_killed(start_sluice, upstream, seed):
    hook = World(upstream, "hook")
    hook.text = slowly  # so that it is also killed while somebody thinks
    smoke = {"request": {"path": "/smoke"}, "expect": {"status": [200]}}
    canary = upstream("canary", lambda request, reply: reply.send(200, slowly(request) if request.target == "/smoke" else "well"))
    daemon = start_sluice(configuration(upstream("stable", answering()), canary, {
        "guards": {"error_rate": {"margin": 20}}, "horizon": "1s", "watch": "100ms", "steps": STEPS,
        "before": {"smoke_tests": [smoke]}, "hooks": {"before_step": hook.url + "/step"}}))
    load = Paced(daemon.address, 200, threads=4)
    story = Story(daemon, load, seed)
    try:
        while story.kills < min(20, scaled(20, 4)):
            time.sleep(story.rng.random() ** 2 * 3)  # what a crash costs of evidence must be gathered again
            if story.rng.random() < 0.7:
                story.kill()
            story.go_on()
        wait_for(lambda: rollout_of(daemon)["state"] in ("paused", "promoted"), patience(60))
    finally:
        load.stop()
    check_decisions(decisions_of(daemon), story)
    print(f"{story.kills} kills, {story.version - 1} versions, found in {sorted(story.states)}")
    asked = [body["step"] for target, body in hook.asked if target == "/step"]
    assert {0, 1} <= set(asked), "the hook was asked before each step"


def check_decisions(decisions, story):
    assert [d["number"] for d in decisions] == list(range(1, len(decisions) + 1)), "none is lost, none is there twice"
    gate = hook = None  # what has been passed for the step that comes
    for before, now in zip(decisions, decisions[1:]):
        assert now["from"]["state"] == before["to"]["state"], (before, now)
        assert now["from"]["weights"] == before["to"]["weights"], (before, now)
        assert now["from"]["step"] == before["to"]["step"], (before, now)
    for decision in decisions:
        source, target = decision["from"]["state"], decision["to"]["state"]
        if target == "gates":
            gate = hook = None
        elif target == "hook":
            gate = gate or source == "gates"
            hook = decision["to"]["step"]
        elif target in ("step", "watch") and source != target:
            assert gate and hook == decision["to"]["step"], decision
            assert source == "hook", decision
        if source == "paused" and target != "paused":
            assert decision["who"] == "person", decision
    passed = [d for d in decisions if d["from"]["state"] == "paused" and d["to"]["state"] != "paused"]
    assert len(passed) == story.promoted
