"""What a reload does to a rollout under way: every row of the table in docs/rollouts.md."""
import os

import pytest

from harness.scale import patience
from harness.sluice import route
from harness.wait import wait_for
from test_rollout import Paced, answering, configuration, decisions_of, rollout_of, weight_of

LONG = [{"weight": 10, "for": "10m"}, {"weight": 30, "for": "10m"}, {"pause": "manual"}, {"weight": 100}]


@pytest.fixture
def begin(start_sluice, upstream):
    loads = []

    def make(rollout=None, canary=None, load=True, **settings):
        servers = upstream("stable"), upstream("canary", canary)
        plan = {"steps": LONG, "guards": {"error_rate": {"margin": 5}}, "horizon": "1s", **(rollout or {})}
        daemon = start_sluice(configuration(*servers, plan, **settings))
        if load:
            loads.append(Paced(daemon.address, 100, threads=4))
        return daemon
    yield make
    for load in loads:
        load.stop()


def rollout_config(daemon):
    return daemon.config["routes"][0]["rollout"]


def reload(daemon):
    answer = daemon.reload(daemon.config)
    assert answer.status == 200, answer.body


def judged(daemon, guard=0):
    return rollout_of(daemon)["guards"][guard]["candidate"]["requests"]


def stands(daemon, state, step, weight):
    now = rollout_of(daemon)
    assert (now["state"], now["step"], weight_of(daemon)) == (state, step, weight), now


def test_weights_of_variants_come_into_force_when_no_rollout_runs(begin):
    daemon = begin(load=False)
    variants = daemon.config["routes"][0]["variants"]
    variants["stable"]["weight"], variants["canary"]["weight"] = 40, 60
    reload(daemon)
    stands(daemon, "step", 0, 10)
    assert [d["action"] for d in decisions_of(daemon)] == ["start"]
    del daemon.config["routes"][0]["rollout"]
    reload(daemon)
    assert weight_of(daemon) == 60


def test_an_unchanged_guard_keeps_its_evidence_and_an_edited_one_begins_anew(begin):
    daemon = begin({"guards": {"error_rate": {"margin": 5}, "latency_p50": {"margin": 300}}})
    wait_for(lambda: judged(daemon) > 30, patience(20))
    before = judged(daemon)
    rollout_config(daemon)["guards"]["latency_p50"]["margin"] = 400
    reload(daemon)
    assert judged(daemon) >= before, "error_rate goes on"
    rollout_config(daemon)["guards"]["error_rate"]["margin"] = 7
    reload(daemon)
    assert judged(daemon) < before, "another margin is another question"
    stands(daemon, "step", 0, 10)


def test_a_guard_that_is_added_takes_it_back(begin):
    daemon = begin({"guards": {}}, canary=answering(error_rate=1))
    wait_for(lambda: rollout_of(daemon)["step_requests"] > 20, patience(20))
    stands(daemon, "step", 0, 10)
    rollout_config(daemon)["guards"] = {"error_rate": {"margin": 1}}
    reload(daemon)
    wait_for(lambda: rollout_of(daemon)["state"] == "rolled_back", patience(20))
    assert weight_of(daemon) == 0


def test_an_edited_list_of_steps_never_moves_anybody(begin):
    daemon = begin(load=False)
    rollout_config(daemon)["steps"] = [{"weight": 5, "for": "1m"}, *LONG]
    reload(daemon)
    stands(daemon, "step", 1, 10)
    rollout_config(daemon)["steps"] = [{"weight": 20, "for": "1m"}, {"weight": 100}]
    reload(daemon)
    stands(daemon, "step", 0, 10)
    assert daemon.cli("promote", "chat").returncode == 0
    stands(daemon, "step", 0, 20)


def test_no_edit_passes_a_pause(begin):
    daemon = begin(load=False)
    for _ in range(2):
        assert daemon.cli("promote", "chat").returncode == 0
    stands(daemon, "paused", 2, 30)
    rollout_config(daemon)["steps"] = [{"weight": 30, "for": "1m"}, {"pause": "manual"}, {"weight": 100}]
    reload(daemon)
    stands(daemon, "paused", 1, 30)
    rollout_config(daemon)["steps"] = [{"weight": 30, "for": "10m"}, {"weight": 100}]
    reload(daemon)
    stands(daemon, "step", 0, 30)
    assert "pause" in decisions_of(daemon)[-1]["because"]


def test_another_version_starts_from_the_beginning(begin):
    daemon = begin()
    assert daemon.cli("promote", "chat").returncode == 0
    wait_for(lambda: judged(daemon) > 30, patience(20))
    stands(daemon, "step", 1, 30)
    daemon.config["routes"][0]["variants"]["canary"]["version"] = "v3"
    reload(daemon)
    stands(daemon, "step", 0, 10)
    assert judged(daemon) < 30, "with fresh evidence"
    stop, start = decisions_of(daemon)[-2:]
    assert (stop["action"], start["action"]) == ("stop", "start")
    assert "version" in stop["because"] and "v3" in start["because"]


def test_another_version_with_a_manual_start_waits(begin):
    daemon = begin({"start": "manual"}, load=False)
    stands(daemon, "idle", 0, 5)
    assert daemon.cli("promote", "chat").returncode == 0
    stands(daemon, "step", 0, 10)
    daemon.config["routes"][0]["variants"]["canary"]["version"] = "v3"
    reload(daemon)
    stands(daemon, "idle", 0, 5)


@pytest.mark.parametrize("change", ["strategy", "candidate", "baseline"])
def test_another_question_starts_from_the_beginning(begin, change):
    daemon = begin(load=False)
    assert daemon.cli("promote", "chat").returncode == 0
    config = daemon.config["routes"][0]
    if change == "strategy":
        config["rollout"] = {"strategy": "blue_green", "switch": "manual"}
    elif change == "candidate":
        config["variants"]["other"] = {**config["variants"].pop("canary"), "version": "v9"}
    else:
        config["variants"]["old"] = config["variants"].pop("stable")
        config["rollout"]["baseline"], config["rollout"]["candidate"] = "old", "canary"
    reload(daemon)
    now = rollout_of(daemon)
    assert (now["state"], now["step"]) == (("paused", 0) if change == "strategy" else ("step", 0)), now
    actions = [d["action"] for d in decisions_of(daemon)]
    assert actions[:4] == ["start", "step", "stop", "start"], actions


def test_a_renamed_route_is_another_and_the_old_one_waits_for_its_name(begin):
    daemon = begin(load=False)
    assert daemon.cli("promote", "chat").returncode == 0
    stands(daemon, "step", 1, 30)
    daemon.config["routes"][0]["name"] = "talk"
    reload(daemon)
    talk = daemon.admin().get("/api/v1/routes/talk")["rollout"]
    assert (talk["state"], talk["step"], talk["weights"]["canary"]) == ("step", 0, 10)
    assert sorted(os.listdir(os.path.join(daemon.config["state_dir"], "rollouts"))) == ["chat.json", "talk.json"]
    daemon.config["routes"][0]["name"] = "chat"
    reload(daemon)
    stands(daemon, "step", 1, 30)


def test_a_route_without_its_rollout_has_the_files_weights_and_finds_it_again(begin):
    daemon = begin(load=False)
    assert daemon.cli("promote", "chat").returncode == 0
    plan = daemon.config["routes"][0].pop("rollout")
    reload(daemon)
    assert weight_of(daemon) == 5 and rollout_of(daemon) is None
    assert daemon.cli("promote", "chat").returncode == 1, "there is nothing to promote"
    daemon.config["routes"][0]["rollout"] = plan
    reload(daemon)
    stands(daemon, "step", 1, 30)


def test_a_reload_that_fails_changes_nothing(begin):
    daemon = begin(load=False)
    assert daemon.cli("promote", "chat").returncode == 0
    rollout_config(daemon)["steps"] = [{"weight": 50, "for": "1m"}, {"weight": 20, "for": "1m"}]
    assert daemon.reload(daemon.config).status != 200
    stands(daemon, "step", 1, 30)


def test_what_a_person_holds_is_held_over_a_reload(begin):
    daemon = begin(load=False)
    assert daemon.cli("pause", "chat", "--reason", "lunch").returncode == 0
    reload(daemon)
    assert rollout_of(daemon)["hold"] == "person"
    assert daemon.cli("weight", "chat", "stable=45", "canary=55").returncode == 0
    rollout_config(daemon)["steps"] = LONG[1:]
    reload(daemon)
    assert rollout_of(daemon)["hold"] == "by_hand" and weight_of(daemon) == 55


def test_a_second_route_is_not_touched(begin, upstream):
    daemon = begin(load=False)
    daemon.config["routes"].insert(0, route("other", {"all": {"pool": "stable", "weight": 100}}, match={"path_prefix": "/other"}))
    assert daemon.cli("promote", "chat").returncode == 0
    reload(daemon)
    stands(daemon, "step", 1, 30)
